import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { verifyBundle } from '#src/engine/verify.js';
import type { BundleParts } from '../support/formula-weights.js';
import { makeBundle, SMALL } from '../support/formula-weights.js';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'verify-'));
});
afterAll(() => rm(root, { recursive: true }));

const verify = async (name: string, parts: BundleParts) =>
  verifyBundle(await makeBundle(parts, join(root, name)), {
    engine: 'cpu',
    threads: 1,
    cacheFolder: join(root, 'cache'),
  });

test('a sound bundle is tried out', async () => {
  const { problems, trial, bundle } = await verify('sound', { config: SMALL });
  expect(problems).toEqual([]);
  expect(bundle?.name).toBe('formula');
  expect(trial).toMatchObject({ engine: expect.stringMatching(/^onnxruntime .* \(cpu\)$/) });
  expect(trial!.highest).toBeGreaterThan(trial!.lowest);
});

test('a ready graph is tried at the size it takes', async () => {
  const path = new URL('../golden/model_ready/sigmoid-batch2-opset17.onnx', import.meta.url).pathname;
  const { problems, trial } = await verifyBundle(path, { engine: 'cpu', cacheFolder: join(root, 'cache') });
  expect(problems).toEqual([]);
  expect(trial!.lowest).toBeGreaterThanOrEqual(0);
  expect(trial!.highest).toBeLessThanOrEqual(1);
});

test('every wrong tensor is named, not only the first', async () => {
  const path = await makeBundle({ config: { ...SMALL, decoder_channels: [16, 8, 8] } }, join(root, 'shapes'));
  await writeFile(join(path, 'config.json'), JSON.stringify({ ...SMALL, decoder_channels: [16, 8, 4] }));
  const { problems, trial } = await verifyBundle(path);
  expect(trial).toBeUndefined();
  expect(problems.map(({ code }) => code)).toEqual(problems.map(() => 'MODEL_TENSOR'));
  // Two convolutions, two normalisations of four tensors, and the head.
  expect(problems).toHaveLength(11);
  expect(problems[0]!.message).toContain(
    'decoder.blocks.2.conv1.0.weight is [8, 8, 3, 3] but config.json makes it [4, 8, 3, 3]',
  );
});

test('every bad value is named', async () => {
  const { problems } = await verify('values', {
    config: SMALL,
    edit: tensors => {
      tensors.find(({ name }) => name === 'encoder.conv1.weight')!.values[7] = Number.NaN;
      tensors.find(({ name }) => name === 'encoder.bn1.running_var')!.values[2] = -0.5;
      return tensors;
    },
  });
  expect(problems.map(({ message }) => message.replace(/^.*: /, ''))).toEqual([
    'tensor encoder.conv1.weight holds NaN at 7',
    'tensor encoder.bn1.running_var holds -0.5 at 2, a variance below 0',
  ]);
});

test('weights so large that logits overflow are found by the trial', async () => {
  const { problems } = await verify('overflow', {
    config: SMALL,
    edit: tensors => {
      for (const { name, values } of tensors) if (name.endsWith('conv1.0.weight')) values.fill(1e30);
      return tensors;
    },
  });
  expect(problems).toMatchObject([
    { code: 'MODEL_NOT_FINITE', message: expect.stringContaining('in float32 the scores are not finite on noise') },
  ]);
});

test('an option that cannot be run is a finding; a folder that is not there is an error', async () => {
  const path = await makeBundle({ config: SMALL }, join(root, 'option'));
  await writeFile(join(path, 'config.json'), JSON.stringify({ ...SMALL, decoder_interpolation: 'lanczos' }));
  expect((await verifyBundle(path)).problems).toMatchObject([{ code: 'MODEL_UNSUPPORTED' }]);
  await expect(verifyBundle(join(root, 'none'))).rejects.toMatchObject({ code: 'MODEL_NOT_FOUND' });
});
