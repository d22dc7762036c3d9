// Processes that share a slide over a nats-server, and what they are told by.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { connect as connectTcp, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { connect } from '@nats-io/transport-node';
import { findProgram } from '#src/cli/nats-server.js';
import { DEFAULT_LIMITS } from '#src/event/stream/layout.js';
import { openManager, setupStreams } from '#src/event/stream/setup.js';

const CHILD = fileURLToPath(new URL('share-child.mjs', import.meta.url));

/** @param options as share-child.mjs takes them; `within`: a command in front, such as one that enters a network namespace. */
export function startChild({ within = [], ...options }) {
  const [program, ...args] = [...within, process.execPath, CHILD, JSON.stringify(options)];
  const process_ = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const events = [];
  const waiting = new Set();
  let [rest, errors] = ['', ''];
  process_.stderr.on('data', text => {
    errors += text;
  });
  process_.stdout.setEncoding('utf8').on('data', text => {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    for (const line of lines) {
      const event = { ...JSON.parse(line), at: performance.now() };
      events.push(event);
      for (const one of waiting) one.hear(event);
    }
  });
  let isOver = false;
  const exited = once(process_, 'close').then(([code, signal]) => {
    isOver = true;
    for (const one of waiting) one.end();
    return { code, signal, errors };
  });
  return {
    role: options.role,
    events,
    exited,
    get isOver() {
      return isOver;
    },
    get errors() {
      return errors;
    },
    kill: signal => process_.kill(signal),
    /** The first event that passes, of those that were and those to come; undefined when the process ends before. */
    heard: passes => {
      const before = events.find(passes);
      if (before || isOver) return Promise.resolve(before);
      return new Promise(resolve => {
        const one = {
          hear: event => {
            if (!passes(event)) return;
            waiting.delete(one);
            resolve(event);
          },
          end: () => resolve(undefined),
        };
        waiting.add(one);
      });
    },
  };
}

/** A nats-server that can be killed, started again and robbed of its store. @param within as of startChild */
export async function openServer(folder, { port, host = '127.0.0.1', within = [] }) {
  const program = findProgram('nats-server');
  if (!program) throw new Error('nats-server is needed: apt-get install nats-server');
  const store = join(folder, 'nats');
  let child;
  const start = async () => {
    const [first, ...args] = [...within, program, '-a', host, '-p', String(port), '-js', '-sd', store];
    child = spawn(first, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let log = '';
    child.stderr.on('data', text => {
      log += text;
    });
    while (!log.includes('Server is ready')) {
      if (child.exitCode !== null) throw new Error(`nats-server ended: ${log}`);
      await sleep(20);
    }
  };
  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  };
  await start();
  return { url: `nats://${host}:${port}`, start, kill, loseStore: () => rm(store, { recursive: true, force: true }) };
}

/** Streams for events and for shared work. @returns a connection's manager, and how to close it */
export async function setUp(url, { storage = 'file' } = {}) {
  const nc = await connect({ servers: url, maxReconnectAttempts: -1, reconnectTimeWait: 200 });
  const manager = await openManager(nc);
  for (const { error } of await setupStreams(manager, 'stroma.v1', { ...DEFAULT_LIMITS, storage }, true))
    if (error) throw error;
  return { nc, manager, close: () => nc.close() };
}

/** A way to a server that can be cut: bytes then stand still, as on a cable that was pulled. */
export async function openWire(target) {
  const pairs = new Set();
  let isCut = false;
  const server = createServer(inner => {
    const outer = connectTcp(Number(new URL(target).port), new URL(target).hostname);
    const pair = [inner, outer];
    pairs.add(pair);
    if (isCut) for (const socket of pair) socket.pause();
    inner.on('data', data => outer.write(data));
    outer.on('data', data => inner.write(data));
    for (const socket of pair) {
      socket.on('error', () => undefined);
      socket.on('close', () => {
        pairs.delete(pair);
        for (const other of pair) other.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const each = act => {
    for (const pair of pairs) for (const socket of pair) act(socket);
  };
  return {
    url: `nats://127.0.0.1:${server.address().port}`,
    cut: () => {
      isCut = true;
      each(socket => socket.pause());
    },
    /** @param isReset what stood still is lost with its connection, as when a gateway forgot it */
    mend: isReset => {
      isCut = false;
      each(socket => (isReset ? socket.destroy() : socket.resume()));
    },
    close: async () => {
      each(socket => socket.destroy());
      server.close();
      await once(server, 'close');
    },
  };
}

/** A port that nobody has now. */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** mulberry32: the same seed, the same numbers. */
export function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
