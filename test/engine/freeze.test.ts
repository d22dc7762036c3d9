import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Arena } from '#src/arena.js';
import { createSegmenter } from '#src/engine/create.js';
import { evaluateImage } from '#src/engine/evaluate.js';
import { type FreezeOptions, freezeBundle } from '#src/engine/freeze.js';
import { quantiseBundle } from '#src/engine/quantise.js';
import { loadBundle } from '#src/model/bundle.js';
import { simplify } from '#src/model/graph/simplify.js';
import { importBundle } from '#src/model/import.js';
import { bytePlaces } from '#src/model/int8/places.js';
import { graphOf } from '#src/model/norm/network.js';
import { LEAST_NORM_PATCHES, NORM_STATISTICS, writeNormStatistics } from '#src/model/norm/statistics.js';
import { SafetensorsFile } from '#src/model/safetensors.js';
import { writeSafetensors } from '#src/model/safetensors-write.js';
import { makeBundle, SMALL } from '../support/formula-weights.js';
import { emptyFolder } from '../support/paths.js';
import { compare, goldenCases, goldenPatch } from './parity.js';

const SIDE = 64;
/** As many as test/golden/norm_golden.py takes. */
const PATCHES = 24;
const GOLDEN = new URL('../golden/norm_golden.safetensors', import.meta.url).pathname;
const CASES = ['fpn-resnet34-64px', 'fpn-cat', 'fpn-bicubic', 'unet-instancenorm'] as const;
const SOURCE = { files: 1, from: ['slide.svs'], spacing: 0.5, patchSize: SIDE };
const cases = await goldenCases();

let root: string;
let cacheFolder: string;
/** Bundles of the golden cases, frozen. */
const frozen = new Map<string, string>();
beforeAll(async () => {
  root = await emptyFolder();
  cacheFolder = join(root, 'cache');
  for (const name of CASES) {
    const path = await makeBundle({ config: cases[name]!.config }, join(root, name));
    await freezeBundle(path, options());
    frozen.set(name, path);
  }
}, 600_000);
afterAll(() => rm(root, { recursive: true }));

/** The committed H&E patch cut into pieces of 64 px, row by row. */
async function* pieces(most = PATCHES) {
  const { pixels, width } = await goldenPatch();
  for (let i = 0; i < most; i++) {
    const [left, top] = [(i % 8) * SIDE, Math.floor(i / 8) * SIDE];
    const piece = new Uint8Array(SIDE * SIDE * 3);
    for (let y = 0; y < SIDE; y++) {
      const start = ((top + y) * width + left) * 3;
      piece.set(pixels.subarray(start, start + SIDE * 3), y * SIDE * 3);
    }
    yield piece;
  }
}
const firstPiece = async () => ({ pixels: (await pieces(1).next()).value!, width: SIDE, height: SIDE });

const options = (given: Partial<FreezeOptions> = {}): FreezeOptions => ({
  ...{ patches: pieces(), patchSize: SIDE, all: true, threads: 2, source: () => SOURCE, cacheFolder },
  ...given,
});

const copyOf = async (name: string): Promise<string> => {
  const path = await emptyFolder();
  await cp(frozen.get(name)!, path, { recursive: true });
  return path;
};

describe.each(CASES)('%s', name => {
  test("its statistics are PyTorch's", async () => {
    const golden = await SafetensorsFile.open(GOLDEN);
    const made = await SafetensorsFile.open(join(frozen.get(name)!, NORM_STATISTICS));
    const names = [...golden.tensors.keys()].filter(key => key.startsWith(`${name}/`) && !key.endsWith('/logits'));
    expect([...made.tensors.keys()].sort()).toEqual(names.map(key => key.slice(name.length + 1)).sort());
    for (const key of names) {
      const [expected, found] = [await golden.read(key), await made.read(key.slice(name.length + 1))];
      const scale = Math.max(...expected.map(Math.abs));
      expect(scale).toBeGreaterThan(0.05);
      expect(compare(found, expected).max).toBeLessThan(1e-4 * Math.max(1, scale));
    }
    await golden.close();
    await made.close();
  });

  test.each(['cpu', 'tfjs-wasm', ...(name === 'fpn-cat' ? ['tfjs-cpu'] : [])])(
    'frozen by them it equals PyTorch: %s',
    async engine => {
      const golden = await SafetensorsFile.open(GOLDEN);
      const expected = await golden.read(`${name}/logits`);
      await golden.close();
      const run = { engine, cacheFolder, threads: 2 };
      const { outputs } = await evaluateImage(frozen.get(name)!, await firstPiece(), run);
      const { values } = outputs[0]!;
      const step = (values.length - 1) / (expected.length - 1);
      const picked = Float32Array.from(expected, (_, i) => values[Math.floor(i * step)]!);
      const { max, flipped } = compare(picked, expected);
      expect(max).toBeLessThanOrEqual(1e-3);
      expect(flipped).toBe(0);
      // By its own statistics it is another picture.
      const own = await evaluateImage(frozen.get(name)!, await firstPiece(), { ...run, norm: 'patch' });
      expect(compare(own.outputs[0]!.values, values).max).toBeGreaterThan(0.05);
    },
  );

  test('no node normalises by the patch, in float32, float16 or int8', async () => {
    const { network } = await loadBundle(frozen.get(name)!);
    const graph = simplify(graphOf(network as never));
    expect(graph.nodes.some(({ op }) => op === 'groupNorm')).toBe(false);
    const image = await firstPiece();
    const run = (half: boolean) => evaluateImage(frozen.get(name)!, image, { engine: 'cpu', cacheFolder, half });
    const [full, half] = [await run(false), await run(true)].map(({ outputs }) => outputs[0]!.values);
    expect(compare(half!, full!).max).toBeLessThan(0.02);
  });
});

test('a mask depends on what a pixel sees, and not on what else is in the patch', async () => {
  const config = { ...SMALL, decoder_use_norm: { type: 'instancenorm', affine: true } };
  const model = await makeBundle({ config }, join(root, 'far'));
  await freezeBundle(model, options());
  const image = await goldenPatch(256);
  const changed = { ...image, pixels: image.pixels.slice() };
  changed.pixels.fill(255, 224 * 256 * 3);
  // What this network of depth 3 makes of the first rows comes from less than 200 px around them.
  const far = async (norm: 'patch' | 'frozen') => {
    const run = { engine: 'cpu', cacheFolder, norm };
    const [a, b] = [await evaluateImage(model, image, run), await evaluateImage(model, changed, run)];
    const top = ({ outputs }: typeof a) => outputs[0]!.values.subarray(0, 256 * 8);
    return compare(top(a), top(b)).max;
  };
  expect(await far('patch')).toBeGreaterThan(0.01);
  expect(await far('frozen')).toBe(0);
});

describe('a bundle with statistics', () => {
  test('is frozen unless somebody wants it otherwise, and its version says which', async () => {
    const path = frozen.get('fpn-cat')!;
    const own = await loadBundle(path, undefined, { norm: 'patch' });
    const kept = await loadBundle(path);
    expect(kept.version).toMatch(/^1\.0\.0\+[0-9a-f]{8}\.frozen$/);
    expect(own.version).toMatch(/^1\.0\.0\+[0-9a-f]{8}$/);
    expect(own.contentHash).not.toBe(kept.contentHash);
    expect(kept.network).toMatchObject({ norms: { patches: PATCHES } });
    expect(own.network).not.toHaveProperty('norms');
    expect(kept.normStatistics).toEqual({ patches: PATCHES, ...SOURCE });
    const arena = new Arena({ slots: 1, patchSize: SIDE });
    for (const [norm, bundle] of [['patch', own] as const, [undefined, kept] as const]) {
      const segmenter = await createSegmenter({
        engine: 'cpu',
        model: path,
        norm,
        arena,
        batch: 1,
        threads: 1,
        cacheFolder,
      });
      expect(segmenter.info.modelVersion).toBe(bundle.version);
      await segmenter.close();
    }
  });

  test('has its weights and configuration untouched, and nothing half written beside them', async () => {
    const path = await makeBundle({ config: cases['fpn-cat']!.config });
    const read = (folder: string, name: string) => readFile(join(folder, name));
    for (const name of ['model.safetensors', 'config.json'])
      expect((await read(frozen.get('fpn-cat')!, name)).equals(await read(path, name))).toBe(true);
    expect((await readdir(frozen.get('fpn-cat')!)).sort()).toEqual(
      ['config.json', 'model.safetensors', NORM_STATISTICS, 'stromaflow.json'].sort(),
    );
  });

  test('keeps them when it is imported, as float16 too', async () => {
    for (const half of [false, true]) {
      const bundle = await importBundle(frozen.get('fpn-cat')!, join(root, `imported-${half}`), { half });
      expect(bundle.version).toMatch(/\.frozen$/);
      expect(bundle.network).toMatchObject({ norms: { patches: PATCHES } });
    }
  });

  test('is quantised without a float island between its convolutions, and is frozen for good then', async () => {
    const source = frozen.get('fpn-resnet34-64px')!;
    const made = await quantiseBundle(source, join(root, 'int8'), { patches: pieces(), threads: 2, cacheFolder });
    const { network } = made.bundle;
    if (network.kind !== 'smp') throw new Error('not a network');
    const places = bytePlaces(simplify(graphOf(network))).map(({ name }) => name);
    expect(places.some(name => name.includes('groupNorm'))).toBe(false);
    expect(places).toContain('decoder.seg_blocks.0.block.0.block.0/relu');
    const spread = Math.max(...(await logits(source)).map(Math.abs));
    expect(made.comparison.mean).toBeLessThan(spread * 0.1);
    await expect(loadBundle(made.bundle.path, undefined, { norm: 'patch' })).rejects.toMatchObject({
      code: 'MODEL_UNSUPPORTED',
      message: expect.stringContaining('quantised with frozen norms'),
    });
    // Ranges measured by the patch's own statistics are others.
    await rm(join(made.bundle.path, NORM_STATISTICS));
    await expect(loadBundle(made.bundle.path)).rejects.toMatchObject({ code: 'MODEL_INVALID', message: /range of/ });
  });

  const logits = async (path: string) =>
    (await evaluateImage(path, await firstPiece(), { engine: 'cpu', cacheFolder })).outputs[0]!.values;
});

describe('statistics are refused', () => {
  const refusal = async (path: string) => {
    const error = await loadBundle(path).then(
      () => undefined,
      error => error,
    );
    return `${error?.code} ${error?.message}`;
  };
  type Tensor = { name: string; shape: number[]; values: Float32Array };
  /** The bundle's statistics, changed. */
  async function spoilt(change: (tensors: Tensor[], metadata: Record<string, string>) => Tensor[]): Promise<string> {
    const path = await copyOf('fpn-cat');
    const file = await SafetensorsFile.open(join(path, NORM_STATISTICS));
    const tensors: Tensor[] = [];
    for (const { name, shape } of file.tensors.values())
      tensors.push({ name, shape: [...shape], values: await file.read(name) });
    const metadata = { ...file.metadata };
    await file.close();
    await writeSafetensors(join(path, NORM_STATISTICS), change(tensors, metadata), 'F32', metadata);
    return path;
  }
  const NAME = 'decoder.seg_blocks.0.block.0.block.1';

  test('of another architecture: too few, too many, of another shape', async () => {
    expect(await refusal(await spoilt(tensors => tensors.slice(1)))).toMatch(
      /^MODEL_TENSOR .*running_mean \[32\] is missing/,
    );
    const more = await spoilt(tensors => [...tensors, { ...tensors[0]!, name: 'decoder.other.running_mean' }]);
    expect(await refusal(more)).toMatch(/^MODEL_TENSOR .*no norm for the statistics decoder\.other\.running_mean/);
    const shorter = await spoilt(tensors => tensors.map(t => ({ ...t, shape: [16], values: t.values.slice(0, 16) })));
    expect(await refusal(shorter)).toMatch(/^MODEL_TENSOR .* is \[16\] but config.json makes it \[32\]/);
    const unet = await makeBundle({ config: SMALL });
    await cp(join(frozen.get('fpn-cat')!, NORM_STATISTICS), join(unet, NORM_STATISTICS));
    expect(await refusal(unet)).toMatch(/^MODEL_TENSOR .*the network has no norm/);
  });

  test('from too few patches, or of nobody knows how many', async () => {
    const few = await spoilt((tensors, metadata) => {
      metadata['patches'] = `${LEAST_NORM_PATCHES - 1}`;
      return tensors;
    });
    expect(await refusal(few)).toMatch(/^MODEL_INVALID .*from 15 patches; 16 are the least/);
    const silent = await spoilt((tensors, metadata) => {
      delete metadata['patches'];
      return tensors;
    });
    expect(await refusal(silent)).toMatch(/^MODEL_INVALID .*nobody says/);
  });

  test('with NaN, or a variance below 0', async () => {
    const set = (part: string, value: number) => (tensors: Tensor[]) => {
      tensors.find(({ name }) => name === `${NAME}.${part}`)!.values[5] = value;
      return tensors;
    };
    expect(await refusal(await spoilt(set('running_mean', Number.NaN)))).toMatch(
      /^MODEL_INVALID .*1\.running_mean holds NaN at 5/,
    );
    expect(await refusal(await spoilt(set('running_var', -0.25)))).toMatch(
      /^MODEL_INVALID .*1\.running_var holds -0.25 at 5, a variance below 0/,
    );
  });

  test('of other weights than those beside them', async () => {
    const path = await copyOf('fpn-cat');
    const other = await makeBundle({
      config: cases['fpn-cat']!.config,
      edit: tensors => {
        tensors[0]!.values[0]! += 1;
        return tensors;
      },
    });
    await cp(join(other, 'model.safetensors'), join(path, 'model.safetensors'));
    expect(await refusal(path)).toMatch(/^MODEL_INVALID .*taken with other weights/);
  });

  test('where there are none and frozen norms are wanted', async () => {
    const wanted = loadBundle(await makeBundle({ config: SMALL }), undefined, { norm: 'frozen' });
    await expect(wanted).rejects.toMatchObject({
      code: 'MODEL_UNSUPPORTED',
      fix: expect.stringContaining('model freeze'),
    });
  });
});

describe('what cannot be frozen', () => {
  test('a network without such norms, a ready graph, an int8 bundle', async () => {
    const ready = new URL('../golden/model_ready/logits-opset11.onnx', import.meta.url).pathname;
    const source = await makeBundle({ config: { ...SMALL, decoder_use_norm: { type: 'instancenorm', affine: true } } });
    const int8 = join(root, 'own-int8');
    await quantiseBundle(source, int8, { patches: pieces(8), threads: 1, cacheFolder });
    for (const path of [await makeBundle({ config: SMALL }), ready, int8])
      await expect(freezeBundle(path, options())).rejects.toMatchObject({ code: 'MODEL_UNSUPPORTED' });
  });

  test('what is frozen already, unless it is to be overwritten', async () => {
    const path = await copyOf('fpn-cat');
    await expect(freezeBundle(path, options())).rejects.toMatchObject({ code: 'USAGE', message: /exists/ });
    const again = await freezeBundle(path, options({ overwrite: true, patches: pieces(20) }));
    expect(again.patches).toBe(20);
    expect(again.bundle.network).toMatchObject({ norms: { patches: 20 } });
  });

  test('by too few patches, or by none that give numbers; and nothing is left behind', async () => {
    const path = await makeBundle({ config: cases['fpn-cat']!.config });
    const few = freezeBundle(path, options({ patches: pieces(LEAST_NORM_PATCHES - 1) }));
    await expect(few).rejects.toMatchObject({ code: 'USAGE', message: /15 patches .* too few/ });
    const large = await makeBundle({
      config: cases['fpn-cat']!.config,
      edit: tensors => {
        for (const { name, values } of tensors) if (/p5\.weight/.test(name)) values.fill(3e38);
        return tensors;
      },
    });
    await expect(freezeBundle(large, options())).rejects.toMatchObject({ code: 'MODEL_NOT_FINITE' });
    for (const folder of [path, large]) expect(await readdir(folder)).not.toContain(NORM_STATISTICS);
  });

  test('when it is interrupted', async () => {
    const path = await makeBundle({ config: cases['fpn-cat']!.config });
    const stopped = freezeBundle(path, options({ signal: AbortSignal.abort() }));
    await expect(stopped).rejects.toMatchObject({ name: 'AbortError' });
  });
});

test('it stops by itself when the statistics stand still', async () => {
  const path = await makeBundle({ config: cases['fpn-cat']!.config });
  async function* same() {
    const { value } = await pieces(1).next();
    for (;;) yield value!;
  }
  const errors: number[] = [];
  const { patches, error } = await freezeBundle(
    path,
    options({ all: false, patches: same(), onProgress: (_, off) => errors.push(off) }),
  );
  expect(error).toBeLessThan(1e-3);
  expect(patches).toBe(errors.length);
  expect(errors[0]).toBe(Number.POSITIVE_INFINITY);
  expect(patches).toBeGreaterThanOrEqual(LEAST_NORM_PATCHES);
});

test('what stromaflow.json says of the statistics has to be said wholly', async () => {
  const path = await copyOf('fpn-cat');
  const stated = JSON.parse(await readFile(join(path, 'stromaflow.json'), 'utf8'));
  await writeFile(join(path, 'stromaflow.json'), JSON.stringify({ ...stated, normStatistics: { patches: 3 } }));
  await expect(loadBundle(path)).rejects.toMatchObject({ code: 'MODEL_INVALID', message: /normStatistics/ });
});

test('statistics are written for the weights that they name', async () => {
  const path = await copyOf('fpn-cat');
  const file = await SafetensorsFile.open(join(path, NORM_STATISTICS));
  expect(file.metadata).toMatchObject({
    format: 'pt',
    patches: `${PATCHES}`,
    weights: expect.stringMatching(/^[0-9a-f]{64}$/),
  });
  await file.close();
  const target = join(path, 'again.safetensors');
  await writeNormStatistics(target, [], { patches: 20, weights: join(path, 'model.safetensors') });
  const again = await SafetensorsFile.open(target);
  expect(again.metadata['weights']).toBe(file.metadata['weights']);
  await again.close();
});
