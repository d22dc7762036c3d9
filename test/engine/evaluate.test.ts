import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Arena } from '#src/arena.js';
import { benchModelOnly } from '#src/engine/bench.js';
import { createSegmenter } from '#src/engine/create.js';
import { evaluateImage } from '#src/engine/evaluate.js';
import { makeBundle, SMALL } from '../support/formula-weights.js';

let root: string;
let model: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'evaluate-'));
  model = await makeBundle({ config: SMALL }, join(root, 'model'));
});
afterAll(() => rm(root, { recursive: true }));

const grey = (width: number, height: number) => ({
  pixels: new Uint8Array(width * height * 3).fill(150),
  width,
  height,
});
const options = () => ({ engine: 'cpu', threads: 1, cacheFolder: join(root, 'cache') });

test('layers come in the order asked for, with the sizes the network gives them', async () => {
  const layers = ['decoder.blocks.0', 'encoder.layer2', 'encoder.relu'];
  const { outputs, engine } = await evaluateImage(model, grey(64, 96), { ...options(), layers });
  expect(outputs.map(({ name, shape }) => [name, shape])).toEqual([
    ['logits', [1, 1, 96, 64]],
    ['decoder.blocks.0', [1, 16, 24, 16]],
    ['encoder.layer2', [1, 128, 12, 8]],
    ['encoder.relu', [1, 64, 48, 32]],
  ]);
  for (const { shape, values } of outputs) expect(values).toHaveLength(shape.reduce((a, b) => a * b));
  expect(engine).toMatch(/^onnxruntime \S+ \(cpu\)$/);
});

test('looking at layers does not change the logits beyond rounding', async () => {
  const plain = await evaluateImage(model, grey(32, 32), options());
  const looked = await evaluateImage(model, grey(32, 32), { ...options(), layers: ['decoder.blocks.1'] });
  const apart = plain.outputs[0]!.values.map((value, i) => Math.abs(value - looked.outputs[0]!.values[i]!));
  expect(Math.max(...apart)).toBeLessThan(1e-5);
});

test('both families agree on several classes, to the probability byte', async () => {
  const config = { ...SMALL, classes: 3 };
  const several = await makeBundle(
    { config, manifest: { positiveClasses: [2], threshold: 0.3 } },
    join(root, 'several'),
  );
  const arena = new Arena({ slots: 1, patchSize: 64 });
  arena.slot(0).set(Uint8Array.from({ length: arena.slotBytes }, (_, i) => Math.imul(i, 2654435761) >>> 24));
  const [ort, tfjs] = await Promise.all(
    ['cpu', 'tfjs-wasm'].map(async engine => {
      const segmenter = await createSegmenter({
        ...options(),
        engine,
        model: several,
        arena,
        batch: 1,
        probabilities: true,
      });
      const { bits, counts, probabilities } = await segmenter.segment([0]);
      await segmenter.close();
      return { bits: bits[0]!, count: counts[0]!, probabilities: probabilities![0]! };
    }),
  );
  expect(tfjs!.bits).toEqual(ort!.bits);
  expect(tfjs!.count).toBe(ort!.count);
  expect(ort!.count % 4096).toBeGreaterThan(0);
  expect(Math.max(...tfjs!.probabilities.map((p, i) => Math.abs(p - ort!.probabilities[i]!)))).toBeLessThanOrEqual(1);
});

test('an aborted evaluation rejects with the reason', async () => {
  const reason = new Error('enough');
  await expect(evaluateImage(model, grey(32, 32), { ...options(), signal: AbortSignal.abort(reason) })).rejects.toBe(
    reason,
  );
  const controller = new AbortController();
  const running = evaluateImage(model, grey(32, 32), { ...options(), signal: controller.signal });
  setImmediate(() => controller.abort(reason));
  await expect(running).rejects.toBe(reason);
});

test('pixels that are not as many as the size says are a mistake', async () => {
  await expect(evaluateImage(model, { ...grey(32, 32), pixels: new Uint8Array(7) }, options())).rejects.toThrow(
    RangeError,
  );
});

test('a ready graph cannot be run by TensorFlow.js, and is told so', async () => {
  const ready = new URL('../golden/model_ready/logits-opset11.onnx', import.meta.url).pathname;
  await expect(evaluateImage(ready, grey(64, 64), { ...options(), engine: 'tfjs-wasm' })).rejects.toMatchObject({
    code: 'MODEL_UNSUPPORTED',
    message: expect.stringContaining('TensorFlow.js'),
  });
});

test('model-only speed counts every patch of every batch', async () => {
  const arena = new Arena({ slots: 4, patchSize: 32 });
  const segmenter = await createSegmenter({ engine: 'null', model: '', arena, batch: 4, threads: 1 });
  const { patchesPerSecond, seconds, secondsPerPatch } = await benchModelOnly(segmenter, 6);
  await segmenter.close();
  expect(patchesPerSecond * seconds).toBeCloseTo(24);
  expect(secondsPerPatch * 24).toBeCloseTo(seconds);
});
