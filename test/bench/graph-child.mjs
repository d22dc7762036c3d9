// Takes one slide through the graph with an engine that answers at once, and prints what that cost in all, as one line of JSON.
import { readFileSync } from 'node:fs';
import { lastValueFrom, of, tap } from 'rxjs';
import { openParts } from '#pipelines/parts.js';
import { segmentSlides } from '#pipelines/segment.js';
import { EnginePool } from '#src/engine/pool.js';
import { openSlide } from '#src/slide/open.js';
import { combineObservers } from '#src/stage/observer.js';
import { makeMasks } from './graph-masks.mjs';
import { configWith, FIXTURE } from './support.mjs';

const [path, out, kind, readers, batch] = process.argv.slice(2);
const config = await configWith({ out, engine: 'null', 'keep-empty': true, readers: +readers, batch: +batch });
const parts = await openParts(config);
const side = parts.models.current.model.patchSize;
const { slots } = { slots: parts.slots.total };
const places = new SharedArrayBuffer(slots * 8);
const where = new Int32Array(places);
const model = await instantModel(parts.models.current);

const rss = [];
let settled = 0;
let lastAt = 0;
const observer = {
  ...combineObservers([]),
  acknowledged: () => {
    settled += 1;
    lastAt = performance.now();
    if (settled % 64 === 0) rss.push([settled, process.memoryUsage.rss()]);
  },
};
const graph = {
  ...parts,
  observer,
  models: { current: model, take: () => model, release: () => {}, reload: async () => {} },
  afterRead: tap(({ slot, ref }) => where.set([ref.col, ref.row], slot * 2)),
};

const task = { path, id: 'slide', open: () => openSlide(path, { id: 'slide' }) };
const [cpu, main, loop, startedAt] = [
  process.cpuUsage(),
  mainMs(),
  performance.eventLoopUtilization(),
  performance.now(),
];
const result = await lastValueFrom(segmentSlides(of(task), graph, new AbortController().signal));
const endedAt = performance.now();
const spent = process.cpuUsage(cpu);
const mainSpent = mainMs() - main;
const { utilization } = performance.eventLoopUtilization(loop);
if (result.state !== 'completed') throw new Error(`ended as ${result.state}`, { cause: result.error });
rss.push([settled, process.memoryUsage.rss()]);
const peak = until => Math.max(...rss.filter(([at]) => at <= until).map(([, bytes]) => bytes));
const { patches, timings, outputs } = result.summary;
console.log(
  JSON.stringify({
    kind,
    patches: patches.expected,
    seconds: (endedAt - startedAt) / 1000,
    summarySeconds: timings.seconds,
    patchesPerSecond: patches.expected / ((endedAt - startedAt) / 1000),
    cpuMsPerPatch: (spent.user + spent.system) / 1000 / patches.expected,
    systemMsPerPatch: spent.system / 1000 / patches.expected,
    mainMsPerPatch: mainSpent / patches.expected,
    mainLoopUtilisation: utilization,
    rssAtTenth: peak(patches.expected / 10),
    rssPeak: peak(Number.POSITIVE_INFINITY),
    rssGrowth: peak(Number.POSITIVE_INFINITY) / peak(patches.expected / 10) - 1,
    finishSeconds: (endedAt - lastAt) / 1000,
    polygons: outputs.polygons,
  }),
);
await model.segmenter.close();
await parts.close();

/** The model of the configuration, run by a thread that answers at once. */
async function instantModel(serving) {
  const { period, masks } = await makeMasks(kind, side, FIXTURE);
  const backend = { engine: 'null', batch: +batch };
  const answers = { masks, period, places, bytes: (side * side) / 8 };
  const segmenter = await EnginePool.start({
    script: new URL('./graph-engine.worker.mjs', import.meta.url),
    crew: {
      model: { name: 'instant', version: '1', threshold: 0.5 },
      threads: [{ arena: { shape: { slots, patchSize: side } }, backend, answers }],
    },
  });
  return { ...serving, segmenter };
}

/** Processor time of the main thread; by the event loop where the system does not tell. */
function mainMs() {
  try {
    return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6;
  } catch {
    return performance.eventLoopUtilization().active;
  }
}
