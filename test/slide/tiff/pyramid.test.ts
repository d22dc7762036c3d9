import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TiffPage } from '#src/slide/tiff/page.js';
import { fitPyramid } from '#src/slide/tiff/pyramid.js';
import { tiffPage } from './page-fixture.js';

const page = (width: number, height: number, facts: Partial<TiffPage> = {}) => tiffPage({ width, height, ...facts });
const at = (mpp: number, y = mpp) => ({ spacing: { x: mpp, y } });
const fitted = (pages: readonly TiffPage[], options = {}) => {
  const { levels, leftOut } = fitPyramid(pages[0]!, pages.slice(1), options);
  return {
    factors: levels.map(({ downsample }) => downsample),
    sizes: levels.map(({ width, height }) => [width, height]),
    leftOut: leftOut.map(({ page: { width }, reason }) => [width, reason]),
  };
};
const tile = { tileWidth: 512, tileHeight: 512 };

describe('the levels of a pyramid', () => {
  it('of any factor, rounding, padding and tile are found with their factor, or left out', () => {
    const cases = fc.record({
      width: fc.integer({ min: 1500, max: 150_000 }),
      height: fc.integer({ min: 1500, max: 150_000 }),
      side: fc.constantFrom(64, 240, 256, 512, 1024),
      factor: fc.constantFrom(2, 2, 4, 8),
      count: fc.integer({ min: 1, max: 7 }),
      round: fc.constantFrom(Math.floor, Math.ceil, Math.round),
      again: fc.boolean(),
      pads: fc.constantFrom('none', 'levels', 'all'),
      stated: fc.constantFrom('each', 'copied', 'none', 'rounded'),
      mpp: fc.double({ min: 0.1, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(cases, ({ width, height, side, factor, count, round, again, pads, stated, mpp }) => {
        const whole = (size: number) => Math.ceil(size / side) * side;
        const truth: { size: readonly [number, number]; factor: number }[] = [{ size: [width, height], factor: 1 }];
        for (let i = 1; i <= count; i++) {
          const last = truth.at(-1)!.size;
          const [from, by] = again ? [last, factor] : [[width, height] as const, factor ** i];
          const size = [Math.max(1, round(from[0] / by)), Math.max(1, round(from[1] / by))] as const;
          truth.push({ size, factor: factor ** i });
        }
        const pages = truth.map(({ size, factor: by }, i) => {
          const isPadded = pads === 'all' || (pads === 'levels' && i > 0);
          const [w, h] = isPadded ? size.map(whole) : size;
          const own =
            stated === 'each' || i === 0 ? mpp * by : stated === 'copied' ? mpp : Number((mpp * by).toPrecision(4));
          return page(w!, h!, { tileWidth: side, tileHeight: side, ...(stated === 'none' ? {} : at(own)) });
        });
        const { levels, leftOut } = fitPyramid(pages[0]!, pages.slice(1), { spacing: pages[0]!.spacing });
        expect(levels.length + leftOut.length).toBe(pages.length);
        for (const level of levels) {
          const index = pages.indexOf(level.page);
          const { size, factor: right } = truth[index]!;
          // Of a level of few tiles, all padded, nothing tells an eighth from a half.
          const isStated = stated === 'each' || stated === 'rounded';
          const few = Math.max(...size) <= 3 * side && !isStated && pads !== 'none';
          if (few && factor > 2) continue;
          // Rounding, twice perhaps, is all that a factor may be off by.
          const off = Math.abs(level.downsample / right - 1) * Math.max(...size);
          expect(off, `level ${index} of factor ${right}: ${level.downsample}`).toBeLessThanOrEqual(2.5);
          for (const [i, side0] of [level.width, level.height].entries())
            if (pads !== 'all') expect(Math.abs(side0 - size[i]!)).toBeLessThanOrEqual(3);
        }
        // Sound levels larger than a few tiles are not left out.
        for (const { page: left, why } of leftOut)
          if (why !== 'same-size') expect(Math.min(left.width / side, left.height / side)).toBeLessThanOrEqual(8);
      }),
      { numRuns: 2000 },
    );
  });

  it('have the factor of their stated spacing, where the sizes allow it', () => {
    // 1000 × 1000 cut to 896 pixels, as tools do that leave out incomplete tiles.
    const stated = [page(4000, 4000, { ...tile, ...at(0.25) }), page(1024, 1024, { ...tile, ...at(1) })];
    expect(fitted(stated, { spacing: { x: 0.25, y: 0.25 } }).factors).toEqual([1, 4]);
    const unstated = [page(4000, 4000, tile), page(896, 896, { tileWidth: 128, tileHeight: 128 })];
    expect(fitted(unstated).factors).toEqual([1, 4000 / 896]);
    const cut = [page(4000, 4000, at(0.25)), page(896, 896, { tileWidth: 128, tileHeight: 128, ...at(1) })];
    expect(fitted(cut, { spacing: { x: 0.25, y: 0.25 } }).factors).toEqual([1, 4]);
  });

  it('whose stated spacing and size contradict each other are left out', () => {
    const pages = [
      page(8000, 6000, at(0.25)),
      page(4000, 3000, at(1)),
      page(2000, 1500, at(1)),
      page(1000, 750, at(2, 1)),
    ];
    expect(fitted(pages, { spacing: { x: 0.25, y: 0.25 } })).toMatchObject({
      factors: [1, 4],
      leftOut: [
        [4000, 'its stated spacing and its size contradict each other'],
        [1000, 'its stated spacing and its size contradict each other'],
      ],
    });
  });

  it.each<[string, Partial<TiffPage>, Partial<TiffPage>]>([
    ['that repeat the finest one’s', at(0.25), at(0.25)],
    ['of a printer', at(0.25), at(352.8)],
    ['that do not say what the format says of the finest', at(1), at(1.5)],
    ['that are missing', at(0.25), {}],
  ])('are told by their sizes with tags %s', (_, finest, coarse) => {
    const pages = [page(8000, 6000, finest), page(4000, 3000, coarse), page(2000, 1500, coarse)];
    expect(fitted(pages, { spacing: { x: 0.25, y: 0.25 } }).factors).toEqual([1, 2, 4]);
  });

  it('of a pixel that is not square have one factor in both axes', () => {
    const pages = [page(8000, 6000, at(0.25, 0.5)), page(4000, 3000, at(0.5, 1)), page(2000, 1500, at(1, 1))];
    const { factors, leftOut } = fitted(pages, { spacing: { x: 0.25, y: 0.5 } });
    expect(factors).toEqual([1, 2]);
    expect(leftOut).toHaveLength(1);
  });

  it('are trimmed of what only fills their last tiles up', () => {
    const pages = [
      page(8000, 6000, tile),
      page(4096, 3072, tile),
      page(2048, 1536, tile),
      page(1024, 1024, tile),
      page(512, 512, tile),
    ];
    expect(fitted(pages)).toMatchObject({
      factors: [1, 2, 4, 8, 16],
      sizes: [
        [8000, 6000],
        [4000, 3000],
        [2000, 1500],
        [1000, 750],
        [500, 375],
      ],
    });
  });

  it('of one tile, whose factor nothing tells, are left out unless the format pads', () => {
    const pages = [page(8000, 6000, tile), page(512, 512, tile)];
    expect(fitted(pages)).toMatchObject({ factors: [1], leftOut: [[512, 'its size fits several factors']] });
    expect(fitted(pages, { padded: true }).factors).toEqual([1, 16]);
    const steps = [page(8000, 6000, tile), page(1024, 1024, tile), page(512, 512, tile)];
    expect(fitted(steps).factors).toEqual([1, 8, 64]);
  });

  it('that may be a third or a padded quarter are a quarter only where another one is certainly padded', () => {
    const doubtful = page(1024, 1024, tile);
    expect(fitted([page(3072, 3072, tile), doubtful]).factors).toEqual([1]);
    // It goes on as the levels before.
    expect(fitted([page(3072, 3072, tile), page(1536, 1536, tile), doubtful]).factors).toEqual([1, 2, 4]);
    expect(fitted([page(3072, 3072, tile), doubtful, page(512, 512, tile)], { padded: true }).factors).toEqual([
      1, 4, 8,
    ]);
    // 5000 by 2 is 2500, padded to 2560: nothing else fits that.
    expect(fitted([page(5000, 5000, tile), page(2560, 2560, tile)]).factors).toEqual([1, 2]);
  });

  it('of other factors are told by their sizes', () => {
    expect(fitted([page(9000, 6003), page(3000, 2001), page(1000, 667)]).factors).toEqual([1, 3, 9]);
    expect(fitted([page(10_000, 8000), page(4000, 3200)]).factors).toEqual([1, 2.5]);
  });

  it('tell where a finest level ends that alone is filled up to whole tiles', () => {
    const sides = (side: number) => ({ tileWidth: side, tileHeight: side });
    // 2900 × 2200 in tiles of 512.
    const pages = [page(3072, 2560, tile), page(1450, 1100, sides(512)), page(725, 550, tile)];
    expect(fitted(pages)).toEqual({
      factors: [1, 2, 4],
      sizes: [
        [2900, 2200],
        [1450, 1100],
        [725, 550],
      ],
      leftOut: [],
    });
    // So it does where the factor is stated.
    const stated = pages.map((each, i) => ({ ...each, ...at(0.25 * 2 ** i) }));
    expect(fitted(stated, { spacing: { x: 0.25, y: 0.25 } })).toMatchObject({ factors: [1, 2, 4] });
    expect(fitted(stated, { spacing: { x: 0.25, y: 0.25 } }).sizes[0]).toEqual([2900, 2200]);
    // One axis alone may be padded.
    expect(fitted([page(3072, 2200, sides(512)), page(1450, 1100, tile)])).toMatchObject({
      factors: [1, 2],
      sizes: [
        [2900, 2200],
        [1450, 1100],
      ],
    });
    // Of a finest level of one tile nothing tells a half from a quarter.
    expect(fitted([page(512, 512, tile), page(100, 100, tile)])).toMatchObject({
      factors: [1],
      leftOut: [[100, 'its size fits several factors']],
    });
  });

  it('are of a whole factor, or marked', () => {
    const uneven = (pages: readonly TiffPage[]) =>
      fitPyramid(pages[0]!, pages.slice(1)).levels.map(level => level.uneven);
    expect(uneven([page(10_000, 8000), page(4000, 3200)])).toEqual([undefined, true]);
    expect(uneven([page(9001, 6003), page(3000, 2001)])).toEqual([undefined, undefined]);
    const stated = [page(10_000, 8000, at(0.2)), page(4000, 3200, at(0.5))];
    expect(uneven(stated)).toEqual([undefined, undefined]);
  });

  it('have the pixels of the finest', () => {
    const others: Partial<TiffPage>[] = [
      { samplesPerPixel: 1, bitsPerSample: [8], photometric: 1 },
      { samplesPerPixel: 4, bitsPerSample: [8, 8, 8, 8], photometric: 2, compression: 1 },
    ];
    for (const other of others)
      expect(fitted([page(8000, 6000), page(4000, 3000, other), page(2000, 1500, { photometric: 2 })])).toEqual({
        factors: [1, 4],
        sizes: [
          [8000, 6000],
          [2000, 1500],
        ],
        leftOut: [[4000, 'its pixels are of another kind than those of the slide']],
      });
  });

  it('are left out where one axis says something else, by more than rounding', () => {
    expect(fitted([page(80_000, 60_000), page(40_000, 30_002)]).factors).toEqual([1, 2]);
    expect(fitted([page(80_000, 60_000), page(40_000, 30_450)])).toMatchObject({
      factors: [1],
      leftOut: [[40_000, 'no one factor leads to its size']],
    });
  });

  it('are left out when they cannot be read, and the others count', () => {
    const pages = [
      page(8000, 6000),
      page(4000, 3000, { bitsPerSample: [16, 16, 16] }),
      page(2000, 1500),
      page(1000, 750, { compression: 6 }),
    ];
    expect(fitted(pages)).toMatchObject({
      factors: [1, 4],
      leftOut: [
        [4000, '16-bit samples are not supported, only 8-bit'],
        [1000, 'compression 6 (old-style JPEG) is not supported'],
      ],
    });
  });
});
