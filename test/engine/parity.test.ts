import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { evaluateImage } from '#src/engine/evaluate.js';
import { makeBundle, STARTER } from '../support/formula-weights.js';
import { THOROUGH } from '../support/thorough.js';
import { compare, expectParity, goldenCases, goldenPatch, openGolden } from './parity.js';

/** The same weights and pixels through PyTorch (golden numbers) and through every engine that runs without a GPU. */
const cases = await goldenCases();
/** The three models of the study and every kind of layer, small: JavaScript takes seconds where others take none. */
const FEW = [
  'unet-vgg16-64px',
  'unet-resnet34-64px',
  'fpn-resnet34-64px',
  'fpn-cat',
  'fpn-bicubic',
  'unet-bilinear',
  'unet-scse',
  'unet-instancenorm',
];
/** Only where somebody has built it (docs/engines.md). */
const hasNode = isInstalled('@tensorflow/tfjs-node');
const ENGINES = [
  ...(hasNode ? [{ engine: 'tfjs-node', names: Object.keys(cases) }] : []),
  { engine: 'cpu', names: Object.keys(cases) },
  { engine: 'tfjs-wasm', names: THOROUGH ? Object.keys(cases) : FEW },
  { engine: 'tfjs-cpu', names: THOROUGH ? FEW : FEW.filter(name => !name.includes('vgg')) },
];

function isInstalled(name: string): boolean {
  try {
    createRequire(import.meta.url).resolve(name);
    return true;
  } catch {
    return false;
  }
}

let cacheFolder: string;
beforeAll(async () => {
  cacheFolder = await mkdtemp(join(tmpdir(), 'parity-'));
});
afterAll(() => rm(cacheFolder, { recursive: true }));

describe.each(ENGINES)('$engine equals PyTorch', ({ engine, names }) => {
  test.each(names)('%s', name => expectParity(name, cases[name]!, engine));
});

const ways = ['cpu', 'tfjs-wasm', ...(hasNode ? ['tfjs-node'] : [])].flatMap(engine => [
  { engine, norm: 'frozen', golden: 'norm_golden.safetensors' } as const,
  ...(THOROUGH || engine === 'cpu' ? [{ engine, norm: 'patch', golden: 'model_golden.safetensors' } as const] : []),
]);
test.each(ways)(
  'the starter model on a whole patch of the slide: $engine, $norm statistics',
  async ({ engine, norm, golden: file }) => {
    const { outputs } = await evaluateImage(STARTER, await goldenPatch(), { engine, norm, cacheFolder });
    const { values, shape } = outputs[0]!;
    expect(shape).toEqual([1, 1, 512, 512]);
    const golden = await openGolden(file);
    const grid = Float32Array.from({ length: 64 * 64 }, (_, i) => values[(i >> 6) * 8 * 512 + (i & 63) * 8]!);
    const { max, scale } = compare(grid, await golden.read('starter/logits'));
    await golden.close();
    expect(scale).toBeGreaterThan(4);
    expect(max).toBeLessThanOrEqual(1e-3);
  },
);

describe('half precision', () => {
  test.each(['fpn-resnet34-64px', 'unet-resnet34-64px', 'unet-vgg16-64px'])('%s stays near', async name => {
    const { side, config } = cases[name]!;
    const model = await makeBundle({ config }, join(cacheFolder, name));
    const image = await goldenPatch(side);
    const run = (half: boolean) => evaluateImage(model, image, { engine: 'cpu', cacheFolder, half });
    const [full, half] = [await run(false), await run(true)].map(({ outputs }) => outputs[0]!.values);
    const { max } = compare(half!, full!);
    expect(max).toBeGreaterThan(1e-4);
    expect(max).toBeLessThan(0.02);
  });
});
