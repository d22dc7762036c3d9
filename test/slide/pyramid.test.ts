import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fitLevel, type LevelSize } from '#src/slide/pyramid.js';

const level = (width: number, height: number, tile: number, spacing?: number): LevelSize => ({
  width,
  height,
  tileWidth: tile,
  tileHeight: tile,
  ...(spacing === undefined ? {} : { spacing: { x: spacing, y: spacing } }),
});

const padded = (size: number, tile: number): number => Math.ceil(size / tile) * tile;

/** A base, and a level of it by a whole power of two, rounded as writers round, and filled up or not. */
const pyramids = fc
  .record({
    width: fc.integer({ min: 3000, max: 200_000 }),
    height: fc.integer({ min: 3000, max: 200_000 }),
    tile: fc.constantFrom(240, 256, 512, 1024),
    power: fc.integer({ min: 1, max: 3 }),
    round: fc.constantFrom(Math.floor, Math.ceil, Math.round),
    fills: fc.boolean(),
    fillsBase: fc.boolean(),
    mpp: fc.double({ min: 0.1, max: 1, noNaN: true }),
    digits: fc.integer({ min: 4, max: 8 }),
  })
  .map(({ width, height, tile, power, round, fills, fillsBase, mpp, digits }) => {
    const factor = 2 ** power;
    const halve = (size: number): number => Array.from({ length: power }).reduce<number>(last => round(last / 2), size);
    const fill = (size: number, does: boolean) => (does ? padded(size, tile) : size);
    const [across, down] = [halve(width), halve(height)];
    const stated = (value: number) => Number(value.toPrecision(digits));
    return {
      factor,
      fills,
      fillsBase,
      used: [across, down] as const,
      base: level(fill(width, fillsBase), fill(height, fillsBase), tile, stated(mpp)),
      reduced: level(fill(across, fills), fill(down, fills), tile, stated(mpp * factor)),
    };
  });

const silent = ({ spacing: _, ...size }: LevelSize): LevelSize => size;

describe('fitLevel', () => {
  it('finds the factor by stated spacings, however sizes are rounded, filled up and spacings shortened', () =>
    fc.assert(
      fc.property(pyramids, ({ factor, fillsBase, used, base, reduced }) => {
        const fitted = fitLevel(base, reduced)!;
        expect(fitted.downsample).toBe(factor);
        // What is not the slide is cut off, but for a pixel of rounding, and nothing of the slide is.
        for (const [has, is, whole] of [
          [fitted.width, used[0], base.width],
          [fitted.height, used[1], base.height],
        ] as const) {
          expect(has).toBeGreaterThanOrEqual(is - 1);
          expect(has).toBeLessThanOrEqual(Math.ceil(whole / factor));
          if (!fillsBase) expect(has).toBeLessThanOrEqual(is + 1);
        }
      }),
      { numRuns: 500 },
    ));

  it('finds the same by sizes alone where they are not filled up', () =>
    fc.assert(
      fc.property(pyramids, ({ factor, fills, fillsBase, base, reduced }) => {
        fc.pre(!fills && !fillsBase);
        expect(fitLevel(silent(base), silent(reduced))?.downsample).toBe(factor);
      }),
    ));

  it('never takes a level that is filled up for one of another factor', () =>
    fc.assert(
      fc.property(pyramids, ({ factor, fills, base, reduced }) => {
        fc.pre(fills);
        const found = fitLevel(silent(base), silent(reduced))?.downsample;
        // Levels of a few tiles may be left out; none is stretched.
        if (reduced.width >= 8 * reduced.tileWidth && reduced.height >= 8 * reduced.tileHeight)
          expect(found).toBe(factor);
        else if (found !== undefined) expect(Number.isInteger(Math.log2(found))).toBe(true);
      }),
      { numRuns: 500 },
    ));

  it.each<[string, LevelSize, LevelSize, number | undefined]>([
    ['a level of 1160 as 1200', level(2320, 2320, 240, 0.25), level(1200, 1200, 240, 0.5), 2],
    ['the same without spacings', level(2320, 2320, 240), level(1200, 1200, 240), 2],
    ['a third', level(9000, 6000, 256, 0.2), level(3000, 2000, 256, 0.6), 3],
    ['a third without spacings', level(9000, 6000, 250), level(3000, 2000, 256), 3],
    ['2.5 times, filled up', level(10_000, 10_000, 256, 0.2), level(4096, 4096, 256, 0.5), 2.5],
    [
      '2.5 times, by sizes more exactly',
      level(10_000, 10_000, 250, 0.2),
      level(4001, 4001, 250, 0.4999),
      10_000 / 4001,
    ],
    ['the spacing of the finest, copied', level(4000, 4000, 256, 0.25), level(2000, 2000, 256, 0.25), undefined],
    ['a spacing that fits nothing', level(4000, 4000, 256, 0.25), level(2000, 2000, 256, 0.75), undefined],
    ['a finer part of the slide', level(4000, 4000, 256, 0.5), level(2000, 2000, 256, 0.25), undefined],
    ['another shape', level(4000, 2000, 256), level(1000, 1000, 250), undefined],
    [
      'a spacing an axis that is another',
      { ...level(4000, 4000, 256), spacing: { x: 1, y: 1 } },
      { ...level(2000, 2000, 256), spacing: { x: 2, y: 3 } },
      undefined,
    ],
    [
      'pixels that are not square',
      { ...level(4000, 4000, 256), spacing: { x: 1, y: 2 } },
      { ...level(2000, 2000, 256), spacing: { x: 2, y: 4 } },
      2,
    ],
    ['one tile of many', level(100_000, 100_000, 256), level(256, 256, 256), undefined],
    ['one tile whose spacing says what it is', level(2320, 2320, 240, 0.25), level(240, 240, 240, 4), 16],
  ])('places %s', (_, base, reduced, downsample) => {
    expect(fitLevel(base, reduced)?.downsample).toBe(downsample);
  });
});
