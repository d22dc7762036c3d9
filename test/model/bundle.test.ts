import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadBundle } from '#src/model/bundle.js';
import type { TensorToWrite } from '#src/model/safetensors-write.js';
import { makeBundle, SMALL, STARTER } from '../support/formula-weights.js';

let root: string;
let sound: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'bundles-'));
  sound = await makeBundle({ config: SMALL }, join(root, 'sound'));
});
afterAll(() => rm(root, { recursive: true }));

let next = 0;
const folder = () => join(root, `bundle${next++}`);
/** A copy of the sound bundle with one JSON file changed. */
async function altered(file: string, changes: Readonly<Record<string, unknown>>): Promise<string> {
  const path = folder();
  await cp(sound, path, { recursive: true });
  const json = JSON.parse(await readFile(join(path, file), 'utf8')) as Record<string, unknown>;
  await writeFile(join(path, file), JSON.stringify({ ...json, ...changes }));
  return path;
}

test('the starter model', async () => {
  const bundle = await loadBundle(STARTER);
  expect(bundle).toMatchObject({
    name: 'stroma-fpn-resnet34-starter',
    version: expect.stringMatching(/^0\.1\.0\+[0-9a-f]{8}\.frozen$/),
    spacing: 0.5,
    patchSize: 512,
    threshold: 0.5,
    positiveClasses: [0],
    network: { kind: 'smp', architecture: { encoder: 'resnet34', decoder: { type: 'FPN' } } },
    assumed: [],
  });
  expect(bundle.version.endsWith(`${bundle.contentHash.slice(0, 8)}.frozen`)).toBe(true);
  expect(structuredClone(bundle)).toEqual(bundle);
});

test("a folder of smp's save_pretrained alone loads; what it does not say is assumed, and said so", async () => {
  const bundle = await loadBundle(await makeBundle({ config: SMALL, manifest: null }, join(root, 'lab-model')));
  expect(bundle).toMatchObject({ name: 'lab-model', spacing: 0.5, patchSize: 512, threshold: 0.5 });
  expect(bundle.input.mean).toEqual([0.485, 0.456, 0.406]);
  expect(bundle.assumed).toEqual(expect.arrayContaining(['spacing', 'patchSize', 'threshold', 'input', 'licence']));
});

test('half-precision weights and tensors nobody needs are fine', async () => {
  const counters = { name: 'encoder.bn1.num_batches_tracked', shape: [], values: Float32Array.of(7) };
  const path = await makeBundle({ config: SMALL, dtype: 'F16', edit: all => [...all, counters] }, folder());
  expect((await loadBundle(path)).network).toMatchObject({ architecture: { encoder: 'resnet18' } });
});

describe('the version', () => {
  test('is the same for the same bytes elsewhere', async () => {
    const copy = folder();
    await cp(sound, copy, { recursive: true });
    expect((await loadBundle(copy)).version).toBe((await loadBundle(sound)).version);
  });

  test('changes with the threshold, and with one weight', async () => {
    const versions = new Set([(await loadBundle(sound)).version]);
    versions.add((await loadBundle(await altered('stromaflow.json', { threshold: 0.4 }))).version);
    const nudge = (all: TensorToWrite[]) => {
      all[0]!.values[0]! += 1;
      return all;
    };
    versions.add((await loadBundle(await makeBundle({ config: SMALL, edit: nudge }, folder()))).version);
    expect(versions.size).toBe(3);
  });
});

describe('refused', () => {
  const code = (code: string, ...parts: string[]) =>
    expect.objectContaining({
      code,
      message: expect.stringMatching(parts.map(part => part.replace(/[[\]().]/g, '\\$&')).join('.*')),
    });

  test('a folder that is not there, a folder without model, a file', async () => {
    await expect(loadBundle(join(root, 'absent'))).rejects.toEqual(code('MODEL_NOT_FOUND', 'absent does not exist'));
    await expect(loadBundle(root)).rejects.toEqual(code('MODEL_NOT_FOUND', 'config.json cannot be read'));
    await expect(loadBundle(join(sound, 'config.json'))).rejects.toEqual(
      code('MODEL_NOT_FOUND', 'neither a bundle folder nor an .onnx file'),
    );
  });

  test('a PyTorch file, with the line to type', async () => {
    const path = join(root, 'best.pth');
    await writeFile(path, 'PK');
    const error = await loadBundle(path).catch((error: unknown) => error);
    expect(error).toEqual(code('MODEL_UNSUPPORTED', 'best.pth is a PyTorch file'));
    expect(error).toMatchObject({
      fix: expect.stringMatching(/^type: python -c ".*torch\.load\('best\.pth'.*save_pretrained/),
    });
  });

  test('weights of a deeper network of the family, which have all tensors of the shallower one', async () => {
    const path = await makeBundle({ config: { ...SMALL, encoder_name: 'resnet34' } }, folder());
    const config = JSON.parse(await readFile(join(path, 'config.json'), 'utf8')) as Record<string, unknown>;
    await writeFile(join(path, 'config.json'), JSON.stringify({ ...config, encoder_name: 'resnet18' }));
    await expect(loadBundle(path)).rejects.toThrow(
      code('MODEL_TENSOR', 'encoder.layer1.2.conv1.weight has no place in resnet18'),
    );
  });

  test('but stages that a shallower encoder keeps and does not run are fine', async () => {
    const stage = { name: 'encoder.layer4.1.conv2.weight', shape: [512], values: new Float32Array(512) };
    const head = { name: 'encoder.fc.weight', shape: [8], values: new Float32Array(8) };
    const path = await makeBundle({ config: SMALL, edit: all => [...all, stage, head] }, folder());
    expect((await loadBundle(path)).outputs).toBe(1);
  });

  test('an encoder whose name leaves open what images it wants, until the bundle says so', async () => {
    const config = { ...SMALL, encoder_name: 'tu-efficientnet_b1' };
    await expect(loadBundle(await makeBundle({ config }, folder()))).rejects.toThrow(
      code('MODEL_INVALID', 'come in two kinds'),
    );
    const input = { range: [0, 1], mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };
    const stated = await loadBundle(await makeBundle({ config, manifest: { input } }, folder()));
    expect(stated.input).toEqual(input);
    const tagged = { ...config, encoder_name: 'tu-efficientnet_b1.ft_in1k' };
    expect((await loadBundle(await makeBundle({ config: tagged }, folder()))).input.mean[0]).toBe(0.485);
    const lite = { ...config, encoder_name: 'tu-tf_efficientnet_lite0' };
    const assumed = await loadBundle(await makeBundle({ config: lite }, folder()));
    expect(assumed.input).toEqual(input);
    expect(assumed.assumed).toContain('input');
  });

  test('a tensor that is missing, by name and shape', async () => {
    const drop = (all: TensorToWrite[]) => all.filter(({ name }) => name !== 'encoder.layer1.0.conv1.weight');
    const path = await makeBundle({ config: SMALL, edit: drop }, folder());
    await expect(loadBundle(path)).rejects.toEqual(
      code('MODEL_TENSOR', 'encoder.layer1.0.conv1.weight [64, 64, 3, 3] is missing'),
    );
  });

  test('a tensor of another shape, with both shapes', async () => {
    const path = await altered('config.json', { decoder_channels: [16, 8, 4] });
    await expect(loadBundle(path)).rejects.toEqual(
      code('MODEL_TENSOR', 'decoder.blocks.2.conv1.0.weight is [8, 8, 3, 3] but config.json makes it [4, 8, 3, 3]'),
    );
  });

  test('weights cut off', async () => {
    const path = folder();
    await cp(sound, path, { recursive: true });
    const bytes = await readFile(join(path, 'model.safetensors'));
    await writeFile(join(path, 'model.safetensors'), bytes.subarray(0, bytes.length - 100));
    await expect(loadBundle(path)).rejects.toEqual(code('MODEL_INVALID', 'lies past the end of the file'));
  });

  test('JSON that is none', async () => {
    const path = folder();
    await cp(sound, path, { recursive: true });
    await writeFile(join(path, 'config.json'), '{');
    await expect(loadBundle(path)).rejects.toEqual(code('MODEL_INVALID', 'config.json: not JSON'));
  });

  test.each([
    ['spacing', 0],
    ['patchSize', 500],
    ['threshold', 1],
    ['classes', ['a', 'b']],
    ['positiveClasses', [1]],
    ['positiveClasses', []],
    ['input', { range: [0, 2], mean: [0, 0, 0], std: [1, 1, 1] }],
    ['input', { range: [0, 1], mean: [0, 0, 0], std: [1, 0, 1] }],
    ['input', { range: [0, 1], mean: [0, 0, 0], std: [1, 1, 1], space: 'BGR' }],
    ['metrics', [{ set: 'x' }]],
    ['name', ''],
  ])('stromaflow.json with %s %j', async (field, value) => {
    const path = await altered('stromaflow.json', { [field]: value });
    await expect(loadBundle(path)).rejects.toEqual(code('MODEL_INVALID', `stromaflow.json: ${field} is`));
  });

  test.each([
    [{ 1: 'stroma' }, 'labels is no list'],
    [[{ value: 300, name: 'stroma', meaning: 'positive' }], 'labels[0].value is no integer 0–255'],
    [[{ value: 1, name: 'stroma', meaning: 'good' }], 'labels[0].meaning is none of positive, negative, ignored'],
  ])('stromaflow.json with the label map %j', async (labels, message) => {
    const path = await makeBundle({ config: SMALL, manifest: { labels } }, folder());
    await expect(loadBundle(path)).rejects.toEqual(code('MODEL_INVALID', `stromaflow.json: ${message}`));
  });

  test('several classes of which none is said to be stroma', async () => {
    const path = await makeBundle(
      { config: { ...SMALL, classes: 3 }, manifest: { positiveClasses: undefined } },
      folder(),
    );
    await expect(loadBundle(path)).rejects.toEqual(
      code('MODEL_INVALID', 'positiveClasses is needed, the model has 3 classes'),
    );
  });

  test('an aborted load', async () => {
    await expect(loadBundle(sound, AbortSignal.abort())).rejects.toMatchObject({ name: 'AbortError' });
  });
});
