import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Blend, type BlendGrid, blendWeights } from '#src/mask/blend.js';
import { hashed } from '../support/formula-weights.js';

/** The same weights, said another way: half a cosine over the overlap. */
const window = ({ patchSize, margin }: BlendGrid) =>
  Array.from({ length: patchSize }, (_, i) => {
    const rise = (at: number) => (at < 2 * margin ? (1 - Math.cos((Math.PI * (at + 0.5)) / (2 * margin))) / 2 : 1);
    return Math.min(rise(i), rise(patchSize - 1 - i));
  });

const key = (col: number, row: number) => `${col},${row}`;
const cellsOf = ({ cols, rows }: BlendGrid) =>
  Array.from({ length: cols * rows }, (_, i) => [i % cols, Math.floor(i / cols)] as const);

/** What a patch says of its pixels, unlike any other's. */
const scoresOf = ({ patchSize }: BlendGrid, col: number, row: number): Float32Array =>
  Float32Array.from(hashed(key(col, row), patchSize ** 2), u => (u + 1) / 2);

/** The whole slide at once, in double precision: sums of weighted maps over sums of weights. */
function wholeSlide(grid: BlendGrid, gives: (col: number, row: number) => boolean): Float64Array {
  const { patchSize, margin, core, cols, rows } = grid;
  const [width, height] = [cols * core + 2 * margin, rows * core + 2 * margin];
  const [sum, weight] = [new Float64Array(width * height), new Float64Array(width * height)];
  const w = window(grid);
  for (const [col, row] of cellsOf(grid)) {
    if (!gives(col, row)) continue;
    const scores = scoresOf(grid, col, row);
    for (let y = 0; y < patchSize; y++)
      for (let x = 0; x < patchSize; x++) {
        const at = (row * core + y) * width + col * core + x;
        sum[at]! += scores[y * patchSize + x]! * w[y]! * w[x]!;
        weight[at]! += w[y]! * w[x]!;
      }
  }
  return sum.map((value, i) => value / weight[i]!);
}

function largestDifference(
  grid: BlendGrid,
  whole: Float64Array,
  col: number,
  row: number,
  scores: Float32Array,
): number {
  const { core, margin, cols } = grid;
  const width = cols * core + 2 * margin;
  return scores.reduce((most, p, i) => {
    const at = (row * core + margin + Math.floor(i / core)) * width + col * core + margin + (i % core);
    return Math.max(most, Math.abs(p - whole[at]!));
  }, 0);
}

type Kind = 'scores' | 'nothing' | 'failed';

/** Puts patches in, in this order, taking out what is due; what came out, by place. */
function blendAll(
  grid: BlendGrid,
  order: readonly (readonly [number, number])[],
  kindOf: (col: number, row: number) => Kind,
) {
  const blend = new Blend(grid);
  const taken = new Map<string, { scores: Float32Array; without: number }>();
  let open = 0;
  for (const [col, row] of order) {
    const kind = kindOf(col, row);
    if (kind === 'scores') blend.add(col, row, scoresOf(grid, col, row));
    else blend.skip(col, row, kind);
    open = Math.max(open, blend.open);
    for (const [c, r] of cellsOf(grid)) if (blend.isDue(c, r)) taken.set(key(c, r), blend.take(c, r));
  }
  return { taken, open, left: blend.open };
}

const grids = fc
  .record({ cols: fc.integer({ min: 1, max: 5 }), rows: fc.integer({ min: 1, max: 5 }), quarter: fc.boolean() })
  .map(({ cols, rows, quarter }): BlendGrid => {
    const margin = quarter ? 4 : 8;
    return { patchSize: 32, margin, core: 32 - 2 * margin, cols, rows };
  });

const shuffled = <T>(items: readonly T[], seed: number): T[] =>
  items
    .map((item, i) => ({ item, at: Math.imul(i + 1, seed | 1) >>> 0 }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);

test('weights of the patches over a pixel add up to 1, and fall to the border', () => {
  for (const [patchSize, margin] of [
    [512, 64],
    [512, 128],
    [96, 16],
  ] as const) {
    const w = blendWeights({ patchSize, margin });
    const step = patchSize - 2 * margin;
    for (let i = 0; i < 2 * margin; i++) {
      expect(w[i]! + w[i + step]!).toBeCloseTo(1, 12);
      expect(w[i]!).toBeLessThan(w[i + 1]! + 1e-12);
      expect(w[i]).toBe(w[patchSize - 1 - i]);
    }
  }
});

describe('in any order, with patches that are empty or failed', () => {
  test('each core is given once, and is what the whole slide at once gives, to 1e-6', () => {
    fc.assert(
      fc.property(
        grids,
        fc.integer(),
        fc.array(fc.constantFrom<Kind>('scores', 'scores', 'nothing', 'failed'), { minLength: 25, maxLength: 25 }),
        (grid, seed, kinds) => {
          const kindOf = (col: number, row: number) => kinds[row * 5 + col]!;
          const { taken, left } = blendAll(grid, shuffled(cellsOf(grid), seed), kindOf);
          const with_ = cellsOf(grid).filter(([col, row]) => kindOf(col, row) === 'scores');
          expect([...taken.keys()].sort()).toEqual(with_.map(([col, row]) => key(col, row)).sort());
          expect(left).toBe(0);
          const whole = wholeSlide(grid, (col, row) => kindOf(col, row) === 'scores');
          for (const [col, row] of with_) {
            const { scores, without } = taken.get(key(col, row))!;
            expect(largestDifference(grid, whole, col, row, scores)).toBeLessThan(1e-6);
            const failed = cellsOf(grid).filter(
              ([c, r]) => Math.abs(c - col) <= 1 && Math.abs(r - row) <= 1 && kindOf(c, r) === 'failed',
            );
            expect(without).toBe(failed.length);
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  test('every bit is the same as row by row', () => {
    fc.assert(
      fc.property(grids, fc.integer(), (grid, seed) => {
        const all = () => 'scores' as const;
        const [one, other] = [blendAll(grid, cellsOf(grid), all), blendAll(grid, shuffled(cellsOf(grid), seed), all)];
        expect(new Map([...other.taken].sort())).toEqual(new Map([...one.taken].sort()));
      }),
      { numRuns: 20 },
    );
  });
});

test('row by row, sums are kept of two rows at most', () => {
  fc.assert(
    fc.property(grids, grid => {
      const { open } = blendAll(grid, cellsOf(grid), () => 'scores');
      expect(open).toBeLessThanOrEqual(2 * (grid.cols + 2));
    }),
  );
});

test('what was over before gives to its neighbours, and is not given again', () => {
  const grid = { patchSize: 32, margin: 8, core: 16, cols: 3, rows: 2 };
  const before = blendAll(grid, cellsOf(grid), () => 'scores').taken;
  const blend = new Blend(grid);
  // Of an earlier start: all but the last, whose neighbours come again.
  for (const [col, row] of cellsOf(grid).slice(0, -1)) blend.over(col, row);
  for (const [col, row] of [
    [1, 0],
    [2, 0],
    [1, 1],
  ] as const) {
    blend.add(col, row, scoresOf(grid, col, row));
    expect(blend.isDue(col, row)).toBe(false);
    expect(blend.isDue(2, 1)).toBe(false);
  }
  blend.add(2, 1, scoresOf(grid, 2, 1));
  expect(blend.take(2, 1)).toEqual(before.get('2,1'));
  expect(blend.open).toBe(0);
});

test("equals NumPy's blend of a whole slide to 1e-6 (test/golden/blend_golden.py)", async () => {
  const { cases } = JSON.parse(await readFile(new URL('../golden/blend_golden.json', import.meta.url), 'utf8')) as {
    cases: { grid: BlendGrid; empty: string[]; samples: [x: number, y: number, p: number][] }[];
  };
  for (const { grid, empty, samples } of cases) {
    const { taken } = blendAll(grid, cellsOf(grid), (col, row) =>
      empty.includes(key(col, row)) ? 'nothing' : 'scores',
    );
    for (const [x, y, p] of samples) {
      const { core } = grid;
      const core_ = taken.get(key(Math.floor(x / core), Math.floor(y / core)))!;
      expect(Math.abs(core_.scores[(y % core) * core + (x % core)]! - p)).toBeLessThan(1e-6);
    }
    expect(samples.length).toBeGreaterThan(500);
  }
});
