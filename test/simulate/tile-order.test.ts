import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planScan, type ScanPlanOptions, type TileGrid } from '#src/simulate/tile-order.js';
import { SCAN_ORDERS } from '#src/simulate/ways.js';

const grid = (cols: number, rows: number, missing: (col: number, row: number) => boolean = () => false): TileGrid => ({
  cols,
  rows,
  stored: (col, row) => !missing(col, row),
});

const key = ({ level, col, row }: { level: number; col: number; row: number }) => `${level}/${col}/${row}`;
const order = (cols: number, rows: number, options: ScanPlanOptions) =>
  planScan([grid(cols, rows)], options)
    .steps.map(({ col, row }) => `${col}${row}`)
    .join(' ');

describe('planScan', () => {
  it('goes by rows, by columns, and in stripes down and up again', () => {
    expect(order(3, 2, { order: 'rows' })).toBe('00 10 20 01 11 21');
    expect(order(3, 2, { order: 'columns' })).toBe('00 01 10 11 20 21');
    expect(order(6, 2, { order: 'stripes' })).toBe('00 10 20 30 01 11 21 31 41 51 40 50');
  });

  it('writes each stored tile once, the finest level first, whatever the order', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 12 })), {
          minLength: 1,
          maxLength: 3,
        }),
        fc.constantFrom(...SCAN_ORDERS),
        fc.nat(),
        (sizes, way, seed) => {
          const missing = (col: number, row: number) => (col * 7 + row * 3 + seed) % 5 === 0;
          const levels = sizes.map(([cols, rows]) => grid(cols, rows, missing));
          const { steps } = planScan(levels, { order: way, seed });
          const all = levels.flatMap(({ cols, rows }, level) =>
            Array.from({ length: cols * rows }, (_, i) => ({ level, col: i % cols, row: Math.floor(i / cols) })),
          );
          const wanted = all.filter(({ col, row }) => !missing(col, row)).map(key);
          expect(steps.map(key).toSorted()).toEqual(wanted.toSorted());
          expect(steps.map(({ level }) => level)).toEqual(steps.map(({ level }) => level).toSorted((a, b) => a - b));
        },
      ),
    );
  });

  it('lets faults fall on different tiles of one level, and repeats them by the seed', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 9 }),
        fc.nat({ max: 9 }),
        fc.nat({ max: 9 }),
        fc.nat(),
        (drop, corrupt, duplicate, seed) => {
          const levels = [grid(6, 5), grid(3, 3)];
          const options = { order: 'random', drop, corrupt, duplicate, seed } as const;
          const plan = planScan(levels, options);
          expect(planScan(levels, options)).toEqual(plan);
          expect([plan.dropped.length, plan.corrupted.length, plan.duplicated.length]).toEqual([
            drop,
            corrupt,
            duplicate,
          ]);
          const faulty = [...plan.dropped, ...plan.corrupted, ...plan.duplicated];
          expect(new Set(faulty.map(key)).size).toBe(drop + corrupt + duplicate);
          expect(faulty.every(({ level }) => level === 0)).toBe(true);
          const times = new Map<string, number>();
          for (const step of plan.steps) times.set(key(step), (times.get(key(step)) ?? 0) + 1);
          expect(plan.dropped.every(place => !times.has(key(place)))).toBe(true);
          expect(plan.duplicated.every(place => times.get(key(place)) === 2)).toBe(true);
          expect(plan.steps.length).toBe(39 - drop + duplicate);
          expect(plan.steps.slice(-9).every(({ level }) => level === 1)).toBe(true);
        },
      ),
    );
  });

  it('takes other levels for faults when asked, and no more tiles than there are', () => {
    const plan = planScan([grid(4, 4), grid(2, 2)], { order: 'rows', drop: 3, corrupt: 3, faultLevel: 1 });
    expect([plan.dropped.length, plan.corrupted.length]).toEqual([3, 1]);
    expect([...plan.dropped, ...plan.corrupted].every(({ level }) => level === 1)).toBe(true);
  });

  it('shuffles another way with another seed', () => {
    expect(order(5, 5, { order: 'random', seed: 1 })).not.toBe(order(5, 5, { order: 'random', seed: 2 }));
  });
});
