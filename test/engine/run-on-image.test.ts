import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { evaluateImage } from '#src/engine/evaluate.js';
import { readRgb, runOnImage } from '#src/engine/run-on-image.js';
import { makeBundle, SMALL } from '../support/formula-weights.js';
import { goldenPatch } from './parity.js';

let root: string;
let model: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'image-'));
  model = await makeBundle({ config: SMALL }, join(root, 'model'));
});
afterAll(() => rm(root, { recursive: true }));

const options = () => ({ engine: 'cpu', threads: 1, cacheFolder: join(root, 'cache') });
const picture = async (width: number, height: number, channels: 3 | 4 = 3) => {
  const path = join(root, `${width}x${height}x${channels}.png`);
  const data = Uint8Array.from({ length: width * height * channels }, (_, i) => (i * 7) % 256);
  await sharp(data, { raw: { width, height, channels } }).png().toFile(path);
  return { path, data };
};

test('a picture that is not square gives logits of its size, row after row', async () => {
  const { path, data } = await picture(96, 32);
  const out = join(root, 'logits.npy');
  const { outputs, engine, seconds } = await runOnImage(model, path, out, options());
  expect(outputs[0]).toMatchObject({ name: 'logits', shape: [1, 1, 32, 96] });
  expect(engine).toMatch(/^onnxruntime/);
  expect(seconds).toBeGreaterThan(0);
  const file = await readFile(out);
  expect(file.toString('latin1', 0, 120)).toContain("'shape': (1, 1, 32, 96)");
  expect(new Float32Array(Uint8Array.from(file.subarray(-32 * 96 * 4)).buffer)).toEqual(outputs[0]!.values);
  const direct = await evaluateImage(model, { pixels: data, width: 96, height: 32 }, options());
  expect(direct.outputs[0]!.values).toEqual(outputs[0]!.values);
});

describe('pixels', () => {
  test('grey becomes RGB, transparency white', async () => {
    const grey = join(root, 'grey.png');
    await sharp(Uint8Array.of(0, 128, 200, 255), { raw: { width: 2, height: 2, channels: 1 } })
      .png()
      .toFile(grey);
    expect([...(await readRgb(grey)).pixels]).toEqual([0, 0, 0, 128, 128, 128, 200, 200, 200, 255, 255, 255]);
    const clear = join(root, 'clear.png');
    await sharp(Uint8Array.of(9, 9, 9, 0), { raw: { width: 1, height: 1, channels: 4 } })
      .png()
      .toFile(clear);
    expect([...(await readRgb(clear)).pixels]).toEqual([255, 255, 255]);
  });

  test('of the golden patch survive a PNG', async () => {
    const { pixels, width, height } = await goldenPatch(64);
    const path = join(root, 'patch.png');
    await sharp(pixels, { raw: { width, height, channels: 3 } })
      .png()
      .toFile(path);
    expect((await readRgb(path)).pixels).toEqual(pixels);
  });
});

describe('refused', () => {
  test('a size the encoder cannot halve', async () => {
    const { path } = await picture(64, 40);
    await expect(runOnImage(model, path, join(root, 'x.npy'), options())).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('64 × 40'),
    });
  });

  test('a file that is no picture, an output that cannot be written, an unknown layer', async () => {
    const text = join(root, 'text.png');
    await writeFile(text, 'not a picture');
    await expect(runOnImage(model, text, join(root, 'x.npy'), options())).rejects.toMatchObject({
      code: 'FILE_NOT_FOUND',
    });
    const { path } = await picture(32, 32);
    await expect(runOnImage(model, path, join(path, 'x.npy'), options())).rejects.toMatchObject({
      code: 'OUTPUT_FAILED',
    });
    const layers = ['decoder.blocks.9'];
    await expect(runOnImage(model, path, join(root, 'x.npy'), { ...options(), layers })).rejects.toMatchObject({
      code: 'MODEL_UNSUPPORTED',
      fix: expect.stringContaining('decoder.blocks.0'),
    });
  });

  test('the null engine has no logits', async () => {
    const { path } = await picture(32, 32);
    await expect(runOnImage(model, path, join(root, 'x.npy'), { engine: 'null' })).rejects.toMatchObject({
      code: 'USAGE',
    });
  });
});
