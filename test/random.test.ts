import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '#src/random.js';

describe('Random', () => {
  it('is xoshiro128**: the same numbers everywhere', () => {
    // From the Python copy in test/golden/evaluate_scores.py.
    const random = new Random(2026);
    expect([random.next(), random.next(), random.next()]).toEqual([1436751614, 742089593, 1736781944]);
  });

  it('draws below n without missing a value', () => {
    const random = new Random(1);
    const seen = new Array<number>(10).fill(0);
    for (let i = 0; i < 10_000; i++) seen[random.below(10)]!++;
    // χ² with 9 degrees of freedom exceeds 33.7 once in 10,000 seeds; the seed is fixed.
    expect(seen.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0)).toBeLessThan(33.7);
  });

  it('shuffles: a permutation, the same for a seed, another for another', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer(), { minLength: 20, maxLength: 60 }), fc.integer(), (items, seed) => {
        const once = new Random(seed).shuffle(items);
        expect(new Random(seed).shuffle(items)).toEqual(once);
        expect([...once].sort((a, b) => a - b)).toEqual([...items].sort((a, b) => a - b));
        expect(new Random(seed + 1).shuffle(items)).not.toEqual(once);
      }),
    );
  });
});
