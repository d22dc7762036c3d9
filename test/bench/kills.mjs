import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { findProgram, startNatsServer } from '#src/cli/nats-server.js';
import { connect } from '#src/event/client.js';
import { simulateScan } from '#src/simulate/simulate-scan.js';
import { openSlide } from '#src/slide/open.js';
import { withFolder } from './support.mjs';

const CHILD = fileURLToPath(new URL('kill-child.mjs', import.meta.url));

/** Of so many lives one is over before the process is ready; the others end while it works. */
const EARLY = 4;
/** Milliseconds after it is ready that a process lives at most while a slide grows; most patches of a life are then done. */
const LONGEST_WORK = 2000;
/** Lives that a scan lasts, so that its scanner writes on before, during and after each. */
const LIVES_A_SCAN = 8;

/** What the process segments: a slide that is there, or the folder into which a scanner is writing it. */
const KINDS = {
  finished: () => ({ input: async slide => slide, written: async () => undefined }),
  growing: (round, startMs) => growing(round % 2 === 0 ? 'rows' : 'random', round, startMs),
};

/**
 * Kills the process (SIGKILL) at random moments while it segments and publishes to a real NATS server, starts it again until
 * the slide is done, and repeats with fresh slides until it was killed `n` times. Half of the kills fall on finished slides and
 * half on growing ones, whose scanner goes on writing while the process is dead, unless `kinds` says otherwise. Against an
 * undisturbed run: `lost` counts masks that no subscriber saw or that lack in the files, `doubled` what an aggregate, at any
 * moment, or the summary counts more than once; `whileScanned` the kills that fell while the scanner was writing.
 */
export async function benchKills({
  slide,
  n,
  seed = 1,
  kinds = ['finished', 'growing'],
  onProgress = () => undefined,
}) {
  const program = findProgram('nats-server');
  if (!program) throw new Error('nats-server is needed: apt-get install nats-server');
  const server = await startNatsServer(program);
  const result = { kills: 0, whileScanned: 0, starts: 0, slides: 0, lost: 0, doubled: 0 };
  try {
    for (const [index, kind] of kinds.entries()) {
      const upTo = Math.round((n * (index + 1)) / kinds.length);
      await withFolder(folder => killUpTo(upTo, { kind, slide, folder, url: server.url, seed, result, onProgress }));
    }
    return result;
  } finally {
    await server.stop();
  }
}

async function killUpTo(n, { kind, slide, folder, url, seed, result, onProgress }) {
  const control = await runThrough({ kind, slide, folder: join(folder, 'control'), url, round: 0, startMs: 1000 });
  const { startMs } = control;
  const workMs = kind === 'growing' ? LONGEST_WORK : control.workMs;
  const random = generator(seed);
  for (let round = 1; result.kills < n; round += 1) {
    let finishing = 0;
    const disturb = async (child, ready, source) => {
      result.starts += 1;
      // A scan that is over is killed at once more, while its last patches are made and its files written.
      if (result.kills >= n || (source.isWritten?.() && finishing++ > 0)) return;
      const exited = once(child, 'exit');
      const early = random() < 1 / EARLY;
      if (!early) await Promise.race([ready, exited]);
      await Promise.race([sleep(random() * (early ? startMs : workMs)), exited]);
      if (child.exitCode === null && child.kill('SIGKILL')) {
        result.kills += 1;
        if (source.isWritten?.() === false) result.whileScanned += 1;
      }
      await exited;
    };
    const seen = await runThrough({
      kind,
      slide,
      folder: join(folder, `round-${round}`),
      url,
      round,
      startMs,
      disturb,
    });
    result.slides += 1;
    result.lost += [...control.masks].filter(mask => !seen.masks.has(mask)).length;
    result.lost += seen.files === control.files ? 0 : 1;
    result.doubled += surplus(seen.summary.patches, seen.summary.area, control.summary);
    result.doubled += seen.aggregates.filter(({ patches, area }) => surplus(patches, area, control.summary) > 0).length;
    onProgress({ ...result, kind });
  }
}

/** A scanner's folder and the scan that is written into it meanwhile. */
function growing(order, seed, startMs) {
  let scan;
  let isWritten = false;
  return {
    input: async (slide, folder) => {
      const input = join(folder, 'scanner');
      await mkdir(input, { recursive: true });
      const { levels } = (await openSlide(slide)).source;
      const tiles = levels.reduce((sum, { offsets }) => sum + offsets.length, 0);
      const seconds = (LIVES_A_SCAN * (startMs + LONGEST_WORK / 2)) / 1000;
      scan = simulateScan(slide, input, { as: 'growing-tiff', order, seed, rate: tiles / seconds });
      scan.then(
        () => {
          isWritten = true;
        },
        () => undefined,
      );
      return input;
    },
    written: () => scan,
    isWritten: () => isWritten,
  };
}

/** Starts the child until it exits by itself; `disturb` may kill it. */
async function runThrough({ kind, slide, folder, url, round, startMs, disturb = async () => undefined }) {
  const client = await connect({ url });
  const stop = new AbortController();
  const masks = new Set();
  const aggregates = [];
  const listening = Promise.all([
    (async () => {
      for await (const mask of client.masks({ signal: stop.signal }))
        masks.add(`${mask.col},${mask.row},${mask.stromapixels}`);
    })(),
    (async () => {
      for await (const { aggregate } of client.aggregates({ signal: stop.signal })) aggregates.push(aggregate);
    })(),
  ]);
  await client.ready();
  const source = KINDS[kind](round, startMs);
  const input = await source.input(slide, folder);
  const out = join(folder, 'out');
  const times = {};
  for (let status; status !== 0; ) {
    const startedAt = performance.now();
    const child = spawn(process.execPath, [CHILD, kind, input, out, url], { stdio: ['ignore', 'pipe', 'pipe'] });
    const ready = once(child.stdout, 'data').then(
      () => {
        times.startMs = performance.now() - startedAt;
      },
      () => undefined,
    );
    let errors = '';
    child.stderr.on('data', chunk => {
      errors += chunk;
    });
    const exited = once(child, 'exit');
    await disturb(child, ready, source);
    const [code, signal] = await exited;
    times.workMs = performance.now() - startedAt - times.startMs;
    if (code !== 0 && signal === null) throw new Error(`the child failed by itself: ${errors}`);
    status = code;
  }
  await source.written();
  await sleep(100);
  stop.abort();
  await listening;
  await client.close();
  const [id] = (await readdir(out)).filter(name => !name.startsWith('.'));
  const summary = JSON.parse(await readFile(join(out, id, 'summary.json'), 'utf8'));
  return { ...times, masks, aggregates, summary, files: await digest(join(out, id)) };
}

async function digest(folder) {
  const hash = createHash('sha256');
  for (const file of ['mask.geojson', 'patches.jsonl']) hash.update(await readFile(join(folder, file)));
  return hash.digest('hex');
}

/** Counts and area beyond those of the undisturbed run. */
function surplus(patches, area, control) {
  const more = name => Math.max(0, patches[name] - control.patches[name]);
  return more('segmented') + more('empty') + more('failed') + (area.stromaMm2 > control.area.stromaMm2 ? 1 : 0);
}

/** mulberry32: the same seed kills at the same fractions. */
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
