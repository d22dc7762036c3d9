import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { gridFields, PLACE_TOLERANCE } from '#src/slide/fields/grid.js';
import { failureOf } from '../fixture.js';

const SIZE = { width: 400, height: 300 };
const fields = (
  cols: number,
  rows: number,
  step: readonly [number, number],
  off: (index: number) => number = () => 0,
) =>
  Array.from({ length: cols * rows }, (_, index) => {
    const row = Math.floor(index / cols);
    const col = row % 2 === 0 ? index % cols : cols - 1 - (index % cols);
    return { name: `${col}/${row}`, x: 1000 + col * step[0] + off(index), y: -500 + row * step[1] + off(index + 7) };
  });
const grid = (...given: Parameters<typeof fields>) => gridFields('x', fields(...given), SIZE);

describe('gridFields', () => {
  it('takes fields that touch as they are', () => {
    const { cols, rows, tileWidth, tileHeight, cells } = grid(3, 2, [400, 300]);
    expect([cols, rows, tileWidth, tileHeight]).toEqual([3, 2, 400, 300]);
    expect(cells.names).toEqual(['0/0', '1/0', '2/0', '0/1', '1/1', '2/1']);
    expect([...cells.lefts, ...cells.tops].every(start => start === 0)).toBe(true);
  });

  it.each([Number.POSITIVE_INFINITY, Number.NaN, -1e300])('refuses a field at %s pixels', async place => {
    const failure = await failureOf(() => gridFields('x', [{ name: 'a.png', x: place, y: 0 }], SIZE));
    expect(failure).toMatchObject({ code: 'SLIDE_UNREADABLE', message: expect.stringContaining('a.png') });
  });

  it('cuts the middle out of fields that overlap', () => {
    const { tileWidth, tileHeight, cells } = grid(3, 2, [320, 270]);
    expect([tileWidth, tileHeight]).toEqual([320, 270]);
    expect(new Set(cells.lefts)).toEqual(new Set([40]));
    expect(new Set(cells.tops)).toEqual(new Set([15]));
  });

  it('puts every field at the pixel its place says, whatever the step and the stage', () =>
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 9 }),
        fc.double({ min: 300, max: 350, noNaN: true }),
        fc.double({ min: 200, max: 250, noNaN: true }),
        fc.array(fc.double({ min: -15, max: 15, noNaN: true }), { minLength: 1, maxLength: 30 }),
        (cols, rows, across, down, jitter) => {
          const given = fields(cols, rows, [across, down], index => jitter[index % jitter.length]!);
          const { cells, ...made } = gridFields('x', given, SIZE);
          expect([made.cols, made.rows]).toEqual([cols, rows]);
          const origins = given.map(({ name, x, y }) => {
            const tile = cells.names.indexOf(name);
            expect(name).toBe(`${tile % cols}/${Math.floor(tile / cols)}`);
            const [left, top] = [cells.lefts[tile]!, cells.tops[tile]!];
            expect(left >= 0 && left + made.tileWidth <= SIZE.width).toBe(true);
            expect(top >= 0 && top + made.tileHeight <= SIZE.height).toBe(true);
            return [x + left - (tile % cols) * made.tileWidth, y + top - Math.floor(tile / cols) * made.tileHeight];
          });
          for (const axis of [0, 1] as const) {
            const places = origins.map(origin => origin[axis]!);
            expect(Math.max(...places) - Math.min(...places)).toBeLessThanOrEqual(1 + 1e-6);
          }
        },
      ),
    ));

  it('leaves cells empty where the microscope did not go', () => {
    const some = fields(4, 3, [320, 270]).filter(({ name }) => !['0/0', '3/0', '2/1'].includes(name));
    const { cells, cols, rows } = gridFields('x', some, SIZE);
    expect([cols, rows]).toEqual([4, 3]);
    expect(cells.names).toEqual(['', '1/0', '2/0', '', '0/1', '1/1', '', '3/1', '0/2', '1/2', '2/2', '3/2']);
  });

  it('bears what a stage is off by where fields do not overlap', () => {
    const { cells, tileWidth } = grid(5, 5, [400, 300], index => (index % 2) * PLACE_TOLERANCE);
    expect(tileWidth).toBe(400);
    expect(new Set([...cells.lefts, ...cells.tops])).toEqual(new Set([0]));
  });

  it.each([
    ['gaps', () => grid(3, 3, [430, 300]), /400 pixels long in x and stand 430 pixels apart/],
    [
      'fields off the grid',
      () => grid(4, 4, [400, 300], index => (index === 5 ? 40 : 0)),
      /off a grid of 4\d\d(\.\d)? pixels/,
    ],
    ['more jitter than overlap', () => grid(4, 4, [380, 300], index => (index % 3) * 20), /an overlap of 20 pixels/],
    [
      'two fields in one place',
      () => gridFields('x', [...fields(2, 2, [320, 270]), { name: 'again', x: 1001, y: -500 }], SIZE),
      /0\/0 and again lie in one place/,
    ],
  ])('refuses %s', async (_, make, message) => {
    const failure = await failureOf(make);
    expect(failure.code).toBe('SLIDE_UNSUPPORTED');
    expect(failure.message).toMatch(message);
    expect(failure.fix).toContain('stitch');
  });

  it('gives a grid or a reason for any places', () =>
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(fc.double({ min: -3e7, max: 3e7, noNaN: true }), fc.double({ min: -3e7, max: 3e7, noNaN: true })),
          { minLength: 1, maxLength: 20 },
        ),
        places => {
          try {
            const { cells } = gridFields(
              'x',
              places.map(([x, y], index) => ({ name: `${index}`, x, y })),
              SIZE,
            );
            expect(cells.names.filter(name => name !== '')).toHaveLength(places.length);
          } catch (error) {
            expect(error).toMatchObject({ code: expect.stringMatching(/^SLIDE_UN(SUPPORTED|READABLE)$/) });
          }
        },
      ),
    ));
});
