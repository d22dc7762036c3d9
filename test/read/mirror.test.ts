import { describe, expect, test } from 'vitest';
import { insideOf, mirrorOutside } from '#src/read/mirror.js';

/** A patch of one row repeated: pixel x is (x, 2x, 3x) + 1, outside zero. */
function filled(side: number, left: number, top: number, width: number, height: number): string[] {
  const patch = new Uint8Array(side * side * 3);
  const [across, down] = [insideOf(left, side, width), insideOf(top, side, height)];
  for (let y = down.from; y < down.to; y++)
    for (let x = across.from; x < across.to; x++) patch.set([x + 1, y + 1, 9], (y * side + x) * 3);
  mirrorOutside(patch, side, across, down);
  const rows: string[] = [];
  for (let y = 0; y < side; y++) {
    const cells: string[] = [];
    for (let x = 0; x < side; x++) {
      const [a, b, c] = patch.subarray((y * side + x) * 3);
      expect(c).toBe(9);
      cells.push(`${a}${b}`);
    }
    rows.push(cells.join(' '));
  }
  return rows;
}
/** numpy.pad(range(1, n + 1), (before, after), mode='symmetric') of the columns of one row. */
const columns = (rows: readonly string[]): string => rows[0]!.replaceAll(/(\d)\d/g, '$1').replaceAll(' ', '');

describe('what lies outside the slide mirrors what lies inside', () => {
  test('at the right and below', () => {
    expect(filled(6, 0, 0, 4, 5)).toEqual([
      '11 21 31 41 41 31',
      '12 22 32 42 42 32',
      '13 23 33 43 43 33',
      '14 24 34 44 44 34',
      '15 25 35 45 45 35',
      '15 25 35 45 45 35',
    ]);
  });

  test('at the left and above, in the margin', () => {
    expect(filled(4, -2, -1, 100, 100)).toEqual(['42 32 32 42', '42 32 32 42', '43 33 33 43', '44 34 34 44']);
  });

  test('to and fro where little of it lies inside', () => {
    // np.pad([1, 2], (0, 6), 'symmetric') and np.pad([3, 4], (2, 4), 'symmetric')
    expect(columns(filled(8, 0, 0, 2, 8))).toBe('12211221');
    expect(columns(filled(8, -2, 0, 2, 8))).toBe('43344334');
  });

  test('not at all where all of it lies inside', () => {
    const patch = Uint8Array.from({ length: 4 * 4 * 3 }, (_, i) => i);
    const before = patch.slice();
    mirrorOutside(patch, 4, insideOf(10, 4, 14), insideOf(0, 4, 4));
    expect(patch).toEqual(before);
  });
});
