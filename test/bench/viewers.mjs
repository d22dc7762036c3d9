// What looking costs: frames a second with a hundred thousand patches under a feed of masks, and what fifty viewers cost a run.
// `npm run bench -- viewers [--part frames|memory|run|paced] [--seconds 10] [--rounds 6]`. Needs chromium.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, linkSync, mkdirSync, readFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium } from 'playwright-core';
import { count, lastValueFrom, of } from 'rxjs';
import { openSession } from '#pipelines/open-session.js';
import { openParts } from '#pipelines/parts.js';
import { segmentPatches, segmentSlides } from '#pipelines/segment.js';
import { takeModel } from '#pipelines/taken-model.js';
import { loadConfig } from '#src/config/load.js';
import { createEvents } from '#src/event/contract.js';
import { createMemoryBus } from '#src/event/memory-bus.js';
import { packBits } from '#src/mask/bits.js';
import { encodeMaskPng } from '#src/mask/png.js';
import { MaskPyramid } from '#src/mask/reduce.js';
import { patchRef, planPatches } from '#src/read/plan.js';
import { openSlide } from '#src/slide/open.js';
import { combineObservers } from '#src/stage/observer.js';
import { createMetrics } from '#src/status/metrics.js';
import { observeBus } from '#src/status/observe-bus.js';
import { startStatusServer } from '#src/status/server.js';
import { MaskStore } from '#src/store/zarr.js';
import { SlideShelf } from '#src/view/shelf.js';
import { makeLargeSlide } from './large-slide.mjs';
import { FIXTURE, median, withFolder } from './support.mjs';

const SIDE = 512;
const GRID = { cols: 316, rows: 317 };
/** Patches that have a mask before anybody looks. */
const BEFORE = 3000;
const MASKS_PER_SECOND = 200;
const VIEWERS = 50;

function serve(shelf, metrics) {
  return startStatusServer({
    ...{ port: 0, shelf, metrics },
    status: () => ({}),
    readiness: () => ({ components: {} }),
  });
}

/** A slide of a hundred thousand patches in a browser, and what feeds it. */
async function openLarge(folder) {
  const size = { width: GRID.cols * SIDE, height: GRID.rows * SIDE };
  const plan = planPatches(
    {
      ...{ id: 'large', path: 'large', format: '', mpp: 0.5, fingerprint: 'f', properties: {} },
      levels: [{ ...size, downsample: 1, mpp: 0.5, tileWidth: SIDE, tileHeight: SIDE }],
    },
    { spacing: 0.5, patchSize: SIDE },
  );
  const out = join(folder, 'large');
  mkdirSync(out);
  const store = new MaskStore(out, 'large', plan, true);
  const pixels = Uint8Array.from({ length: SIDE ** 2 }, (_, i) =>
    Math.sin((i % SIDE) / 20) + Math.cos(i / SIDE / 30) > 0 ? 1 : 0,
  );
  const bits = packBits(pixels, SIDE, SIDE);
  const pyramid = new MaskPyramid(SIDE, store.levels.length);
  pyramid.load(bits, SIDE, SIDE);
  store.write(0, 0, pyramid);
  const chunk = (level, col, row) => join(out, 'mask.ome.zarr', level.path, String(row), String(col));
  const written = new Uint8Array(GRID.cols * GRID.rows);
  const put = at => {
    const [col, row] = [at % GRID.cols, Math.floor(at / GRID.cols)];
    if (at === 0 || written[at]) return;
    written[at] = 1;
    for (const level of store.levels) {
      mkdirSync(join(out, 'mask.ome.zarr', level.path, String(row)), { recursive: true });
      // A file has no more than 65,000 names: each row a file of its own.
      if (col === 0) copyFileSync(chunk(level, 0, 0), chunk(level, 0, row));
      else linkSync(chunk(level, 0, row), chunk(level, col, row));
    }
  };
  const shelf = new SlideShelf(folder);
  const bus = observeBus(createMemoryBus(), [shelf.busObserver]);
  const events = createEvents({ site: 'lab', scanner: 'bench' });
  await bus.publish(
    events.slide('opened', {
      ...{ slide: 'large', run: 'r', revision: 1, resumed: false, format: 'bench', mpp: 0.5, model: 'm@1', ...size },
      grid: { ...GRID, side: SIDE, mpp: 0.5, downsample: 1 },
    }),
  );
  const png = encodeMaskPng({ width: SIDE, height: SIDE, bits });
  const stroma = pixels.reduce((sum, pixel) => sum + pixel, 0);
  const publish = async at => {
    put(at);
    const ref = patchRef(plan, at % GRID.cols, Math.floor(at / GRID.cols));
    const record = {
      ...ref,
      outcome: 'segmented',
      validPixels: SIDE ** 2,
      tissuePixels: SIDE ** 2,
      stromaPixels: stroma,
    };
    await bus.publish(events.mask({ ref, record, png, plan, engine: { model: 'm', modelVersion: '1' }, run: 'r' }));
  };
  let next = 0;
  const nextAt = () => next++ % (GRID.cols * GRID.rows);
  while (next < BEFORE) await publish(nextAt());
  const server = await serve(shelf, createMetrics({ version: 'bench' }));
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--enable-precise-memory-info'],
  });
  const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
  await page.goto(`${server.url}/view/#large`);
  while (!(await page.evaluate('globalThis.stromaflow?.view()?.settled'))) await sleep(50);
  let feeding = true;
  const fed = (async () => {
    const from = performance.now();
    const first = next;
    while (feeding) {
      while (next - first < ((performance.now() - from) / 1000) * MASKS_PER_SECOND) await publish(nextAt());
      await sleep(5);
    }
  })();
  return {
    ...{ browser, page, publish, nextAt },
    async stopFeeding() {
      feeding = false;
      await fed;
    },
    async close() {
      feeding = false;
      await fed;
      await browser.close();
      await server.close();
      await shelf.close();
    },
  };
}

/** For so long the view is moved about; resolves to frames, seconds and script memory in MiB. */
const pan = (page, zoom, seconds) =>
  page.evaluate(`new Promise(resolve => {
    const view = stromaflow.view(), { viewport } = view.viewer, Point = OpenSeadragon.Point;
    viewport.zoomTo(${zoom}, new Point(0.5, 0.15), true);
    const start = performance.now(), before = view.frames;
    const step = () => {
      const t = (performance.now() - start) / 1000;
      if (t > ${seconds}) return resolve({ count: view.frames - before, fps: (view.frames - before) / t });
      viewport.panTo(new Point(0.5 + 0.2 * Math.sin(t) / ${zoom}, 0.15 + 0.1 * Math.cos(t) / ${zoom}), true);
      requestAnimationFrame(step);
    };
    step();
  })`);

const ZOOMS = [
  ['the whole slide', 1],
  ['a tenth of its width', 10],
  ['pixel for pixel', (GRID.cols * SIDE) / 1096],
];

async function frames(folder, seconds, say) {
  const large = await openLarge(folder);
  const { page, publish, nextAt } = large;
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('Performance.enable', { timeDomain: 'threadTicks' });
  /** Processor seconds of the page's main thread. */
  const worked = async () =>
    (await cdp.send('Performance.getMetrics')).metrics.find(({ name }) => name === 'TaskDuration').value;
  const zooms = [];
  for (const [name, zoom] of ZOOMS) {
    const before = await worked();
    const { count, fps } = await pan(page, zoom, seconds);
    const each = (1000 * ((await worked()) - before)) / count;
    zooms.push({ name, framesPerSecond: fps, processorMsAFrame: each, load: loadavg()[0] });
    say(
      `  ${name}: ${fps.toFixed(1)} frames/s, ${each.toFixed(1)} ms of the page's processor time a frame (load ${loadavg()[0].toFixed(1)})`,
    );
  }
  // From the event of a patch to the pixels of its mask.
  await page.evaluate('stromaflow.view().viewer.viewport.goHome(true)');
  await large.stopFeeding();
  const lags = [];
  for (let i = 0; i < 20; i++) {
    const at = nextAt();
    const began = performance.now();
    await publish(at);
    const [col, row] = [at % GRID.cols, Math.floor(at / GRID.cols)];
    const isDrawn = `(() => {
      const view = stromaflow.view().view, canvas = document.getElementById('overlay'), size = ${SIDE} * view.scale;
      const x = (${col} * ${SIDE} - view.left) * view.scale, y = (${row} * ${SIDE} - view.top) * view.scale;
      const { data } = canvas.getContext('2d').getImageData(x, y, Math.max(1, size), Math.max(1, size));
      for (let i = 0; i < data.length; i += 4) if (data[i + 1] > 120 && data[i] < 40 && data[i + 3] > 0) return true;
      return false;
    })()`;
    while (!(await page.evaluate(isDrawn))) await sleep(2);
    lags.push(performance.now() - began);
  }
  lags.sort((a, b) => a - b);
  say(`  event → pixels of its mask: median ${lags[10].toFixed(0)} ms, longest ${lags.at(-1).toFixed(0)} ms`);
  await large.close();
  return { zooms, eventToPixelsMs: { median: lags[10], longest: lags.at(-1) } };
}

/** Memory of the page under the feed, moved about at all zooms in turn: script memory after garbage was collected, and all of its process. */
async function memory(folder, seconds, say) {
  const large = await openLarge(folder);
  const { page, browser } = large;
  const cdp = await page.context().newCDPSession(page);
  const whole = await browser.newBrowserCDPSession();
  const residentMiB = async () => {
    const { processInfo } = await whole.send('SystemInfo.getProcessInfo');
    const sizes = processInfo
      .filter(({ type }) => type === 'renderer')
      .map(({ id }) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${id}/status`, 'utf8'))[1]) / 1024);
    return Math.max(...sizes);
  };
  const seen = [];
  const began = performance.now();
  for (let i = 0; (performance.now() - began) / 1000 < seconds; i += 1) {
    await pan(page, ZOOMS[i % ZOOMS.length][1], Math.min(20, seconds / 6));
    await cdp.send('HeapProfiler.collectGarbage');
    const scriptMiB = (await page.evaluate('performance.memory.usedJSHeapSize')) / 2 ** 20;
    seen.push({ at: (performance.now() - began) / 1000, scriptMiB, residentMiB: await residentMiB() });
    const { at, residentMiB: all } = seen.at(-1);
    say(`  after ${at.toFixed(0)} s: script memory ${scriptMiB.toFixed(1)} MiB, process ${all.toFixed(0)} MiB`);
  }
  await large.close();
  // All zooms were seen by then.
  const [early, late] = [seen.slice(seen.length / 4, seen.length / 2), seen.slice((-seen.length * 3) / 8)];
  const middle = (of, name) => median(of.map(sample => sample[name]));
  return {
    minutes: seen.at(-1).at / 60,
    scriptMiB: [middle(early, 'scriptMiB'), middle(late, 'scriptMiB')],
    residentMiB: [middle(early, 'residentMiB'), middle(late, 'residentMiB')],
  };
}

/** Viewers of a slide, from its begin on, and whoever asks for metrics. */
const CLIENT = `
const [url, count, slide] = process.argv.slice(1);
console.log('here');
const sleep = ms => new Promise(resolve => setTimeout(resolve, ms));
const readers = Array.from({ length: Number(count) }, async () => {
  for (;;) {
    const answer = await fetch(url + '/api/slides/' + slide + '/events').catch(() => undefined);
    if (answer?.ok) for await (const chunk of answer.body) void chunk;
    await answer?.body?.cancel().catch(() => {});
    await sleep(50);
  }
});
setInterval(() => fetch(url + '/metrics').then(answer => answer.text()).catch(() => {}), 100);
await Promise.allSettled(readers);
`;

/**
 * What viewers and scrapes cost a run: processor time of the process that segments a patch, and the lag of its patches, with and without, in turn. The clients are
 * a process of their own, whose time is not counted.
 */
async function slowdown(folder, rounds, perSecond, say) {
  const { config } = await loadConfig({}, {});
  const slide = join(folder, 'slide.tif');
  await makeLargeSlide(FIXTURE, slide, 3);
  const out = join(folder, 'out');
  const bare = await openParts({ ...config, engine: 'null', 'keep-empty': true, out });
  const shelf = new SlideShelf(out);
  const metrics = createMetrics({ version: 'bench' });
  let lags = [];
  const timing = { ...combineObservers([]), acknowledged: seconds => lags.push(seconds * 1000) };
  const parts = {
    ...bare,
    observer: combineObservers([metrics.observer, shelf.observer, timing]),
    bus: observeBus(bare.bus, [metrics.busObserver, shelf.busObserver]),
    onOpened: session => shelf.opened(session),
  };
  const server = await serve(shelf, metrics);
  const run = async (id, viewers) => {
    lags = [];
    const open = async () => openSlide(slide, { id });
    let client;
    if (viewers > 0) {
      client = spawn(process.execPath, ['--input-type=module', '-e', CLIENT, server.url, String(viewers), id], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(client.stdout, 'data');
    }
    const before = process.cpuUsage();
    const began = performance.now();
    const { signal } = new AbortController();
    const task = { path: slide, id, open };
    const patches = await (perSecond > 0
      ? paced(task, parts, perSecond, signal)
      : lastValueFrom(segmentSlides(of(task), parts, signal)).then(({ summary }) => summary.patches.expected));
    const { user, system } = process.cpuUsage(before);
    const wall = (performance.now() - began) / 1000;
    client?.kill();
    lags.sort((a, b) => a - b);
    const cpu = (user + system) / 1000;
    return { cpu: cpu / patches, whole: cpu, wall, rate: patches / wall, p95: lags[Math.floor(0.95 * lags.length)] };
  };
  await run('warm', 0);
  const seen = { 0: [], [VIEWERS]: [] };
  for (let round = 0; round < rounds; round += 1)
    for (const viewers of [0, VIEWERS]) seen[viewers].push(await run(`s${round}-${viewers}`, viewers));
  await server.close();
  await shelf.close();
  await bare.close();
  const ratio = name => median(seen[VIEWERS].map((with50, i) => with50[name] / seen[0][i][name]));
  const result = {
    rounds,
    processorTime: ratio('cpu'),
    patchRate: ratio('rate'),
    /** What looking costs, whatever share of the machine the run gets. */
    moreMsASecond: median(seen[VIEWERS].map(({ whole, wall }, i) => (whole - seen[0][i].whole) / wall)),
    lagP95Ms: { without: median(seen[0].map(({ p95 }) => p95)), with: median(seen[VIEWERS].map(({ p95 }) => p95)) },
    lagP95MoreMs: median(seen[VIEWERS].map(({ p95 }, i) => p95 - seen[0][i].p95)),
  };
  say(
    `  ${VIEWERS} viewers and 10 scrapes a second ÷ none: processor time a patch ${result.processorTime.toFixed(3)}, patches a second ${result.patchRate.toFixed(3)}; ${result.moreMsASecond.toFixed(0)} ms of processor time more a second; lag p95 ${result.lagP95MoreMs.toFixed(0)} ms more (load ${loadavg()[0].toFixed(1)})`,
  );
  return result;
}

/** Patches come as from a scanner, so many a second: their lag is what the graph takes. Resolves to how many there were. */
async function paced(task, parts, perSecond, signal) {
  const opened = await task.open();
  const taken = await takeModel(opened, task, parts, signal);
  const folder = join(parts.config.out, task.id);
  const session = await openSession(opened, folder, task, parts, taken, signal);
  parts.onOpened(session);
  const due = async function* () {
    const began = performance.now();
    let given = 0;
    for (const patch of session.due()) {
      await sleep(Math.max(0, began + (1000 * given++) / perSecond - performance.now()));
      yield { ...patch, dueAt: performance.now() };
    }
  };
  const patches = await lastValueFrom(segmentPatches(due(), parts, signal).pipe(count()));
  await session.close();
  await taken.release();
  return patches;
}

/** What looking costs: the page, its memory, and the run that is looked at. */
export async function benchViewers({ part, seconds = 10, rounds, perSecond = 8, say }) {
  say(
    `${cpus()[0].model}, ${cpus().length} cores, load ${loadavg()[0].toFixed(1)}; Chromium draws in software (--disable-gpu, Skia)`,
  );
  const result = {};
  if (part === undefined || part === 'frames') {
    say(`${GRID.cols * GRID.rows} patches, panning under ${MASKS_PER_SECOND} masks a second:`);
    result.frames = await withFolder(folder => frames(folder, seconds, say));
  }
  if (part === 'memory') result.memory = await withFolder(folder => memory(folder, seconds, say));
  if (part === undefined || part === 'run') result.run = await withFolder(folder => slowdown(folder, rounds, 0, say));
  if (part === 'paced') result.paced = await withFolder(folder => slowdown(folder, rounds, perSecond, say));
  return result;
}
