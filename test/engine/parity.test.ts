import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { evaluateImage } from '#src/engine/evaluate.js';
import { STARTER } from '../support/formula-weights.js';
import { compare, differences, goldenCases, goldenPatch, openGolden } from './parity.js';

/** The same weights and pixels through PyTorch (golden numbers) and through onnxruntime on the CPU. */
const cases = await goldenCases();
let cacheFolder: string;
beforeAll(async () => {
  cacheFolder = await mkdtemp(join(tmpdir(), 'parity-'));
});
afterAll(() => rm(cacheFolder, { recursive: true }));

describe('logits and layers equal PyTorch', () => {
  test.each(Object.entries(cases))('%s', async (name, golden) => {
    const found = await differences(name, golden, 'cpu');
    expect(found.map(({ name }) => name)).toEqual(['logits', ...golden.layers]);
    for (const { name, max, scale, flipped } of found) {
      expect(scale, `${name} is not trivially 0`).toBeGreaterThan(0.5);
      expect(max, name).toBeLessThanOrEqual(1e-3);
      if (name === 'logits') expect(flipped).toBe(0);
    }
  });

  test('the starter model on a whole patch of the slide', async () => {
    const { outputs } = await evaluateImage(STARTER, await goldenPatch(), { engine: 'cpu', cacheFolder });
    const [{ values, shape }] = outputs as [(typeof outputs)[0]];
    expect(shape).toEqual([1, 1, 512, 512]);
    const golden = await openGolden();
    const grid = Float32Array.from({ length: 64 * 64 }, (_, i) => values[(i >> 6) * 8 * 512 + (i & 63) * 8]!);
    const { max, scale } = compare(grid, await golden.read('starter/logits'));
    await golden.close();
    expect(scale).toBeGreaterThan(4);
    expect(max).toBeLessThanOrEqual(1e-3);
  });
});
