import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createNullBackend } from '#src/engine/null-backend.js';

const SIDE = 2;
const AREA = SIDE * SIDE;
function backend({ batch = 3, probabilities = true } = {}) {
  return createNullBackend({
    engine: 'null',
    model: '',
    modelVersion: null,
    cacheFolder: '',
    patchSize: SIDE,
    batch,
    threads: 1,
    device: 0,
    layers: [],
    probabilities,
    nullDelay: 0,
  });
}
const patch = fc.uint8Array({ minLength: AREA * 3, maxLength: AREA * 3 }).map(bytes => new Uint8Array(bytes));
/** ITU-R BT.601, in whole thousandths. */
const luma = (pixels: Uint8Array, i: number) =>
  299 * pixels[3 * i]! + 587 * pixels[3 * i + 1]! + 114 * pixels[3 * i + 2]!;
const grey = (level: number) => new Uint8Array(AREA * 3).fill(level);

describe('the engine without a model', () => {
  test('marks what is darker than 200 and counts it, patch by patch', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(patch, { minLength: 1, maxLength: 3 }), async patches => {
        const { mask, counts } = await backend().run(patches);
        expect(mask).toHaveLength(patches.length * AREA);
        for (const [p, pixels] of patches.entries()) {
          const dark = Array.from({ length: AREA }, (_, i) => (luma(pixels, i) < 200_000 ? 1 : 0));
          expect([...mask.subarray(p * AREA, (p + 1) * AREA)]).toEqual(dark);
          expect(counts[p]).toBe(dark.filter(Boolean).length);
        }
        expect(counts).toHaveLength(patches.length);
      }),
    );
  });

  test.each([
    [0, 1, 255],
    [199, 1, 128],
    [200, 0, 127],
    [255, 0, 0],
  ])('grey %i: mask %i, probability %i', async (level, marked, byte) => {
    const { mask, probabilities } = await backend().run([grey(level)]);
    expect([...mask]).toEqual(new Array(AREA).fill(marked));
    expect([...probabilities!]).toEqual(new Array(AREA).fill(byte));
  });

  test('has a probability above a half exactly where it marks, falling with the brightness', async () => {
    const one = backend({ batch: 256 });
    const { mask, probabilities } = await one.run(Array.from({ length: 256 }, (_, level) => grey(level)));
    const of = (level: number) => probabilities![level * AREA]!;
    for (let level = 0; level < 256; level++) {
      expect(of(level) > 127).toBe(mask[level * AREA] === 1);
      if (level > 0) expect(of(level)).toBeLessThanOrEqual(of(level - 1));
    }
  });

  test('gives no probabilities unless they are asked for, and never logits', async () => {
    const plain = backend({ probabilities: false });
    expect(await plain.run([grey(0)])).not.toHaveProperty('probabilities');
    await expect(plain.evaluate(grey(0), SIDE, SIDE)).rejects.toMatchObject({
      code: 'USAGE',
      fix: 'choose another --engine',
    });
  });

  test('a small batch after a large one shows nothing of it', async () => {
    const engine = backend();
    await engine.run([grey(0), grey(0), grey(0)]);
    const { mask, counts } = await engine.run([grey(255)]);
    expect([[...mask], [...counts]]).toEqual([[0, 0, 0, 0], [0]]);
  });
});
