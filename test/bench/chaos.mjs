// What goes wrong when a slide is shared over NATS, at random moments and in random order, from seeds.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openHosts } from './hosts.mjs';
import { freePort, generator, openServer, openWire, setUp, startChild } from './share.mjs';
import { withFolder } from './support.mjs';

const WORKERS = 3;
/** Things that go wrong with a slide. */
const TROUBLES = 5;
const SERVICE_MS = 40;
const DAY_MS = 24 * 3600 * 1000;
const CONFIG = {
  engine: 'null',
  'patch-size': 128,
  margin: 0,
  batch: 2,
  readers: 1,
  'keep-empty': true,
  'task-patches': 3,
  'tasks-ahead': 8,
  'task-timeout': 2,
  'task-tries': 100,
};

/** 108 patches, each as long in the engine as four of 128 px. */
const SMALL = { 'patch-size': 256, batch: 1, 'task-patches': 2 };

/**
 * Real processes (ingest, three workers), a real nats-server, each process with a clock of its own; per seed five things go wrong, and everything is
 * held against an undisturbed run: `lost` counts patches without their line or their message in the stream, files that differ, and slides that were not completed;
 * `doubled` patches with more than one.
 *
 * @param only names of TROUBLE, for some of them alone
 * @param order names of TROUBLE, in this order instead of any
 * @param small fewer patches and two workers
 * @param hosts each process is on a host of its own, in a network namespace; else each has a wire of its own to the server
 * @param outage seconds that a network is away; about, where each time is another
 */
export async function benchChaos({ slide, seeds, first = 1, onProgress = () => undefined, ...how }) {
  const result = { seeds: 0, troubles: 0, lost: 0, doubled: 0 };
  await withFolder(async folder => {
    const control = await through({ slide, folder: join(folder, 'control'), small: how.small });
    if (control.kept.size !== control.patches.segmented || control.lines.size !== control.patches.expected)
      throw new Error('the undisturbed run is not whole');
    for (let seed = first; seed < first + seeds; seed++) {
      const seen = await through({ slide, folder: join(folder, `seed-${seed}`), seed, ...how });
      const { lost, doubled, of } = compare(seen, control);
      result.seeds += 1;
      result.troubles += seen.troubles.length;
      result.lost += lost;
      result.doubled += doubled;
      onProgress({ seed, lost, doubled, of, troubles: seen.troubles, seconds: seen.seconds });
    }
  });
  return result;
}

/** What is not as in the undisturbed run, by what it is. */
function compare(seen, control) {
  const lost = { completed: seen.state === 'completed' ? 0 : 1, lines: 0, kept: 0, counts: 0, files: 0 };
  const doubled = { lines: 0, kept: 0, counts: 0 };
  for (const [place, { text }] of control.lines) if (seen.lines.get(place)?.text !== text) lost.lines += 1;
  for (const [place, { count }] of seen.lines) doubled.lines += count - (control.lines.has(place) ? 1 : 0);
  for (const [subject] of control.kept) if (!seen.kept.has(subject)) lost.kept += 1;
  for (const [subject, count] of seen.kept) doubled.kept += count - (control.kept.has(subject) ? 1 : 0);
  for (const name of ['segmented', 'empty', 'failed', 'missing']) {
    const more = seen.patches[name] - control.patches[name];
    if (more > 0) doubled.counts += more;
    else lost.counts -= more;
  }
  if (JSON.stringify(seen.area) !== JSON.stringify(control.area) || seen.mask !== control.mask) lost.files += 1;
  const sum = counts => Object.values(counts).reduce((all, count) => all + count, 0);
  return { lost: sum(lost), doubled: sum(doubled), of: { lost, doubled } };
}

/** A slide from beginning to end; with a seed things go wrong. */
async function through({
  slide,
  folder,
  seed,
  only,
  order,
  small,
  hosts = false,
  troubles = order?.length ?? TROUBLES,
  outage,
}) {
  const began = performance.now();
  const random = generator(seed ?? 0);
  const network = hosts ? onHosts() : byWires();
  const server = await openServer(folder, { port: await freePort(), ...network.server });
  const running = new Set();
  const setup = await setUp(server.url);
  const stopSlow = seed === undefined ? async () => undefined : await subscribeSlowly(server.url);
  const clock = () => (seed === undefined ? 0 : Math.round((random() - 0.5) * 2 * DAY_MS));
  const start = async role => {
    const wire = await network.attach(server.url);
    const own = role === 'ingest' ? { slide } : {};
    const child = startChild({
      role,
      nats: wire.url,
      within: wire.within ?? [],
      out: join(folder, role),
      config: { ...CONFIG, ...(small ? SMALL : {}) },
      serviceMs: SERVICE_MS,
      clockMs: clock(),
      ...own,
    });
    const one = { child, wire };
    running.add(one);
    void child.exited.then(() => running.delete(one));
    return one;
  };
  try {
    const state = {
      ...{ random, server, start, outage, network, manager: setup.manager },
      ingest: await start('ingest'),
      workers: await Promise.all(Array.from({ length: small ? 2 : WORKERS }, () => start('worker'))),
      troubles: [],
      masks: 0,
    };
    const { total } = await countMasks(state, seed === undefined ? undefined : 0);
    if (seed !== undefined) {
      const names = only ?? Object.keys(TROUBLE);
      for (let i = 0; i < troubles; i++) {
        // Some of the patches are done between two of them; all of them before the last would leave nothing to disturb.
        if ((await countMasks(state, Math.floor((total * (i + random())) / (troubles + 1)))).isOver) break;
        const name = order?.[i] ?? names[Math.floor(random() * names.length)];
        state.troubles.push(name);
        await TROUBLE[name](state);
      }
    }
    const over = await finish(state);
    const kept = await keptMasks(setup.manager);
    return {
      ...(await results(join(folder, 'ingest', 'slide'))),
      ...over,
      kept,
      troubles: state.troubles,
      seconds: (performance.now() - began) / 1000,
    };
  } finally {
    for (const { child } of [...running]) {
      child.kill('SIGCONT');
      child.kill('SIGKILL');
      await child.exited;
    }
    await stopSlow();
    await setup.close().catch(() => undefined);
    await server.kill();
    await network.close();
  }
}

/** Waits until ingest has published so many masks, all its lives together; undefined: until it began. */
async function countMasks(state, wanted) {
  const { child } = state.ingest;
  const opened = await child.heard(({ event }) => event === 'opened' || event === 'over' || event === 'failed');
  const total = opened?.patches ?? 0;
  const isEnd = ({ event }) => event === 'over' || event === 'failed';
  const reached = () => state.masks + child.events.filter(({ event }) => event === 'mask').length >= (wanted ?? 0);
  const found = reached() ? undefined : await child.heard(event => isEnd(event) || reached());
  return { total, isOver: child.isOver || (found !== undefined && isEnd(found)) };
}

/** Ingest goes on until the slide is done: one that ended over a full stream, or was killed, is started again. */
async function finish(state) {
  for (let lives = 0; lives < 20; lives++) {
    const { child } = state.ingest;
    const { code, errors } = await child.exited;
    const over = child.events.find(({ event }) => event === 'over');
    if (code === 0) return { state: over.state === 'done-before' ? 'completed' : over.state };
    if (code !== null && over?.code === undefined && !child.events.some(({ event }) => event === 'failed'))
      throw new Error(`ingest failed by itself: ${JSON.stringify(over)} ${errors}`);
    await again(state);
  }
  return { state: 'never completed' };
}

async function again(state) {
  state.masks += state.ingest.child.events.filter(({ event }) => event === 'mask').length;
  state.ingest = await state.start('ingest');
}

const anyOf = (state, list) => Math.floor(state.random() * list.length);

/** What goes wrong. Each leaves everything as it was, but for what was lost. */
const TROUBLE = {
  async 'a worker is killed'(state) {
    const at = anyOf(state, state.workers);
    state.workers[at].child.kill('SIGKILL');
    await state.workers[at].child.exited;
    state.workers[at] = await state.start('worker');
  },
  async 'a worker is told to end'(state) {
    const at = anyOf(state, state.workers);
    state.workers[at].child.kill('SIGTERM');
    state.workers[at] = await state.start('worker');
  },
  /** Its tasks are given to others, and done twice when it wakes up. */
  async 'a worker sleeps'(state) {
    const { child } = state.workers[anyOf(state, state.workers)];
    child.kill('SIGSTOP');
    await sleep((CONFIG['task-timeout'] + 1.5) * 1000);
    child.kill('SIGCONT');
  },
  async 'ingest is killed'(state) {
    state.ingest.child.kill('SIGKILL');
    await state.ingest.child.exited;
    await again(state);
  },
  async 'ingest sleeps'(state) {
    state.ingest.child.kill('SIGSTOP');
    await sleep(1000 + state.random() * 2000);
    state.ingest.child.kill('SIGCONT');
  },
  async 'the server is killed'(state) {
    await state.server.kill();
    await sleep(state.random() * 1500);
    await state.server.start();
  },
  async 'the server loses its store'(state) {
    await state.server.kill();
    await state.server.loseStore();
    await state.server.start();
  },
  async 'the network is away'(state) {
    const all = [state.ingest, ...state.workers];
    const some = all.filter(() => state.random() < 0.5);
    for (const { wire } of some) wire.cut();
    await sleep(state.outage === undefined ? 500 + state.random() * 3000 : state.outage * 1000);
    const isReset = state.random() < 0.5;
    for (const { wire } of some) wire.mend(isReset);
  },
  /** It takes no mask any more: ingest ends over it, or waits. */
  async 'the stream is full'(state) {
    const { config, state: now } = await state.manager.streams.info('stroma_v1_masks');
    await state.manager.streams.update(config.name, { ...config, max_msgs: Math.max(1, now.messages) });
    await sleep(1500);
    await state.manager.streams.update(config.name, config);
  },
};

/** Every process on this host, each with a wire of its own to the server. */
function byWires() {
  const wires = [];
  return {
    server: {},
    attach: async url => {
      const wire = await openWire(url);
      wires.push(wire);
      return wire;
    },
    close: async () => {
      for (const wire of wires) await wire.close();
    },
  };
}

/** The server and every process on a host of its own. */
function onHosts() {
  const hosts = openHosts();
  const { address, within } = hosts.add();
  return {
    server: { host: address, within },
    attach: async url => ({ ...hosts.add(), url }),
    close: async () => hosts.close(),
  };
}

/** One that takes nothing of what it is sent: the server has to let it go. */
async function subscribeSlowly(url) {
  const { hostname, port } = new URL(url);
  const socket = connectTcp(Number(port), hostname);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write('CONNECT {"verbose":false}\r\nSUB stroma.> 1\r\n');
  socket.pause();
  return async () => void socket.destroy();
}

/** Asked again where no answer came in the client's five seconds, on a busy machine or over a connection that was lost with the question. */
async function keptMasks(manager) {
  for (let tries = 12; ; tries--) {
    try {
      const { state } = await manager.streams.info('stroma_v1_masks', { subjects_filter: '>' });
      return new Map(Object.entries(state.subjects ?? {}));
    } catch (error) {
      if (error.name !== 'TimeoutError' || tries === 1) throw error;
    }
  }
}

async function results(folder) {
  const lines = new Map();
  for (const text of (await readFile(join(folder, 'patches.jsonl'), 'utf8')).trim().split('\n')) {
    const { col, row } = JSON.parse(text);
    const place = `${col} ${row}`;
    lines.set(place, { text, count: (lines.get(place)?.count ?? 0) + 1 });
  }
  const { patches, area } = JSON.parse(await readFile(join(folder, 'summary.json'), 'utf8'));
  const mask = createHash('sha256')
    .update(await readFile(join(folder, 'mask.geojson')))
    .digest('hex');
  return { lines, patches, area, mask };
}
