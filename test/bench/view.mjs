// What looking costs: frames a second with a hundred thousand patches under a feed of masks, and what fifty viewers cost a run.
//     node test/bench/view.mjs [seconds]
// Its figures are in docs/performance.md. Needs a build, chromium and nothing else.
import { spawn } from 'node:child_process';
import { linkSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { lastValueFrom, of } from 'rxjs';
import { openParts } from '#pipelines/parts.js';
import { segmentSlides } from '#pipelines/segment.js';
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

const SIDE = 512;
const GRID = { cols: 316, rows: 317 };
/** Patches that have a mask before anybody looks. */
const BEFORE = 3000;
const MASKS_PER_SECOND = 200;
const VIEWERS = 50;

const SLIDE = fileURLToPath(new URL('../fixtures/CMU-1-Small-Region.svs', import.meta.url));
const seconds = Number(process.argv[2] ?? 10);
const say = text => process.stdout.write(`${text}\n`);

function serve(shelf, metrics) {
  return startStatusServer({
    ...{ port: 0, shelf, metrics },
    status: () => ({}),
    readiness: () => ({ components: {} }),
  });
}

async function frames(folder) {
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
  const put = at => {
    const [col, row] = [at % GRID.cols, Math.floor(at / GRID.cols)];
    if (at === 0) return;
    for (const level of store.levels) {
      if (col === 0) mkdirSync(join(out, 'mask.ome.zarr', level.path, String(row)), { recursive: true });
      linkSync(chunk(level, 0, 0), chunk(level, col, row));
    }
  };
  const shelf = new SlideShelf(folder);
  const bus = observeBus(createMemoryBus(), [shelf.busObserver]);
  const events = createEvents({ site: 'lab', scanner: 'bench' });
  const patches = { expected: GRID.cols * GRID.rows, segmented: 0, empty: 0, missing: 0, failed: 0 };
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
  while (next < BEFORE) await publish(next++);
  const server = await serve(shelf, createMetrics({ version: 'bench' }));
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--enable-precise-memory-info'],
  });
  const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
  await page.goto(`${server.url}/view/#large`);
  while (!(await page.evaluate('globalThis.stromaflow?.view()?.settled'))) await sleep(50);
  let feeding = true;
  const feed = (async () => {
    const from = performance.now();
    const first = next;
    while (feeding) {
      while (next - first < ((performance.now() - from) / 1000) * MASKS_PER_SECOND) await publish(next++);
      await sleep(5);
    }
  })();
  for (const [name, zoom] of [
    ['the whole slide', 1],
    ['a tenth of its width', 10],
    ['pixel for pixel', (GRID.cols * SIDE) / 1096],
  ]) {
    const seen = await page.evaluate(`new Promise(resolve => {
      const view = stromaflow.view(), { viewport } = view.viewer, Point = OpenSeadragon.Point;
      viewport.zoomTo(${zoom}, new Point(0.5, 0.15), true);
      const start = performance.now(), before = view.frames;
      const step = () => {
        const t = (performance.now() - start) / 1000;
        if (t > ${seconds}) return resolve({ fps: (view.frames - before) / t, heap: performance.memory.usedJSHeapSize / 2 ** 20 });
        viewport.panTo(new Point(0.5 + 0.2 * Math.sin(t) / ${zoom}, 0.15 + 0.1 * Math.cos(t) / ${zoom}), true);
        requestAnimationFrame(step);
      };
      step();
    })`);
    say(
      `  ${name}: ${seen.fps.toFixed(1)} frames/s, ${seen.heap.toFixed(0)} MiB of script memory (load ${loadavg()[0].toFixed(1)})`,
    );
  }
  // From the event of a patch to the pixels of its mask.
  await page.evaluate('stromaflow.view().viewer.viewport.goHome(true)');
  feeding = false;
  await feed;
  const lags = [];
  for (let i = 0; i < 20; i++) {
    const at = next++;
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
  await browser.close();
  await server.close();
  await shelf.close();
}

const CLIENT = `
const [url, count, slide] = process.argv.slice(1);
const readers = Array.from({ length: Number(count) }, async () => {
  const answer = await fetch(url + '/api/slides/' + slide + '/events');
  for await (const chunk of answer.body) void chunk;
});
setInterval(() => fetch(url + '/metrics').then(answer => answer.text()).catch(() => {}), 100);
await Promise.allSettled(readers);
`;

async function slowdown(folder) {
  const { config } = await loadConfig({}, {});
  const bare = await openParts({ ...config, engine: 'null', out: folder });
  const shelf = new SlideShelf(folder);
  const metrics = createMetrics({ version: 'bench' });
  const parts = {
    ...bare,
    observer: combineObservers([metrics.observer, shelf.observer]),
    bus: observeBus(bare.bus, [metrics.busObserver, shelf.busObserver]),
    onOpened: session => shelf.opened(session),
  };
  const server = await serve(shelf, metrics);
  const run = async (id, viewers) => {
    const opened = (async () => {
      for await (const event of parts.bus.subscribe('stroma.v1.>', AbortSignal.timeout(60_000)))
        if (event.type === 'stromaflow.slide.opened.v1') return;
    })();
    let client;
    const open = async () => openSlide(SLIDE, { id });
    const before = process.cpuUsage();
    const began = performance.now();
    const running = lastValueFrom(segmentSlides(of({ path: SLIDE, id, open }), parts, new AbortController().signal));
    await opened;
    if (viewers > 0) {
      client = spawn(process.execPath, ['--input-type=module', '-e', CLIENT, server.url, String(viewers), id]);
    }
    await running;
    const { user, system } = process.cpuUsage(before);
    client?.kill();
    return { cpu: (user + system) / 1e6, wall: (performance.now() - began) / 1000 };
  };
  await run('warm', 0);
  const sums = { 0: 0, [VIEWERS]: 0 };
  for (let round = 0; round < 6; round++)
    for (const viewers of [0, VIEWERS]) sums[viewers] += (await run(`s${round}-${viewers}`, viewers)).cpu;
  say(
    `  processor time of runs with ${VIEWERS} viewers and 10 scrapes a second ÷ without: ${(sums[VIEWERS] / sums[0]).toFixed(3)}`,
  );
  await server.close();
  await shelf.close();
  await bare.close();
}

say(
  `${cpus()[0].model}, ${cpus().length} cores, load ${loadavg()[0].toFixed(1)}; Chromium draws in software (--disable-gpu, Skia)`,
);
const folder = mkdtempSync(join(tmpdir(), 'stromaflow-view-'));
try {
  say(`${GRID.cols * GRID.rows} patches, panning under ${MASKS_PER_SECOND} masks a second:`);
  await frames(folder);
  say('what viewers cost a run:');
  await slowdown(folder);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
