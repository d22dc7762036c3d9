import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findProgram, startNatsServer } from '#src/cli/nats-server.js';
import { connect } from '#src/event/client.js';
import { simulateScan } from '#src/simulate/simulate-scan.js';
import { openSlide } from '#src/slide/open.js';
import { makeLargeSlide } from './large-slide.mjs';
import { benchRead } from './read.mjs';
import { withFolder } from './support.mjs';

const MAIN = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));

/** A fast scanner of today: 88 tiles of 256 px a second. */
const SCANNER_PIXELS_PER_SECOND = 88 * 256 * 256;

/** Of the fixture: a slide of 17,000 × 23,000 pixels, a quarter of a large one. */
const WHOLE_SCALE = 8;

/** Masks during which threads and code still warm up. */
const COLD = 20;

/** Around a mask, in pixels of the slide: told to `watch`, so that it is known here. */
const MARGIN = 32;

const POLL_SECONDS = 1;
const POLLING = ['--watch-mode', 'poll', '--poll', String(POLL_SECONDS)];

/** A JPEG 2000 slide to compare reading on; none may be committed, so it is used where it is found. */
const J2K_SLIDES = [
  process.env.STROMAFLOW_J2K_SLIDE,
  fileURLToPath(new URL('../../../shared/data/slides/tcga-cr-7395-01a-01-ts1.svs', import.meta.url)),
];

/**
 * A scanner writes a growing TIFF at a fast scanner's pace while `watch` segments it with the null engine; a subscriber on a
 * real NATS server times each mask against the moment the last of its tiles was on disk. Then once more by polling alone, and with
 * a scanner that is as fast as the disk, for the rate that is held.
 */
export async function benchLive({ slide: small, say }) {
  const program = findProgram('nats-server');
  if (!program) throw new Error('nats-server is needed: apt-get install nats-server');
  const server = await startNatsServer(program);
  try {
    return await withFolder(async folder => {
      const slide = join(folder, 'slide.tif');
      await makeLargeSlide(small, slide, 4);
      const whole = join(folder, 'whole.tif');
      await makeLargeSlide(small, whole, WHOLE_SCALE);
      const level = await levelOf(whole);
      const pace = SCANNER_PIXELS_PER_SECOND / (level.tileWidth * level.tileHeight);
      say(`a growing TIFF of ${level.width} × ${level.height} px at ${pace.toFixed(0)} tiles/s…`);
      const live = await scan(whole, level, join(folder, 'live'), server.url, pace);
      const latencyP95Ms = quantile(live.latencies, 0.95);
      const cold = quantile(live.latencies.slice(0, COLD), 0.95);
      say(
        `  ${live.latencies.length} masks; tile on disk → mask on NATS p50 ${quantile(live.latencies, 0.5).toFixed(0)} ms, p95 ${latencyP95Ms.toFixed(0)} ms; of the first ${COLD} ${cold.toFixed(0)} ms`,
      );
      say(`  completed ${live.completedAfterSeconds.toFixed(2)} s after the last tile`);
      const firstMaskFraction = await firstMask(whole, join(folder, 'first'), server.url, pace);
      say(`  first mask of such a slide with ${(firstMaskFraction * 100).toFixed(1)} % of it on disk`);
      const few = await levelOf(slide);
      say(`one of ${few.width} × ${few.height} px over a share, where only polling tells (every ${POLL_SECONDS} s)…`);
      const polled = await scan(slide, few, join(folder, 'polled'), server.url, pace, POLLING);
      const latencyPollingP95Ms = quantile(polled.latencies, 0.95);
      say(`  p50 ${quantile(polled.latencies, 0.5).toFixed(0)} ms, p95 ${latencyPollingP95Ms.toFixed(0)} ms`);
      say('the large one as fast as the disk takes it…');
      const fast = await scan(whole, level, join(folder, 'fast'), server.url, 0);
      say(`  ${fast.tilesPerSecond.toFixed(0)} tiles/s from first tile to slide completed`);
      const j2k = J2K_SLIDES.find(path => path && existsSync(path));
      const read = j2k ? await benchRead({ slide: j2k, threads: 2, mpp: 0.5, rounds: 3 }) : { ratio: null };
      say(
        read.ratio === null
          ? '  no JPEG 2000 slide or no libopenslide here'
          : `JPEG 2000 reading ${read.ratio.toFixed(2)} × OpenSlide`,
      );
      return {
        latencyP95Ms: round(latencyP95Ms),
        firstMaskFraction: round(firstMaskFraction),
        completedAfterSeconds: round(live.completedAfterSeconds),
        tilesPerSecondHeld: Math.round(fast.tilesPerSecond),
        readJ2kVsOpenSlide: read.ratio === null ? null : round(read.ratio),
        latencyPollingP95Ms: round(latencyPollingP95Ms),
      };
    });
  } finally {
    await server.stop();
  }
}

async function scan(slide, level, folder, url, rate, options = []) {
  const input = join(folder, 'in');
  await mkdir(input, { recursive: true });
  const watcher = await startWatcher(input, join(folder, 'out'), url, options);
  const client = await connect({ url });
  const stop = new AbortController();
  const cols = Math.ceil(level.width / level.tileWidth);
  const onDiskAt = new Map();
  const masks = [];
  const listening = (async () => {
    for await (const mask of client.masks({ signal: stop.signal })) {
      masks.push({ mask, at: performance.now() });
    }
  })();
  const completed = (async () => {
    for await (const { state, payload } of client.slides({ signal: stop.signal })) {
      if (state === 'failed') throw new Error(payload.error.message);
      if (state === 'completed') return performance.now();
    }
  })();
  await client.ready();
  try {
    await simulateScan(slide, input, {
      as: 'growing-tiff',
      order: 'rows',
      rate,
      onTile: (at, col, row) => at === 0 && onDiskAt.set(row * cols + col, performance.now()),
    });
    const completedAt = await completed;
    const times = [...onDiskAt.values()];
    const [first, last] = [Math.min(...times), Math.max(...times)];
    const latencies = masks.map(({ mask, at }) => at - lastTileAt(mask, level, cols, onDiskAt));
    return {
      latencies,
      completedAfterSeconds: (completedAt - last) / 1000,
      tilesPerSecond: times.length / ((completedAt - first) / 1000),
    };
  } finally {
    stop.abort();
    await listening;
    await client.close();
    watcher.kill('SIGTERM');
  }
}

/** Plays a slide until a subscriber has its first mask: the part of it that was on disk then. */
async function firstMask(slide, folder, url, rate) {
  const input = join(folder, 'in');
  await mkdir(input, { recursive: true });
  const watcher = await startWatcher(input, join(folder, 'out'), url, []);
  const client = await connect({ url });
  const enough = new AbortController();
  const level = await levelOf(slide);
  const tiles = Math.ceil(level.width / level.tileWidth) * Math.ceil(level.height / level.tileHeight);
  let onDisk = 0;
  const heard = (async () => {
    for await (const _ of client.masks({ signal: enough.signal })) {
      const fraction = onDisk / tiles;
      enough.abort();
      return fraction;
    }
    throw new Error('no mask came');
  })();
  await client.ready();
  const scan = { as: 'growing-tiff', order: 'rows', rate, signal: enough.signal, onTile: () => (onDisk += 1) };
  try {
    await simulateScan(slide, input, scan).catch(error => {
      if (!enough.signal.aborted) throw error;
    });
    return await heard;
  } finally {
    await client.close();
    watcher.kill('SIGKILL');
  }
}

/** When the last of the tiles under a mask's patch was on disk: the patch has a margin around the mask that the model sees too. */
function lastTileAt(mask, { width, height, tileWidth, tileHeight }, cols, onDiskAt) {
  const right = Math.min(width, mask.x + mask.width + MARGIN);
  const bottom = Math.min(height, mask.y + mask.height + MARGIN);
  let last = 0;
  for (let row = Math.floor(Math.max(0, mask.y - MARGIN) / tileHeight); row * tileHeight < bottom; row += 1) {
    for (let col = Math.floor(Math.max(0, mask.x - MARGIN) / tileWidth); col * tileWidth < right; col += 1) {
      last = Math.max(last, onDiskAt.get(row * cols + col));
    }
  }
  return last;
}

/** `watch` with the null engine and no batch delay, so that what is measured is the pipeline's own time. */
function startWatcher(input, out, url, more) {
  const options = [
    '--out',
    out,
    '--nats',
    url,
    '--engine',
    'null',
    '--keep-empty',
    '--margin',
    String(MARGIN),
    '--batch-delay',
    '0',
    '--port',
    '0',
    ...more,
  ];
  const child = spawn(process.execPath, [MAIN, 'watch', input, ...options], { stdio: ['ignore', 'pipe', 'inherit'] });
  return new Promise((resolve, reject) => {
    let printed = '';
    child.stdout.on('data', chunk => {
      printed += chunk;
      if (/engine {5}/.test(printed)) resolve(child);
    });
    child.once('exit', code => reject(new Error(`watch ended with ${code}`)));
  });
}

const levelOf = async slide => (await openSlide(slide)).info.levels[0];

function quantile(values, q) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
}
const round = value => Math.round(value * 1000) / 1000;
