import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Arena } from '#src/arena.js';
import { autoOf, chooseEngine } from '#src/engine/choose.js';
import { createSegmenter } from '#src/engine/create.js';
import { makeBundle, SMALL } from '../support/formula-weights.js';
import { useSoftwareGpu } from '../support/software-gpu.js';

let root: string;
let options: { model: string; cacheFolder: string; threads: number };
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'choose-'));
  options = {
    model: await makeBundle({ config: SMALL }, join(root, 'model')),
    cacheFolder: join(root, 'cache'),
    threads: 1,
  };
});
afterAll(() => rm(root, { recursive: true }));

const hasGpu = ['/dev/dri', '/dev/nvidiactl'].some(existsSync);

test('auto takes the CPU where nothing else is, and says in one line why', async () => {
  const { engine, line } = await chooseEngine('auto', options);
  expect(line).toMatch(/^auto chose \S+/);
  expect(line).not.toContain('\n');
  if (hasGpu) return;
  expect(engine).toBe('cpu');
  expect(line).toBe(
    'auto chose cpu; not tensorrt, cuda: no NVIDIA GPU (no /dev/nvidiactl); not webgpu: no GPU (no /dev/dri)',
  );
});

test('of probed engines auto takes the first that is no software, whatever patch it was timed on', () => {
  const probe = (name: 'webgpu' | 'cuda' | 'cpu', patchSeconds: number, patchSide = 64) =>
    ({ name, title: '', found: true, patchSeconds, patchSide }) as const;
  expect(autoOf([probe('webgpu', 0.004), probe('cpu', 0.01)])).toBe('webgpu');
  expect(autoOf([probe('webgpu', 4), probe('cpu', 0.01)])).toBe('cpu');
  // A tenth of a second for 512 px is fast, and slow for 64.
  expect(autoOf([probe('cuda', 0.2, 512), probe('webgpu', 0.004)])).toBe('cuda');
  expect(autoOf([{ ...probe('cuda', 0.001), found: false }])).toBe('cpu');
});

test('a name is taken as it is, without a line', async () => {
  expect(await chooseEngine('tfjs-wasm', options)).toEqual({ engine: 'tfjs-wasm' });
  await expect(chooseEngine('quantum', options)).rejects.toMatchObject({ code: 'USAGE' });
});

test('a segmenter made by auto carries the line; one made by name does not', async () => {
  const arena = new Arena({ slots: 1, patchSize: 32 });
  const chosen = await createSegmenter({ ...options, engine: 'auto', arena, batch: 1 });
  expect(chosen.info.choice).toMatch(/^auto chose/);
  await chosen.close();
  const named = await createSegmenter({ ...options, engine: 'cpu', arena, batch: 1 });
  expect(named.info).not.toHaveProperty('choice');
  await named.close();
});

test('a software GPU is not worth taking', async () => {
  // Named by the environment, the driver is tried although there is no device file.
  useSoftwareGpu();
  // On a busy machine the driver needs more than a user's patience.
  const { line } = await chooseEngine('auto', { ...options, timeoutSeconds: 600 });
  expect(line).toMatch(/not webgpu: runs in software, [\d.]+ s a small patch/);
});
