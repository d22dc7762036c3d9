import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkOutside } from '#src/slide/outside-grid.js';
import { failureOf } from './fixture.js';

const GRID = { width: 50, height: 30, cols: 5, rows: 3 };
const all = (cols: number, rows: number, [left, top] = [0, 0]) =>
  Array.from({ length: cols * rows }, (_, i) => [(i % cols) + left!, Math.floor(i / cols) + top!] as const);
const check = (places: readonly (readonly [number, number])[]) => checkOutside('x', GRID, places, 'mend it');

describe('checkOutside', () => {
  it('says nothing of images inside the grid, however few', () =>
    fc.assert(
      fc.property(fc.subarray(all(5, 3)), places => {
        expect(check(places)).toBeUndefined();
      }),
    ));

  it('notes the few that lie outside', () => {
    expect(check([...all(5, 3), [5, 0], [2, 9]])).toEqual({
      code: 'image-left-out',
      message: '2 of 17 images lie outside the stated size of 50 × 30 pixels (5 × 3 tiles) and are not read',
    });
  });

  it('refuses where most do, with both numbers', async () => {
    const failure = await failureOf(() => check(all(10, 6)));
    expect([failure.code, failure.fix]).toEqual(['SLIDE_UNREADABLE', 'mend it']);
    expect(failure.message).toContain(
      '45 of 60 images lie outside the 5 × 3 tiles that the stated 50 × 30 pixels make',
    );
  });

  it.each([
    [[1, 1], 'rows and columns seem to be counted from 1, not 0'],
    [[1, 0], 'columns seem to be counted from 1,'],
    [[0, 1], 'rows seem to be counted from 1,'],
    [[-2, -1], 'rows and columns seem to be counted from -1 and -2,'],
  ] as const)('refuses a grid that begins at %j', async (first, message) => {
    const failure = await failureOf(() => check(all(5, 3, [...first])));
    expect([failure.code, failure.message]).toEqual(['SLIDE_UNREADABLE', expect.stringContaining(message)]);
  });
});
