import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Arena } from '#src/arena.js';
import { createSegmenter } from '#src/engine/create.js';
import { evaluateImage } from '#src/engine/evaluate.js';
import { probeEngines } from '#src/engine/probe.js';
import { type Quantised, quantiseBundle } from '#src/engine/quantise.js';
import { loadBundle } from '#src/model/bundle.js';
import { compileBundle } from '#src/model/onnx/compile.js';
import { PORTS } from '#src/model/onnx/surround.js';
import { makeBundle, SMALL } from '../support/formula-weights.js';
import { goldenCases, goldenPatch } from './parity.js';

const SIDE = 64;
let root: string;
let cacheFolder: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'quantise-'));
  cacheFolder = join(root, 'cache');
});
afterAll(() => rm(root, { recursive: true }));

/** The committed H&E patch cut into pieces of 64 px. */
async function* pieces(most = 24) {
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

async function quantised(name: string, config: Readonly<Record<string, unknown>>): Promise<[string, Quantised]> {
  const source = await makeBundle({ config }, join(root, name));
  return [
    source,
    await quantiseBundle(source, join(root, `${name}-int8`), { patches: pieces(), threads: 2, cacheFolder }),
  ];
}

const cases = await goldenCases();
describe('an int8 bundle', () => {
  test.each([
    'fpn-resnet34-64px',
    'unet-resnet34-64px',
    'unet-vgg16-64px',
    'unet-scse',
    'unet-instancenorm',
    'fpn-cat',
    'fpn-bicubic',
  ])('%s: logits near those of float32, computed on bytes as the graph means it', async name => {
    const [, { bundle, calibratedOn, comparison }] = await quantised(name, cases[name]!.config);
    expect(bundle.name).toBe('formula-int8');
    expect([calibratedOn, comparison.patches]).toEqual([18, 6]);
    expect(comparison.largest).toBeGreaterThan(0);
    const image = { pixels: (await pieces(1).next()).value!, width: SIDE, height: SIDE };
    const { outputs } = await evaluateImage(bundle.path, image, { engine: 'cpu', cacheFolder, threads: 1 });
    const spread = Math.max(...outputs[0]!.values.map(Math.abs));
    expect(comparison.mean).toBeLessThan(spread * 0.1);
    // Without onnxruntime's optimisations every step is done in float32 on numbers rounded to bytes and back.
    const path = await compileBundle(bundle, { cacheFolder });
    const session = await InferenceSession.create(path, { graphOptimizationLevel: 'disabled' });
    const feed = { [PORTS.patches]: new Tensor('uint8', image.pixels, [1, SIDE, SIDE, 3]) };
    const slow = (await session.run(feed, [PORTS.logits]))[PORTS.logits]!.data as Float32Array;
    await session.release();
    const apart = slow.reduce((sum, value, i) => sum + Math.abs(value - outputs[0]!.values[i]!), 0) / slow.length;
    // A value at the edge of two bytes falls to one or the other; sums that do not fit would be ten times as far.
    expect(apart).toBeLessThan(spread * 0.05);
  });

  test('segments batches on the engine cpu, under a version of its own', async () => {
    const [source, { bundle }] = await quantised('batches', SMALL);
    expect(bundle.version).not.toBe((await loadBundle(source)).version);
    const arena = new Arena({ slots: 3, patchSize: SIDE });
    let slot = 0;
    for await (const piece of pieces(3)) arena.slot(slot++).set(piece);
    const segmenter = await createSegmenter({
      engine: 'cpu',
      model: bundle.path,
      arena,
      batch: 3,
      threads: 1,
      cacheFolder,
    });
    const together = await segmenter.segment([0, 1, 2]);
    const alone = await segmenter.segment([1]);
    expect(segmenter.info).toMatchObject({ model: 'formula-int8', modelVersion: bundle.version });
    expect(alone.bits[0]).toEqual(together.bits[1]);
    await segmenter.close();
  });

  test('is refused by other engines, in half precision and layer by layer, each with what to do instead', async () => {
    const [, { bundle }] = await quantised('refused', SMALL);
    const [probe] = await probeEngines({ model: bundle.path, engines: ['tfjs-wasm'], cacheFolder });
    expect(probe).toMatchObject({ found: false, why: expect.stringContaining('int8, for --engine cpu only') });
    const unsupported = { code: 'MODEL_UNSUPPORTED' };
    await expect(compileBundle(bundle, { cacheFolder, half: true })).rejects.toMatchObject(unsupported);
    await expect(compileBundle(bundle, { cacheFolder, layers: ['decoder.blocks.0'] })).rejects.toMatchObject(
      unsupported,
    );
  });
});

describe('what cannot be quantised', () => {
  const options = () => ({ patches: pieces(), threads: 1, cacheFolder });

  test('a ready graph', async () => {
    const ready = new URL('../golden/model_ready/logits-opset11.onnx', import.meta.url).pathname;
    await expect(quantiseBundle(ready, join(root, 'x'), options())).rejects.toMatchObject({
      code: 'MODEL_UNSUPPORTED',
    });
  });

  test('what is quantised already', async () => {
    const [, { bundle }] = await quantised('twice', SMALL);
    const again = quantiseBundle(bundle.path, join(root, 'y'), options());
    await expect(again).rejects.toMatchObject({ code: 'MODEL_UNSUPPORTED', message: /quantised already/ });
  });

  test('with too few patches, and nothing is left behind', async () => {
    const source = await makeBundle({ config: SMALL }, join(root, 'few'));
    const few = quantiseBundle(source, join(root, 'few-int8'), { ...options(), patches: pieces(7) });
    await expect(few).rejects.toMatchObject({ code: 'USAGE', message: /7 patches/ });
    await expect(loadBundle(join(root, 'few-int8'))).rejects.toMatchObject({ code: 'MODEL_NOT_FOUND' });
  });

  test('when it is interrupted', async () => {
    const source = await makeBundle({ config: SMALL }, join(root, 'stopped'));
    const signal = AbortSignal.abort();
    const stopped = quantiseBundle(source, join(root, 'stopped-int8'), { ...options(), signal });
    await expect(stopped).rejects.toMatchObject({ name: 'AbortError' });
  });
});
