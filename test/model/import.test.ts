import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SEEN_FILE } from '#src/evaluate/seen.js';
import { loadBundle } from '#src/model/bundle.js';
import { importBundle } from '#src/model/import.js';
import { SafetensorsFile } from '#src/model/safetensors.js';
import { formulaWeights, makeBundle, SMALL } from '../support/formula-weights.js';

const READY = new URL('../golden/model_ready/', import.meta.url).pathname;
let root: string;
let saved: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'import-'));
  saved = await makeBundle({ config: SMALL, manifest: null }, join(root, 'saved'));
});
afterAll(() => rm(root, { recursive: true }));

test("a folder of smp's becomes a bundle that states what was given", async () => {
  const target = join(root, 'deep', 'stroma-v2');
  const manifest = { version: '2.1.0', spacing: 0.25, threshold: 0.4, licence: 'CC-BY-4.0' };
  const bundle = await importBundle(saved, target, { manifest });
  expect(bundle).toMatchObject({
    ...manifest,
    name: 'stroma-v2',
    path: target,
    version: expect.stringMatching(/^2\.1\.0\+/),
  });
  expect(bundle.assumed).not.toContain('spacing');
  expect(bundle.assumed).toContain('provenance');
  expect((await readdir(target)).sort()).toEqual(['config.json', 'model.safetensors', 'stromaflow.json']);
  const copied = await readFile(join(target, 'model.safetensors'));
  expect(copied.equals(await readFile(join(saved, 'model.safetensors')))).toBe(true);
  expect(await readdir(join(root, 'deep'))).toEqual(['stroma-v2']);
});

test('a copy keeps the list of images that the model was trained on', async () => {
  const source = await makeBundle({ config: SMALL });
  const list = `${'a'.repeat(64)}  images/a.png\n`;
  await writeFile(join(source, SEEN_FILE), list);
  for (const half of [false, true]) {
    const { path } = await importBundle(source, join(root, `seen-${half}`), { half });
    expect(await readFile(join(path, SEEN_FILE), 'utf8')).toBe(list);
  }
});

test('half precision halves the weights and rounds them', async () => {
  const target = join(root, 'half');
  await importBundle(saved, target, { half: true });
  const size = async (folder: string) => (await stat(join(folder, 'model.safetensors'))).size;
  expect(await size(target)).toBeLessThan(0.52 * (await size(saved)));
  const file = await SafetensorsFile.open(join(target, 'model.safetensors'));
  const values = await file.read('encoder.conv1.weight');
  await file.close();
  const exact = formulaWeights('encoder.conv1.weight', [64, 3, 7, 7]);
  expect(Math.max(...values.map((value, i) => Math.abs(value - exact[i]!)))).toBeLessThan(2 ** -12);
});

describe('a ready file', () => {
  test('brings the weights beside it', async () => {
    const target = join(root, 'external');
    const bundle = await importBundle(join(READY, 'external-opset18.onnx'), target, {
      manifest: { positiveClasses: [1] },
    });
    expect(bundle).toMatchObject({ patchSize: 64, positiveClasses: [1] });
    expect((await readdir(target)).sort()).toEqual([
      'external-opset18.onnx',
      'external-opset18.onnx.data',
      'stromaflow.json',
    ]);
  });

  test('has weights that are left as they are', async () => {
    const source = join(READY, 'logits-opset11.onnx');
    await expect(importBundle(source, join(root, 'h'), { half: true })).rejects.toMatchObject({ code: 'USAGE' });
  });
});

describe('refused', () => {
  test('a target that exists, unless it may be replaced', async () => {
    const target = join(root, 'taken');
    await mkdir(target);
    await writeFile(join(target, 'precious'), '');
    await expect(importBundle(saved, target)).rejects.toMatchObject({ code: 'USAGE' });
    expect(await readdir(target)).toEqual(['precious']);
    await importBundle(saved, target, { overwrite: true });
    expect(await readdir(target)).toContain('stromaflow.json');
    // Imported over itself with another threshold: the weights survive.
    const again = await importBundle(target, target, { overwrite: true, manifest: { threshold: 0.7 } });
    expect(again.threshold).toBe(0.7);
  });

  test('several classes without saying which is stroma, and what is not a model; nothing is left behind', async () => {
    const before = (await readdir(root)).sort();
    const softmax = join(READY, 'softmax-opset13.onnx');
    await expect(importBundle(softmax, join(root, 'x'))).rejects.toMatchObject({ code: 'MODEL_INVALID' });
    await expect(importBundle(join(root, 'none'), join(root, 'x'))).rejects.toMatchObject({ code: 'MODEL_NOT_FOUND' });
    await expect(importBundle(saved, join(root, 'x'), { manifest: { spacing: -1 } })).rejects.toMatchObject({
      code: 'MODEL_INVALID',
    });
    await expect(importBundle(saved, join(root, 'x'), { manifest: { patchSize: 100 } })).rejects.toMatchObject({
      code: 'MODEL_INVALID',
    });
    expect((await readdir(root)).sort()).toEqual(before);
  });

  test('a target in a file', async () => {
    const target = join(saved, 'config.json', 'x');
    await expect(importBundle(saved, target)).rejects.toMatchObject({ code: 'OUTPUT_FAILED' });
  });
});

test('given fields count as stated when loading', async () => {
  expect((await loadBundle(saved, undefined, { given: { threshold: 0.9 } })).threshold).toBe(0.9);
});
