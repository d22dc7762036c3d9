import { describe, expect, test } from 'vitest';
import { blend, DECAY, type Weighed } from '#src/fit/blend.js';
import { MomentSums } from '#src/model/norm/moments.js';

const NORMS = [
  { name: 'a', groups: 2 },
  { name: 'b', groups: 1 },
];
/** Mean and mean square a group of each of three groups, a row a patch. */
const PATCHES = [
  [1, 2, -3, 11, 0.5, 0.25],
  [2, 5, -1, 4, 0.5, 0.5],
  [4, 17, 0, 9, 2, 4.5],
  [0, 1, 3, 10, 1, 1],
  [-2, 6, 1, 3, 3, 12],
];

const over = (patches: readonly (readonly number[])[]): Weighed => {
  const sums = new MomentSums(NORMS);
  for (const patch of patches) sums.add(patch);
  return { norms: sums.moments(), patches: sums.patches };
};
const values = ({ norms }: Weighed) => norms.flatMap(({ mean, variance }) => [...mean, ...variance]);

describe('statistics of a scanner', () => {
  test('are those of all patches together while nothing is forgotten', () => {
    const both = blend(over(PATCHES.slice(0, 2)), over(PATCHES.slice(2)), 1);
    const expected = values(over(PATCHES));
    expect(both.patches).toBe(5);
    values(both).forEach((value, i) => void expect(value).toBeCloseTo(expected[i]!, 5));
  });

  test('forget: of patches seen k slides ago DECAY^k is left', () => {
    const slides = [PATCHES.slice(0, 1), PATCHES.slice(1, 3), PATCHES.slice(3)].map(over);
    const [first, second, third] = slides as [Weighed, Weighed, Weighed];
    const all = blend(blend(first, second), third);
    const weights = [DECAY ** 2, DECAY, DECAY, 1, 1];
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    expect(all.patches).toBeCloseTo(total, 12);
    const at = (place: number) => PATCHES.reduce((sum, patch, i) => sum + weights[i]! * patch[place]!, 0) / total;
    expect(all.norms[0]!.mean[1]).toBeCloseTo(at(2), 5);
    expect(all.norms[1]!.variance[0]).toBeCloseTo(at(5) - at(4) ** 2, 5);
  });

  test('are not mixed with those of another network', () => {
    const other = { norms: [{ name: 'c', mean: new Float32Array(2), variance: new Float32Array(2) }], patches: 1 };
    expect(() => blend(other, over(PATCHES))).toThrow(/no earlier statistics of a/);
  });
});
