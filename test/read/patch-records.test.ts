import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PatchRecord } from '#src/read/patch.js';
import { PatchRecords } from '#src/read/patch-records.js';

const GRID = { cols: 5, rows: 4 };
const pixels = fc.nat(2 ** 32 - 1);
const place = { level: fc.nat(9), col: fc.nat(GRID.cols - 1), row: fc.nat(GRID.rows - 1) };
const counts = { validPixels: pixels, tissuePixels: pixels, stromaPixels: pixels };
const rest = {
  outsidePixels: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
  missingPixels: pixels,
  missingAt: fc.constant([{ x: 1, y: 2, width: 3, height: 4 }]),
  intersection: pixels,
  union: pixels,
  blendedWithout: fc.nat(8),
  openedPixels: pixels,
  closedPixels: pixels,
  code: fc.string(),
};
const outcome = fc.constantFrom<PatchRecord['outcome']>('segmented', 'empty', 'missing', 'failed');
const record: fc.Arbitrary<PatchRecord> = fc.record(
  { ...place, outcome, ...counts, ...rest },
  {
    requiredKeys: ['level', 'col', 'row', 'outcome', 'validPixels', 'tissuePixels', 'stromaPixels'],
    noNullPrototype: true,
  },
);

describe('PatchRecords', () => {
  it('gives back every field of the last record of each patch, row by row, whatever came in which order', () => {
    fc.assert(
      fc.property(fc.array(record), given => {
        const records = new PatchRecords(GRID);
        const last = new Map<number, PatchRecord>();
        for (const one of given) {
          records.set(one);
          last.set(one.row * GRID.cols + one.col, one);
        }
        expect(records.size).toBe(last.size);
        expect([...records]).toStrictEqual([...last].sort(([a], [b]) => a - b).map(([, one]) => one));
        for (let at = 0; at < GRID.cols * GRID.rows; at++) {
          const [col, row] = [at % GRID.cols, Math.floor(at / GRID.cols)];
          expect(records.get(col, row)).toStrictEqual(last.get(at));
          expect(records.has(col, row)).toBe(last.has(at));
        }
      }),
    );
  });

  it('refuses a patch outside the grid, which would be lost or another one', () => {
    const records = new PatchRecords(GRID);
    for (const [col, row] of [
      [5, 0],
      [-1, 1],
      [0, 4],
      [0, -1],
    ] as const) {
      const one = { level: 0, col, row, outcome: 'empty', validPixels: 1, tissuePixels: 0, stromaPixels: 0 } as const;
      expect(() => records.set(one)).toThrow(RangeError);
      expect(() => records.has(col, row)).toThrow(RangeError);
    }
    expect(records.size).toBe(0);
  });
});
