import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '@nats-io/transport-node';
import { lastValueFrom, of, toArray } from 'rxjs';
import { openParts } from '#pipelines/parts.js';
import { segmentSlides } from '#pipelines/segment.js';
import { openWorkBus } from '#pipelines/work-bus.js';
import { work } from '#pipelines/worker.js';
import { findProgram } from '#src/cli/nats-server.js';
import { createEvents } from '#src/event/contract.js';
import { connectNatsBus } from '#src/event/nats-bus.js';
import { DEFAULT_LIMITS } from '#src/event/stream/layout.js';
import { openManager, setupStreams } from '#src/event/stream/setup.js';
import { openSlide } from '#src/slide/open.js';
import { createMemoryLedger } from '#src/store/memory-ledger.js';
import { TaskQueue } from '#src/tasks/task-queue.js';
import { configWith, slowedBy, withFolder } from './support.mjs';

const EVENTS = 20_000;
const AT_ONCE = 1024;
const MASK_BYTES = 3000;
/** Of a batch of four patches: sleeping, so that cores do not matter. */
const SERVICE_MS = 200;
const PORT = 4399;

/**
 * Work shared over NATS: how much faster eight workers are than one, and how many mask events of 3 kB a second get their PubAck from memory
 * storage, from one process.
 */
export async function benchScale({ slide, say }) {
  return withFolder(async folder => {
    const program = findProgram('nats-server');
    if (!program) throw new Error('this needs nats-server on the PATH');
    const server = spawn(program, ['-a', '127.0.0.1', '-p', String(PORT), '-js', '-sd', folder], { stdio: 'ignore' });
    const nats = `nats://127.0.0.1:${PORT}`;
    try {
      await setUp(nats);
      const eventsPerSecond = await publishMany(nats);
      say(`${eventsPerSecond.toFixed(0)} mask events a second with PubAck`);
      const seconds = {};
      for (const workers of [1, 2, 4, 8]) {
        seconds[workers] = await share({ nats, slide, workers, out: `${folder}/out-${workers}` });
        say(
          `${workers} workers: ${seconds[workers].toFixed(1)} s, ${(seconds[1] / seconds[workers]).toFixed(2)} × one`,
        );
      }
      return {
        speedup2: seconds[1] / seconds[2],
        speedup4: seconds[1] / seconds[4],
        speedup8: seconds[1] / seconds[8],
        eventsPerSecond,
      };
    } finally {
      server.kill('SIGKILL');
    }
  });
}

async function setUp(nats) {
  for (;;) {
    try {
      const nc = await connect({ servers: nats });
      const manager = await openManager(nc);
      const limits = { ...DEFAULT_LIMITS, storage: 'memory' };
      for (const { error } of await setupStreams(manager, 'stroma.v1', limits, true)) if (error) throw error;
      return await nc.close();
    } catch {
      await sleep(100);
    }
  }
}

async function publishMany(nats) {
  const bus = await connectNatsBus({ url: nats, publish: 'jetstream' });
  const events = createEvents({ site: 'bench', scanner: 'bench' });
  const aggregate = events.aggregate({ slide: 'S', revision: 1 }, 'r');
  const event = index => ({
    ...aggregate,
    subject: `stroma.v1.bench.bench.mask.S.${index}.0`,
    id: `bench/${index}`,
    data: new Uint8Array(MASK_BYTES),
  });
  const began = performance.now();
  let next = 0;
  const lane = async () => {
    while (next < EVENTS) await bus.publish(event(next++));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  const seconds = (performance.now() - began) / 1000;
  await bus.close();
  return EVENTS / seconds;
}

async function share({ nats, slide, workers, out }) {
  const common = { nats, engine: 'null', 'patch-size': 64, 'keep-empty': true, readers: 1 };
  const over = new AbortController();
  const started = [];
  for (let index = 0; index < workers; index++) {
    const config = await configWith({ ...common, out });
    const bus = await openWorkBus(config);
    const parts = await openParts(config, { bus, ledger: createMemoryLedger() });
    const queue = new TaskQueue({
      connection: bus.connection,
      prefix: 'stroma.v1',
      modelVersion: '0',
      timeoutSeconds: 30,
    });
    await queue.open();
    const options = { queue, lanes: 2, mounted: undefined, tries: 4 };
    const done = lastValueFrom(work(slowedBy(SERVICE_MS, parts), options, over.signal), { defaultValue: undefined });
    started.push({ parts, bus, done });
  }
  const parts = await openParts(await configWith({ ...common, out, role: 'ingest' }));
  const task = { path: slide, id: `slide-${workers}`, open: () => openSlide(slide, { id: `slide-${workers}` }) };
  const began = performance.now();
  const [result] = await lastValueFrom(segmentSlides(of(task), parts, new AbortController().signal).pipe(toArray()));
  const seconds = (performance.now() - began) / 1000;
  if (result.state !== 'completed') throw new Error(JSON.stringify(result));
  await parts.close();
  over.abort();
  for (const { parts: own, bus, done } of started) {
    await done;
    await own.close();
    await bus.close();
  }
  return seconds;
}
