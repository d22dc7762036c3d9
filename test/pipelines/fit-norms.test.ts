import { copyFile, cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { lastValueFrom, of } from 'rxjs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Parts } from '#pipelines/parts.js';
import { segmentSlides } from '#pipelines/segment.js';
import { Arena } from '#src/arena.js';
import type { Config } from '#src/config/options.js';
import { freezeBundle } from '#src/engine/freeze.js';
import { quantiseBundle } from '#src/engine/quantise.js';
import { decodeEvent } from '#src/event/decode.js';
import { blend } from '#src/fit/blend.js';
import { growthOf } from '#src/live/growth-of.js';
import { loadBundle } from '#src/model/bundle.js';
import { NORM_STATISTICS, readMoments } from '#src/model/norm/statistics.js';
import { Random } from '#src/random.js';
import { isFull, isWhole } from '#src/read/full-patch.js';
import { patchRefs, planPatches } from '#src/read/plan.js';
import { ReaderPool } from '#src/read/reader-pool.js';
import { simulateScan } from '#src/simulate/simulate-scan.js';
import { openSlide } from '#src/slide/open.js';
import { writeTiff } from '../slide/tiff-writer.js';
import { startCli } from '../support/cli.js';
import { makeBundle, SMALL } from '../support/formula-weights.js';
import { partsWith } from '../support/parts.js';
import { emptyFolder } from '../support/paths.js';
import { maskOf, segmentFinished, watchFor } from './live-support.js';

const SIDE = 128;
const N = 20;
const ID = 'slide';

let root: string;
let model: string;
let slide: string;
let fit: Partial<Config>;
let whole: Awaited<ReturnType<typeof segmented>>;
const cacheBefore = process.env['XDG_CACHE_HOME'];
beforeAll(async () => {
  root = await emptyFolder();
  process.env['XDG_CACHE_HOME'] = join(root, 'cache');
  model = await makeBundle({
    config: { ...SMALL, decoder_use_norm: { type: 'instancenorm', affine: true } },
    manifest: { patchSize: SIDE },
  });
  fit = { engine: 'cpu', model, patches: N, 'fit-norm': 'slide', isolation: 'thread', margin: 0 };
  slide = join(root, `${ID}.tif`);
  await writeFile(slide, tissue(150));
  whole = await segmented();
}, 120_000);
afterAll(async () => {
  if (cacheBefore === undefined) delete process.env['XDG_CACHE_HOME'];
  else process.env['XDG_CACHE_HOME'] = cacheBefore;
  await rm(root, { recursive: true });
});

const segmented = async (config: Partial<Config> = {}, out?: string, path = slide, id = ID) => {
  const folder = out ?? (await emptyFolder());
  const { mask, result } = await segmentFinished(path, id, undefined, folder, { ...fit, ...config });
  if (result.state !== 'completed') throw new Error(`ended as ${JSON.stringify(result)}`);
  return { mask, out: folder, summary: result.summary };
};
/** What an operator is told while a slide is done once more. */
async function saidBy(config: Partial<Config>, out: string): Promise<string[]> {
  const parts = await partsWith({ ...fit, ...config, out });
  const said: string[] = [];
  const task = { path: slide, id: ID, open: () => openSlide(slide, { id: ID }) };
  const told = { ...parts, say: (line: string) => void said.push(line) };
  await lastValueFrom(segmentSlides(of(task), told, new AbortController().signal));
  await parts.close();
  return said;
}
const statisticsIn = (out: string, id = ID) => join(out, '.norms', 'slides', `${id}.safetensors`);
const normNote = ({ notes }: { readonly notes: readonly { code: string; message: string }[] }) =>
  notes.find(({ code }) => code === 'norms')?.message;

/** The slide's first full patches, read by the test. */
async function* firstFull(most: number) {
  const opened = await openSlide(slide);
  const plan = planPatches(opened.info, { patchSize: SIDE });
  const arena = new Arena({ slots: 1, patchSize: SIDE });
  const readers = await ReaderPool.start({ threads: 1, arena });
  const reader = await readers.open(opened, plan, null);
  let given = 0;
  for (const ref of patchRefs(plan)) {
    if (given === most) break;
    await reader.read(ref, 0);
    const pixels = new Uint8Array(arena.slot(0));
    if (!isWhole(plan, ref) || !isFull(pixels, SIDE)) continue;
    given++;
    yield pixels;
  }
  await reader.close();
  await readers.close();
}

/** A slide of 1024 × 1024 pixels of 0.5 µm: tissue throughout, of a stain that is never the same. */
function tissue(blue: number): Buffer {
  const data = new Uint8Array(1024 * 1024 * 3);
  const random = new Random(blue);
  for (let y = 0, at = 0; y < 1024; y++)
    for (let x = 0; x < 1024; x++, at += 3) {
      const wave = 25 * Math.sin(x / 90) + 25 * Math.cos(y / 130);
      const grain = random.next() % 40;
      data.set([180 + wave / 2 - grain / 2, 80 + wave + grain, blue + wave / 3 + grain / 2], at);
    }
  const picture = { width: 1024, height: 1024, samples: 3, data };
  // Tiles of the size of a patch: patches come row by row, however many tiles a look at a growing slide finds.
  return writeTiff([{ picture, tile: [SIDE, SIDE], photometric: 2, resolution: 20_000 }]);
}

describe('a slide is fitted by its first patches', () => {
  test('which gives what freezing by those patches gives, and says so everywhere', async () => {
    const { mask, out, summary } = whole;
    const frozen = await emptyFolder();
    await cp(model, frozen, { recursive: true });
    await freezeBundle(frozen, {
      ...{ patches: firstFull(N), patchSize: SIDE, all: true, threads: 1 },
      source: () => ({ files: 1, from: ['slide'], spacing: 0.5, patchSize: SIDE }),
    });
    expect(await readMoments(statisticsIn(out))).toEqual(await readMoments(join(frozen, NORM_STATISTICS)));
    const unfitted = { 'fit-norm': undefined, patches: undefined };
    const other = await segmented({ ...unfitted, model: frozen });
    expect(mask).toEqual(other.mask);
    // Which is not what each patch's own statistics give.
    const own = await segmented(unfitted);
    expect(own.mask).not.toEqual(mask);

    const { version } = await loadBundle(model, undefined, { fitted: statisticsIn(out) });
    expect(version).toMatch(/^1\.0\.0\+[0-9a-f]{8}\.fitted$/);
    expect(summary.model).toBe(`formula@${version}`);
    expect(normNote(summary)).toMatch(/fitted to this slide by its first 20 patches .* within \d+\.\d % of a standard/);
    expect(await readdir(join(out, '.norms', 'compiled'))).toEqual([]);
  }, 120_000);

  test('a growing slide waits for them, and gets the mask of the finished file', async () => {
    const watched = await watchFor(1, { config: fit }, (folder, signal) =>
      simulateScan(slide, folder, { as: 'growing-tiff', order: 'rows', rate: 40, signal }),
    );
    expect(await maskOf(watched.out, ID)).toEqual(whole.mask);
    expect(await readFile(statisticsIn(watched.out))).toEqual(await readFile(statisticsIn(whole.out)));
    const events = watched.events.map(event => decodeEvent(event)!);
    const opened = events.find(event => event.kind === 'slide' && event.state === 'opened') as never as {
      payload: { model: string; notes: { code: string; message: string }[] };
    };
    expect(opened.payload.model).toBe(whole.summary.model);
    expect(normNote(opened.payload)).toBe(normNote(whole.summary));
    const masks = events.flatMap(event => (event.kind === 'mask' ? [`${event.model}@${event.modelversion}`] : []));
    expect(new Set(masks)).toEqual(new Set([whole.summary.model]));
  }, 120_000);

  test('a slide with too few runs as it would without a fit, and says so', async () => {
    const config = { 'patch-size': 512 };
    const { out, summary } = await segmented(config);
    expect(normNote(summary)).toMatch(
      /^norms are not fitted to this slide: \d+ patches are .*, 16 are the least; .*own/,
    );
    const { version } = await loadBundle(model);
    expect(summary.model).toBe(`formula@${version}`);
    const said = await saidBy({ ...config, fresh: false }, out);
    expect(said).toEqual([]);
    expect(await saidBy({ ...config, fresh: true }, out)).toEqual([expect.stringMatching(/waits for 20 patches/)]);
  }, 120_000);
});

describe('a restart', () => {
  /** Starts a slide and stops it when some masks are out. */
  async function interrupted(out: string): Promise<void> {
    const parts = await partsWith({ ...fit, out });
    const stop = new AbortController();
    let seen = 0;
    const { bus } = parts;
    const counted: Parts = {
      ...parts,
      bus: {
        ...bus,
        description: bus.description,
        connected: true,
        subscribe: bus.subscribe.bind(bus),
        close: bus.close.bind(bus),
        publish: async (event, signal) => {
          await bus.publish(event, signal);
          if (event.type === 'stromaflow.mask.v1' && ++seen === 30) stop.abort();
        },
      },
    };
    const task = { path: slide, id: ID, open: () => openSlide(slide, { id: ID }) };
    const result = await lastValueFrom(segmentSlides(of(task), counted, stop.signal));
    await parts.close();
    expect(result).toMatchObject({ state: 'interrupted' });
  }

  test('goes on with the statistics that are kept, and ends with the same mask', async () => {
    const out = await emptyFolder();
    await interrupted(out);
    const before = await stat(statisticsIn(out));
    const resumed = await segmented({}, out);
    expect(resumed.mask).toEqual(whole.mask);
    expect(resumed.summary.timings.patchesResumed).toBeGreaterThanOrEqual(30);
    expect((await stat(statisticsIn(out))).mtimeMs).toBe(before.mtimeMs);
    // Fitted by something else in between, it is another run: masks of two fits are never one slide's.
    const again = await segmented({ patches: N + 10 }, out);
    expect(again.summary.model).not.toBe(whole.summary.model);
    expect(again.summary.timings.patchesResumed).toBe(0);
  }, 120_000);

  test('after kill -9 too', async () => {
    const out = await emptyFolder();
    const options = ['--engine', 'cpu', '--model', model, '--margin', '0', '--fit-norm', 'slide', '--patches', `${N}`];
    const args = ['watch', join(root, 'scans'), '--out', out, '--port', '0', '--settle', '0.1', '--poll', '0.1'];
    await mkdir(join(root, 'scans'));
    await copyFile(slide, join(root, 'scans', `${ID}.tif`));
    const first = startCli([...args, ...options]);
    await first.printed('norms are fitted to this slide');
    first.process.kill('SIGKILL');
    await first.finished;
    const kept = await readFile(statisticsIn(out));
    const second = startCli([...args, ...options]);
    await second.printed('patches segmented');
    second.process.kill('SIGINT');
    const { stdout } = await second.finished;
    expect(stdout).not.toContain('waits for');
    expect(await readFile(statisticsIn(out))).toEqual(kept);
    expect(await maskOf(out, ID)).toEqual(whole.mask);
  }, 120_000);

  test('of a file that another scan was written into fits anew', async () => {
    const out = await emptyFolder();
    const path = join(out, 'slide.tif');
    const identity = async () => growthOf(await openSlide(path))!.identity;
    await writeFile(path, tissue(160));
    const [first, before] = [await segmented({}, out, path, 'slide'), await identity()];
    const compiled = (await stat(join(out, '.norms', 'compiled'))).mtimeMs;
    const again = await segmented({}, out, path, 'slide').catch(error => error.message as string);
    expect(again).toMatch(/done-before/);
    // Not even an engine was started for it.
    expect((await stat(join(out, '.norms', 'compiled'))).mtimeMs).toBe(compiled);
    await writeFile(path, tissue(120));
    expect(await identity()).toBe(before);
    const second = await segmented({}, out, path, 'slide');
    expect(second.summary.model).not.toBe(first.summary.model);
    expect(normNote(second.summary)).toMatch(/fitted to this slide by its first 20/);
  }, 120_000);
});

describe('slides of a scanner are fitted together', () => {
  const scanner = { 'fit-norm': 'scanner' } as const;

  test('each by those before it, the last most; and none twice', async () => {
    const out = await emptyFolder();
    const path = join(out, 'other.tif');
    await writeFile(path, tissue(130));
    const a = await segmented(scanner, out);
    const b = await segmented({ ...scanner }, out, path, 'other');
    expect(normNote(a.summary)).toMatch(/fitted to scanner site--scanner by 1 slide, this one by its first 20/);
    expect(normNote(b.summary)).toMatch(/by 2 slides, this one by its first 20/);
    const [first, both] = [await readMoments(statisticsIn(out)), await readMoments(statisticsIn(out, 'other'))];
    const alone = await readMoments(statisticsIn((await segmented({}, undefined, path, 'other')).out, 'other'));
    const mixed = blend({ norms: first.norms, patches: N }, { norms: alone.norms, patches: N });
    for (const [i, { mean, variance }] of both.norms.entries()) {
      mean.forEach((value, group) => void expect(value).toBeCloseTo(mixed.norms[i]!.mean[group]!, 4));
      variance.forEach((value, group) => void expect(value).toBeCloseTo(mixed.norms[i]!.variance[group]!, 4));
    }
    expect(both.metadata['patches']).toBe('36');
    const once = await segmented({ ...scanner, fresh: true }, out, path, 'other');
    expect(normNote(once.summary)).toMatch(/by 2 slides/);
    expect(once.summary.model).toBe(b.summary.model);
  }, 120_000);
});

describe('a model without norms to fit is refused in one line', () => {
  const refusal = (config: Partial<Config>) =>
    emptyFolder()
      .then(out => partsWith({ ...fit, ...config, out }))
      .then(parts => parts.close().then(() => undefined))
      .catch(({ code, line }) => `${code} ${line}`);

  test('a network without such norms, a ready graph, an int8 bundle, no model at all', async () => {
    expect(await refusal({})).toBeUndefined();
    const plain = await makeBundle({ config: SMALL });
    expect(await refusal({ model: plain })).toMatch(/^MODEL_UNSUPPORTED --fit-norm: .* no group and no instance norms/);
    const ready = new URL('../golden/model_ready/logits-opset11.onnx', import.meta.url).pathname;
    expect(await refusal({ model: ready })).toMatch(
      /^MODEL_UNSUPPORTED --fit-norm: .*ready ONNX.*leave --fit-norm off/,
    );
    const int8 = join(root, 'int8');
    await quantiseBundle(model, int8, { patches: firstFull(N), threads: 1 });
    expect(await refusal({ model: int8 })).toMatch(/^MODEL_UNSUPPORTED --fit-norm: .*is quantised/);
    expect(await refusal({ patches: 201 })).toMatch(/^CONFIG_INVALID --fit-norm takes up to 200 patches, not 201/);
    expect(await refusal({ engine: 'null' })).toMatch(/^MODEL_UNSUPPORTED the engine null runs no model/);
  }, 60_000);
});
