import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { gridOfTiles, statedGrid } from '#src/slide/ndtiff/grid.js';
import type { IndexEntry } from '#src/slide/ndtiff/read-index.js';
import { failureOf } from '../fixture.js';

const image = (row: number | string, column: number | string, width = 200, height = 100): IndexEntry => ({
  axes: { row, column },
  file: 'a_NDTiffStack.tif',
  offset: 1000,
  width,
  height,
  type: 0,
  compression: 0,
  end: 0,
});
const summary = (overlap: readonly [number, number] = [0, 0], size?: [number, number, number, number]) => ({
  size: size && { width: size[0], height: size[1], tileWidth: size[2], tileHeight: size[3] },
  overlap,
  mpp: 0.5,
});

describe('gridOfTiles', () => {
  it('spans all tiles, whichever come first and wherever they begin', () =>
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: -40, max: 40 }), fc.integer({ min: -40, max: 40 })), { minLength: 1 }),
        fc.nat({ max: 199 }),
        fc.nat({ max: 99 }),
        (places, overlapX, overlapY) => {
          const grid = gridOfTiles(
            'x',
            places.map(([row, col]) => image(row, col)),
            summary([overlapX, overlapY]),
          );
          const rows = places.map(([row]) => row).sort((a, b) => a - b);
          const cols = places.map(([, col]) => col).sort((a, b) => a - b);
          expect([grid.firstRow, grid.firstCol]).toEqual([rows[0], cols[0]]);
          expect([grid.firstRow + grid.rows - 1, grid.firstCol + grid.cols - 1]).toEqual([rows.at(-1), cols.at(-1)]);
          expect([grid.imageWidth, grid.imageHeight]).toEqual([200, 100]);
          expect([grid.width / grid.cols, grid.height / grid.rows]).toEqual([200 - overlapX, 100 - overlapY]);
          // Of what falls off, the larger half stands behind the tile.
          const behind = [200 - grid.left - grid.tileWidth, 100 - grid.top - grid.tileHeight];
          expect([behind[0]! - grid.left, behind[1]! - grid.top]).toEqual([overlapX % 2, overlapY % 2]);
        },
      ),
    ));

  it('passes over images whose place is no whole number', () => {
    const entries = [image('B', 2, 999, 999), image(0.5, 1), image(1e300, 1), image(3, 4)];
    expect(gridOfTiles('x', entries, summary())).toMatchObject({ cols: 1, rows: 1, firstCol: 4, tileWidth: 200 });
  });

  it.each([
    ['no image with a place', [image('A', 'B')], summary(), /no image has a row and a column/],
    ['images that are all overlap', [image(0, 0)], summary([200, 0]), /no larger than they overlap/],
    ['a grid beyond a million tiles', [image(0, 0), image(1023, 1024)], summary(), /describes 1049600 tiles/],
    ['images beyond 8192 pixels', [image(0, 0, 8193, 1)], summary(), /images of 8193 × 1 pixels/],
    ['a slide beyond 2^24 pixels', [image(0, 0, 8192, 1), image(0, 2048)], summary(), /a slide of 16785408 × 1 pixels/],
  ])('refuses %s', async (_, entries, given, message) => {
    const failure = await failureOf(() => gridOfTiles('/scan/NDTiff.index', entries, given));
    expect(failure).toMatchObject({ code: 'SLIDE_UNREADABLE', message: expect.stringMatching(message) });
    expect(failure.message).toContain('/scan/NDTiff.index');
  });

  it('takes just a million tiles, and just 2^24 pixels', () => {
    expect(gridOfTiles('x', [image(0, 0), image(1023, 1023)], summary())).toMatchObject({ cols: 1024, rows: 1024 });
    expect(gridOfTiles('x', [image(0, 0, 8192, 1), image(0, 2047)], summary()).width).toBe(2 ** 24);
  });
});

describe('statedGrid', () => {
  it('is none where the summary states none', () => {
    expect(statedGrid('x', summary())).toBeUndefined();
  });

  it('counts tiles without their overlap, and keeps the size as stated', () => {
    const grid = statedGrid('x', summary([10, 21], [1001, 500, 100, 250]));
    expect(grid).toMatchObject({ width: 1001, height: 500, cols: 11, rows: 2, imageWidth: 110, imageHeight: 271 });
    expect(grid).toMatchObject({ left: 5, top: 10, firstCol: 0, firstRow: 0, downsample: 1 });
  });

  it('refuses a tile that its overlap makes too large', async () => {
    const failure = await failureOf(() => statedGrid('x', summary([1, 0], [9000, 10, 8192, 10])));
    expect(failure.message).toContain('images of 8193 × 10 pixels');
  });
});
