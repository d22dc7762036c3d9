// Work shared over NATS by processes of their own: how it grows with workers, what it costs, and what a death costs.
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findProgram } from '#src/cli/nats-server.js';
import { createEvents } from '#src/event/contract.js';
import { connectNatsBus } from '#src/event/nats-bus.js';
import { benchChaos } from './chaos.mjs';
import { freePort, openServer, setUp, startChild } from './share.mjs';
import { median, withFolder } from './support.mjs';

const EVENTS = 20_000;
/** As many as the publisher has under way. */
const AT_ONCE = 1024;
const MASK_BYTES = 3000;
/** Publishing is measured so often, in turn with the server's own tool. */
const ROUNDS = 3;

/** Of a batch of four patches: sleeping, so that cores do not matter. */
const SERVICE_MS = 500;
/** 64 px each, so that reading takes little: 32 rounds of eight workers. */
const [ACROSS, DOWN] = [32, 32];
const NULL = {
  engine: 'null',
  'patch-size': 64,
  margin: 0,
  'keep-empty': true,
  batch: 4,
  readers: 1,
  mpp: 0.5,
  spacing: 0.5,
};
const SHARED = { ...NULL, 'task-patches': 4 };

const CPU = { engine: 'cpu', threads: 1, isolation: 'thread', batch: 4, readers: 1, 'keep-empty': true };
const COST_ROUNDS = 2;
const TWICE = ['before', 'slide'];

/** Seconds without a sign of life after which a worker's tasks are given to others. */
const TASK_TIMEOUT = 5;

/**
 * @param chaos seeds of the chaos suite behind the figures `lost` and `doubled`
 * @param only one of: events, speedup, cost, recovery, chaos
 */
export async function benchScale({ slide, chaos = 3, only, say }) {
  return withFolder(async folder => {
    const parts = {
      speedup: () => speedups(folder, say),
      cost: () => cost(folder, slide, say),
      events: () => publishing(folder, say),
      recovery: () => recovery(folder, say),
      chaos: async () => {
        const onProgress = ({ seed, lost, doubled, troubles }) =>
          say(`  seed ${seed}: ${lost} lost, ${doubled} doubled: ${troubles.join(', ')}`);
        const { lost, doubled } = await benchChaos({ slide, seeds: chaos, onProgress });
        return { lost, doubled };
      },
    };
    let found = {};
    for (const name of only === undefined ? Object.keys(parts) : [only]) found = { ...found, ...(await parts[name]()) };
    return found;
  });
}

async function withServer(folder, storage, use) {
  await mkdir(folder, { recursive: true });
  const server = await openServer(folder, { port: await freePort() });
  const setup = await setUp(server.url, { storage });
  try {
    return await use(server.url);
  } finally {
    await setup.close();
    await server.kill();
  }
}

/**
 * Mask events of 3 kB with PubAck from memory storage, by a process that has published as many before; then `nats bench` sends as many messages of that
 * size to the same stream.
 */
async function publishing(folder, say) {
  const tool = findProgram('nats');
  const [own, theirs] = [[], []];
  for (let round = 0; round < ROUNDS; round++)
    await withServer(join(folder, `events-${round}`), 'memory', async url => {
      own.push(await publishMany(url));
      if (tool) theirs.push(await natsBench(tool, url));
    });
  const eventsPerSecond = median(own.map(({ rate }) => rate));
  const ratioToNatsBench = tool ? median(own.map(({ rate }, i) => rate / theirs[i])) : null;
  const each = median(own.map(({ micros }) => micros));
  const rates = own.map(({ rate }) => Math.round(rate)).join(', ');
  say(
    `${eventsPerSecond.toFixed(0)} mask events of 3 kB a second with PubAck (${rates}), ${each.toFixed(1)} µs of processor time each`,
  );
  say(
    tool
      ? `nats bench: ${theirs.join(', ')}`
      : 'nats bench: the `nats` command is not on the PATH, so there is no ratio',
  );
  return { eventsPerSecond, ratioToNatsBench };
}

/** @returns events a second, and µs of processor time each */
async function publishMany(nats) {
  const bus = await connectNatsBus({ url: nats, publish: 'jetstream' });
  const events = createEvents({ site: 'bench', scanner: 'bench' });
  const aggregate = events.aggregate({ slide: 'S', revision: 1 }, 'r');
  const data = new Uint8Array(MASK_BYTES);
  const event = (slide, index) => ({
    ...aggregate,
    subject: `stroma.v1.bench.bench.mask.${slide}.${index}.0`,
    id: `bench/${slide}/${index}`,
    data,
  });
  const publish = async slide => {
    let next = 0;
    const lane = async () => {
      while (next < EVENTS) await bus.publish(event(slide, next++));
    };
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
  };
  await publish('before');
  const spentBefore = process.cpuUsage();
  const began = performance.now();
  await publish('slide');
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(spentBefore);
  await bus.close();
  return { rate: EVENTS / seconds, micros: (user + system) / EVENTS };
}

/** The same with the server's own tool: one client, asynchronous, as many under way, ids for the server to tell repeats by as we send them. */
async function natsBench(tool, url) {
  const about = ['--size', String(MASK_BYTES), '--msgs', String(EVENTS), '--batch', String(AT_ONCE), '--clients', '1'];
  const where = ['stroma.v1.bench.bench.mask.theirs', '--stream', 'stroma_v1_masks', '--multisubject', '--dedup'];
  const { stdout, stderr } = await promisify(execFile)(tool, [
    ...['-s', url, 'bench', 'js', 'pub', 'async'],
    ...where,
    ...about,
    '--no-progress',
  ]);
  const rate = /([\d,]+) msgs\/sec/.exec(stdout + stderr)?.[1];
  if (rate === undefined) throw new Error(`nats bench says nothing of its rate: ${stdout}${stderr}`);
  return Number(rate.replaceAll(',', ''));
}

/** A slide of as many patches of 64 px, which are its tiles, uncompressed. */
async function slideOf(folder, across, down) {
  const [side, tiles] = [64, across * down];
  const entries = [
    [256, 4, [across * side]],
    [257, 4, [down * side]],
    [258, 3, [8, 8, 8]],
    [259, 3, [1]],
    [262, 3, [2]],
    [277, 3, [3]],
    [322, 4, [side]],
    [323, 4, [side]],
    [324, 4, Array.from({ length: tiles }, (_, i) => 8 + i * side * side * 3)],
    [325, 4, Array.from({ length: tiles }, () => side * side * 3)],
  ];
  const pixels = Buffer.alloc(tiles * side * side * 3, 160);
  const size = 2 + entries.length * 12 + 4;
  const directory = 8 + pixels.length;
  const head = Buffer.from('49492a0000000000', 'hex');
  head.writeUInt32LE(directory, 4);
  const ifd = Buffer.alloc(size);
  const rest = [];
  let behind = directory + size;
  ifd.writeUInt16LE(entries.length, 0);
  for (const [i, [tag, type, values]] of entries.entries()) {
    const at = 2 + i * 12;
    const width = type === 3 ? 2 : 4;
    const bytes = Buffer.alloc(Math.max(4, values.length * width));
    for (const [j, value] of values.entries()) bytes.writeUIntLE(value, j * width, width);
    ifd.writeUInt16LE(tag, at);
    ifd.writeUInt16LE(type, at + 2);
    ifd.writeUInt32LE(values.length, at + 4);
    if (bytes.length === 4) bytes.copy(ifd, at + 8);
    else {
      ifd.writeUInt32LE(behind, at + 8);
      rest.push(bytes);
      behind += bytes.length;
    }
  }
  const path = join(folder, `patches-${across}x${down}.tif`);
  await writeFile(path, Buffer.concat([head, pixels, ifd, ...rest]));
  return path;
}

/** From the opening of a slide until its last patch is on record, by so many workers, which are there before. */
async function speedups(folder, say) {
  const slide = await slideOf(folder, ACROSS, DOWN);
  const rates = {};
  for (const workers of [1, 2, 4, 8]) {
    // As many rounds for each: one worker would else take eight times as long as eight.
    const own = workers === 8 ? slide : await slideOf(folder, ACROSS, (DOWN * workers) / 8);
    const { seconds, patches } = await withServer(join(folder, `workers-${workers}`), 'memory', nats =>
      share({ nats, slide: own, workers, out: join(folder, `out-${workers}`) }),
    );
    rates[workers] = patches / seconds;
    say(
      `${workers} workers: ${patches} patches in ${seconds.toFixed(1)} s, ${(rates[workers] / rates[1]).toFixed(2)} × one`,
    );
  }
  return { speedup8: rates[8] / rates[1] };
}

async function share({ nats, slide, workers, out }) {
  const started = Array.from({ length: workers }, (_, i) =>
    startChild({ role: 'worker', nats, out: `${out}-${i}`, config: SHARED, serviceMs: SERVICE_MS }),
  );
  for (const worker of started) await ready(worker);
  const ingest = startChild({ role: 'ingest', nats, out, slide, config: SHARED, quiet: true });
  const opened = await ingest.heard(({ event }) => event === 'opened');
  const drained = await ingest.heard(({ event }) => event === 'drained');
  await wellEnded(ingest);
  for (const worker of started) worker.kill('SIGTERM');
  for (const worker of started) await worker.exited;
  return { seconds: (drained.at - opened.at) / 1000, patches: opened.patches };
}

async function ready(child) {
  if (!(await child.heard(({ event }) => event === 'ready')))
    throw new Error(`${child.role} did not start: ${child.errors}`);
}

async function wellEnded(child) {
  const { code, errors } = await child.exited;
  if (code !== 0) throw new Error(`${child.role} ended with ${code}: ${errors} ${JSON.stringify(child.events.at(-1))}`);
}

/** Processor time from when a slide is opened until its files are written, of one process and of ingest with a worker, which did one before. */
async function cost(folder, slide, say) {
  const ratios = [];
  for (let round = 0; round < COST_ROUNDS; round++) {
    const alone = await withServer(join(folder, `alone-${round}`), 'memory', async nats => {
      const child = startChild({
        role: 'alone',
        nats,
        out: join(folder, `alone-${round}`),
        slide,
        ids: TWICE,
        config: { ...CPU, nats },
        quiet: true,
      });
      await wellEnded(child);
      return spent(child, child);
    });
    const shared = await withServer(join(folder, `cost-${round}`), 'memory', async nats => {
      const worker = startChild({ role: 'worker', nats, out: join(folder, `worker-${round}`), config: CPU });
      await ready(worker);
      const ingest = startChild({
        role: 'ingest',
        nats,
        out: join(folder, `ingest-${round}`),
        slide,
        ids: TWICE,
        config: CPU,
        quiet: true,
      });
      await wellEnded(ingest);
      worker.kill('SIGTERM');
      await worker.exited;
      return { ingest: spent(ingest, ingest), worker: spent(worker, ingest) };
    });
    const both = shared.ingest + shared.worker;
    ratios.push(both / alone);
    say(
      `one process ${alone.toFixed(2)} s, ingest ${shared.ingest.toFixed(2)} s and worker ${shared.worker.toFixed(2)} s: ${(both / alone).toFixed(3)} ×`,
    );
  }
  return { costRatio: median(ratios) };
}

/** Seconds of processor time of a process between the opening of the second slide by whoever has it and the last it tells of that. */
function spent({ events }, owner) {
  const { at } = owner.events.findLast(({ event }) => event === 'opened');
  const begin = events.find(one => one.at >= at && (one.event === 'opened' || one.event === 'taken'));
  const end = events.findLast(({ event }) => event === 'over' || event === 'done');
  return (end.cpu - begin.cpu) / 1e6;
}

/** Of two workers one is killed: seconds until the last patch that it had in hand is on record by the other one. */
async function recovery(folder, say) {
  const slide = await slideOf(folder, 16, 16);
  const config = { ...SHARED, 'task-timeout': TASK_TIMEOUT };
  const out = join(folder, 'recovery');
  return withServer(out, 'memory', async nats => {
    const [victim, other] = ['victim', 'other'].map(name =>
      startChild({ role: 'worker', nats, out: join(out, name), config, serviceMs: 200 }),
    );
    await Promise.all([ready(victim), ready(other)]);
    const ingest = startChild({ role: 'ingest', nats, out: join(out, 'ingest'), slide, config });
    let done = 0;
    await victim.heard(({ event }) => event === 'done' && ++done === 3);
    victim.kill('SIGKILL');
    const killedAt = performance.now();
    await victim.exited;
    await wellEnded(ingest);
    other.kill('SIGTERM');
    await other.exited;
    const masks = ingest.events.filter(({ event }) => event === 'mask');
    const atDeath = new Set(masks.filter(({ at }) => at <= killedAt).map(({ place }) => place.join()));
    const inHand = victim.events
      .filter(({ event }) => event === 'taken')
      .flatMap(({ patches }) => patches.map(place => place.join()))
      .filter(place => !atDeath.has(place));
    if (inHand.length === 0) throw new Error('the worker had nothing in hand');
    const times = inHand.map(place => masks.find(mask => mask.place.join() === place)?.at ?? Number.NaN);
    const recoverySeconds = (Math.max(...times) - killedAt) / 1000;
    say(
      `${inHand.length} patches of a dead worker are done ${recoverySeconds.toFixed(1)} s later, with --task-timeout ${TASK_TIMEOUT}`,
    );
    return { recoverySeconds };
  });
}
