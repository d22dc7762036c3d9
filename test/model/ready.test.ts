import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Arena } from '#src/arena.js';
import { createSegmenter } from '#src/engine/create.js';
import { evaluateImage } from '#src/engine/evaluate.js';
import { StromaflowError } from '#src/errors.js';
import { loadBundle } from '#src/model/bundle.js';
import { readOnnx } from '#src/model/onnx/ready.js';
import { compare, goldenPatch, openGolden } from '../engine/parity.js';

/** Ready .onnx files as PyTorch exports them; see test/golden/model_golden.py. */
const READY = new URL('../golden/model_ready/', import.meta.url).pathname;
const FILES = ['logits-opset11', 'sigmoid-batch2-opset17', 'softmax-opset13', 'external-opset18'] as const;

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'ready-'));
});
afterAll(() => rm(root, { recursive: true }));

/** A bundle folder of one file (and its weights beside it) with a manifest. */
async function bundleOf(name: string, manifest: Record<string, unknown>): Promise<string> {
  const folder = await mkdtemp(join(root, 'bundle-'));
  await cp(join(READY, `${name}.onnx`), join(folder, 'lab.onnx'));
  if (name.startsWith('external')) await cp(join(READY, `${name}.onnx.data`), join(folder, `${name}.onnx.data`));
  await writeFile(join(folder, 'stromaflow.json'), JSON.stringify({ patchSize: 64, ...manifest }));
  return folder;
}

const manifests = {
  'logits-opset11': { threshold: 0.3 },
  'sigmoid-batch2-opset17': { threshold: 0.6 },
  'softmax-opset13': { positiveClasses: [0, 2], threshold: 0.5 },
  'external-opset18': { positiveClasses: [1] },
};

test('what goes in and comes out is read from the file', async () => {
  const found = await Promise.all(FILES.map(name => readOnnx(join(READY, `${name}.onnx`))));
  expect(found).toMatchObject([
    {
      opset: 11,
      input: { name: 'input' },
      fixedBatch: null,
      fixedSide: null,
      outputs: 1,
      activation: null,
      external: [],
    },
    { opset: 17, input: { name: 'patches' }, fixedBatch: 2, fixedSide: 64, outputs: 1, activation: 'sigmoid' },
    { opset: 13, output: { name: 'output' }, fixedBatch: null, outputs: 3, activation: 'softmax' },
    { opset: 18, fixedBatch: 1, fixedSide: 64, outputs: 2, activation: null },
  ]);
  expect(found[3]!.external).toEqual([join(READY, 'external-opset18.onnx.data')]);
});

describe.each(FILES)('%s', name => {
  const classes = { 'logits-opset11': 1, 'sigmoid-batch2-opset17': 1, 'softmax-opset13': 3, 'external-opset18': 2 }[
    name
  ];
  const softmax = (scores: number[]) => {
    const exponentials = scores.map(Math.exp);
    const sum = exponentials.reduce((a, b) => a + b);
    return exponentials.map(value => value / sum);
  };
  /** The rule of docs/models.md, pixel by pixel. */
  const positive: Record<typeof name, (scores: number[]) => boolean> = {
    'logits-opset11': ([x]) => 1 / (1 + Math.exp(-x!)) > 0.3,
    'sigmoid-batch2-opset17': ([p]) => p! > 0.6,
    'softmax-opset13': ([a, , c]) => a! + c! > 0.5,
    'external-opset18': scores => softmax(scores)[1]! > 0.5,
  };

  test("gives PyTorch's numbers, and the mask they mean", async () => {
    const model = await bundleOf(name, manifests[name]);
    const cacheFolder = join(model, 'cache');
    const image = await goldenPatch(64);
    const golden = await openGolden();
    const expected = await golden.read(`ready/${name}`);
    await golden.close();
    const { outputs } = await evaluateImage(model, image, { engine: 'cpu', cacheFolder, threads: 1 });
    expect(outputs).toMatchObject([{ name: 'logits', shape: [1, classes, 64, 64] }]);
    expect(compare(outputs[0]!.values, expected).max).toBeLessThanOrEqual(1e-5);

    const arena = new Arena({ slots: 3, patchSize: 64 });
    for (const slot of [0, 2]) arena.slot(slot).set(image.pixels);
    const segmenter = await createSegmenter({ engine: 'cpu', model, arena, batch: 3, threads: 1, cacheFolder });
    const { bits, counts } = await segmenter.segment([0, 1, 2]);
    await segmenter.close();
    const mask = Array.from({ length: 4096 }, (_, pixel) =>
      positive[name](Array.from({ length: classes }, (_, c) => expected[c * 4096 + pixel]!)),
    );
    expect([...bits[2]!].flatMap(byte => [7, 6, 5, 4, 3, 2, 1, 0].map(bit => ((byte >> bit) & 1) === 1))).toEqual(mask);
    expect(bits[0]).toEqual(bits[2]);
    expect(counts[2]).toBe(mask.filter(Boolean).length);
    expect(counts[0]! > 0 && counts[0]! < 4096).toBe(true);
  });
});

describe('a bundle', () => {
  test('may be the file itself; its version covers the weights beside it', async () => {
    const folder = await bundleOf('external-opset18', manifests['external-opset18']);
    const bundle = await loadBundle(join(folder, 'lab.onnx'));
    expect(bundle).toMatchObject({
      name: 'lab',
      patchSize: 64,
      outputs: 2,
      scores: { activation: 'softmax', of: 'logits' },
    });
    const data = join(folder, 'external-opset18.onnx.data');
    const bytes = await readFile(data);
    bytes[0]! ^= 1;
    await writeFile(data, bytes);
    expect((await loadBundle(folder)).version).not.toBe(bundle.version);
    await rm(data);
    await expect(loadBundle(folder)).rejects.toMatchObject({
      code: 'MODEL_NOT_FOUND',
      message: expect.stringContaining('.onnx.data'),
    });
  });

  test('says what its scores are where the file cannot', async () => {
    const folder = await bundleOf('external-opset18', {
      positiveClasses: [0],
      activation: 'sigmoid',
      output: 'probabilities',
    });
    expect((await loadBundle(folder)).scores).toEqual({ activation: 'sigmoid', of: 'probabilities' });
    const wrong = await bundleOf('external-opset18', { positiveClasses: [0], activation: 'relu' });
    await expect(loadBundle(wrong)).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringContaining('"relu"'),
    });
  });

  test('of another patch size than its file takes is refused, by the manifest and by the arena', async () => {
    const wrong = await bundleOf('sigmoid-batch2-opset17', { patchSize: 512 });
    await expect(loadBundle(wrong)).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringContaining('takes 64 pixels'),
    });
    const model = await bundleOf('sigmoid-batch2-opset17', {});
    const arena = new Arena({ slots: 1, patchSize: 96 });
    await expect(
      createSegmenter({ engine: 'cpu', model, arena, batch: 1, threads: 1, cacheFolder: root }),
    ).rejects.toMatchObject({
      code: 'MODEL_UNSUPPORTED',
      message: expect.stringContaining('64'),
    });
    const image = { pixels: new Uint8Array(96 * 96 * 3), width: 96, height: 96 };
    await expect(evaluateImage(model, image, { engine: 'cpu', cacheFolder: root })).rejects.toMatchObject({
      code: 'MODEL_UNSUPPORTED',
    });
  });

  test('with several .onnx files must be told which', async () => {
    const folder = await bundleOf('logits-opset11', {});
    await cp(join(folder, 'lab.onnx'), join(folder, 'other.onnx'));
    await expect(loadBundle(folder)).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringContaining('several models'),
    });
    expect((await loadBundle(join(folder, 'other.onnx'))).name).toBe('other');
  });

  test('has no layers to look at', async () => {
    const model = await bundleOf('logits-opset11', {});
    const run = evaluateImage(model, await goldenPatch(64), { engine: 'cpu', cacheFolder: root, layers: ['down'] });
    await expect(run).rejects.toMatchObject({ code: 'MODEL_UNSUPPORTED' });
  });
});

describe('damaged files', () => {
  test.each([
    ['empty', 0],
    ['cut off in a weight', 900],
    ['cut off in a head', 9],
  ])('%s', async (_, length) => {
    const path = join(root, 'cut.onnx');
    await writeFile(path, (await readFile(join(READY, 'logits-opset11.onnx'))).subarray(0, length));
    await expect(readOnnx(path)).rejects.toMatchObject({ code: 'MODEL_INVALID' });
  });

  test('external data may not leave the folder', async () => {
    const path = join(root, 'escape.onnx');
    const bytes = await readFile(join(READY, 'external-opset18.onnx'), 'latin1');
    await writeFile(path, bytes.replaceAll('external-opset18.onnx.data', '../../../../../../etc/host'), 'latin1');
    await expect(readOnnx(path)).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringContaining('outside the folder'),
    });
  });

  test('any byte changed: read or refused, never worse', async () => {
    const sound = await readFile(join(READY, 'softmax-opset13.onnx'));
    const path = join(root, 'changed.onnx');
    await fc.assert(
      fc.asyncProperty(fc.nat(sound.length - 1), fc.nat(255), async (position, value) => {
        const bytes = Uint8Array.from(sound);
        bytes[position] = value;
        await writeFile(path, bytes);
        await readOnnx(path).catch((error: unknown) => {
          expect(error).toBeInstanceOf(StromaflowError);
        });
      }),
      { numRuns: 300 },
    );
  });
});
