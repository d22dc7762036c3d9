import fc from 'fast-check';
import { expect, test } from 'vitest';
import { inBatches } from '#src/engine/in-batches.js';

const SIDE = 2;
const AREA = SIDE * SIDE;

/** Marks pixels above 100, and gives red back as the probability; takes exactly `batch` patches. */
function fixedRun(batch: number, calls: number[], probabilities: boolean) {
  return async (patches: readonly Uint8Array[]) => {
    expect(patches.map(({ length }) => length)).toEqual(Array.from({ length: batch }, () => AREA * 3));
    calls.push(batch);
    const reds = Uint8Array.from(patches.flatMap(patch => [0, 1, 2, 3].map(i => patch[3 * i]!)));
    const mask = reds.map(red => (red > 100 ? 1 : 0));
    const counts = Int32Array.from({ length: batch }, (_, i) =>
      mask.subarray(i * AREA, (i + 1) * AREA).reduce((a, b) => a + b, 0),
    );
    const notFinite = [...reds.keys()].filter(i => i % AREA === 0 && reds[i] === 13).map(i => i / AREA);
    return { mask, counts, notFinite, ...(probabilities && { probabilities: reds }) };
  };
}

test('any number of patches comes out as if each had run alone', async () => {
  const patches = fc.array(fc.uint8Array({ minLength: AREA * 3, maxLength: AREA * 3 }), { minLength: 1, maxLength: 9 });
  await fc.assert(
    fc.asyncProperty(patches, fc.integer({ min: 1, max: 5 }), fc.boolean(), async (patches, batch, probabilities) => {
      const calls: number[] = [];
      const run = inBatches(fixedRun(batch, calls, probabilities), { batch, patchSize: SIDE, filled: true });
      const result = await run(patches);
      const reds = patches.flatMap(patch => [0, 1, 2, 3].map(i => patch[3 * i]!));
      expect([...result.mask]).toEqual(reds.map(red => (red > 100 ? 1 : 0)));
      expect(result.counts).toHaveLength(patches.length);
      expect(result.counts.reduce((a, b) => a + b, 0)).toBe(reds.filter(red => red > 100).length);
      expect(result.probabilities && [...result.probabilities]).toEqual(probabilities ? reds : undefined);
      expect(calls).toHaveLength(Math.ceil(patches.length / batch));
    }),
  );
});
