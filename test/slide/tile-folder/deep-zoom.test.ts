import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readDeepZoom, readZoomify } from '#src/slide/tile-folder/deep-zoom.js';
import { tileName } from '#src/slide/tile-folder/tile-set.js';
import { temporaryFolder } from '../../support/temporary.js';
import { failureOf } from '../fixture.js';

const dzi = (width: number, height: number, side: number, more = 'Format="jpeg" Overlap="1"') =>
  readDeepZoom(
    '/scan/a.dzi',
    `<Image TileSize="${side}" ${more}><Size Width="${width}" Height="${height}"/></Image>`,
    '/scan/a_files',
  );
const zoomify = (width: number, height: number, side: number, tiles: number | string) =>
  readZoomify(
    '/scan/ImageProperties.xml',
    `<IMAGE_PROPERTIES WIDTH="${width}" HEIGHT="${height}" NUMTILES="${tiles}" NUMIMAGES="1" VERSION="1.8" TILESIZE="${side}" />`,
  );

const sizes = [fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 5000 })] as const;
const side = fc.constantFrom(16, 100, 254, 256);

/** Sizes halved again and again until `enough`, finest first. */
function halved(
  width: number,
  height: number,
  round: (n: number) => number,
  enough: (w: number, h: number) => boolean,
) {
  const made: [number, number][] = [[width, height]];
  for (let [w, h] = made[0]!; !enough(w, h); made.push([w, h]))
    [w, h] = [w, h].map(n => Math.max(1, round(n / 2))) as [number, number];
  return made;
}
const tilesOf = (levels: readonly [number, number][], tile: number) =>
  levels.map(([w, h]) => [Math.ceil(w / tile), Math.ceil(h / tile)] as const);

describe('readDeepZoom', () => {
  it('has each level half as large as the finer one, rounded up, down to one tile; level 0 is one pixel', () =>
    fc.assert(
      fc.property(...sizes, side, (width, height, tile) => {
        const { levels } = dzi(width, height, tile);
        const pyramid = halved(width, height, Math.ceil, (w, h) => w === 1 && h === 1);
        const needed = pyramid.findIndex(([w, h]) => w <= tile && h <= tile) + 1;
        expect(levels.map(level => [level.width, level.height])).toEqual(pyramid.slice(0, needed));
        expect(levels.map(({ cols, rows }) => [cols, rows])).toEqual(tilesOf(pyramid.slice(0, needed), tile));
        for (const [down, level] of levels.entries()) {
          expect(level.downsample).toBe(2 ** down);
          expect(tileName(level, 3, 4)).toBe(`${pyramid.length - 1 - down}/3_4.jpeg`);
        }
      }),
    ));

  it('takes jpg tiles without overlap where nothing is said', () => {
    expect(dzi(10, 10, 256, '').levels).toMatchObject([{ pattern: '4/{col}_{row}.jpg', overlap: 0 }]);
  });

  it.each([
    ['JPG', 'jpg', 'jpg'],
    ['jpeg', 'jpg', 'jpg'],
    ['jpg', 'JPEG', 'JPEG'],
    ['PNG', 'png', 'png'],
    ['png', 'jpg', 'png'],
  ])('that says %s of tiles that end in .%s reads those that end in .%s', (said, there, read) => {
    const folder = temporaryFolder('dzi');
    mkdirSync(join(folder, '4'));
    writeFileSync(join(folder, '4', `0_0.${there}`), '');
    const text = `<Image TileSize="256" Format="${said}"><Size Width="10" Height="10"/></Image>`;
    expect(readDeepZoom('/scan/a.dzi', text, folder).levels[0]!.pattern).toBe(`4/{col}_{row}.${read}`);
    rmSync(folder, { recursive: true });
  });

  it.each([
    ['Width', () => dzi(0, 10, 256), /its Width is not a whole number from 1 to 16777216/],
    ['Height', () => dzi(10, 2 ** 24 + 1, 256), /its Height is not/],
    ['TileSize', () => dzi(10, 10, 8193), /its TileSize is not a whole number from 1 to 8192/],
    [
      'an Overlap beyond its tiles',
      () => dzi(10, 10, 16, 'Overlap="17"'),
      /its Overlap is not a whole number from 0 to 16/,
    ],
    ['a Format that leads elsewhere', () => dzi(10, 10, 16, 'Format="../x"'), /its tiles have no format/],
  ])('refuses %s', async (_, read, message) => {
    const failure = await failureOf(read);
    expect(failure).toMatchObject({ code: 'SLIDE_UNREADABLE', message: expect.stringMatching(message) });
    expect(failure.message).toContain('/scan/a.dzi');
  });
});

describe('readZoomify', () => {
  it('says when its number of tiles is of neither rounding', () => {
    const made = zoomify(1000, 600, 256, 999);
    expect(made.notes).toEqual([{ code: 'assumed', message: 'says that it has 999 tiles; its sizes make 17' }]);
    expect(zoomify(1000, 600, 256, 17).notes).toBeUndefined();
    expect(zoomify(1000, 600, 256, '').notes).toBeUndefined();
  });

  it('has the tiers of either rounding, by the number of tiles, and numbers them from the coarsest', () =>
    fc.assert(
      fc.property(...sizes, fc.constantFrom(64, 256), fc.boolean(), (width, height, tile, up) => {
        const round = up ? Math.ceil : Math.floor;
        const tiers = tilesOf(
          halved(width, height, round, (w, h) => w <= tile && h <= tile),
          tile,
        );
        const total = tiers.reduce((sum, [cols, rows]) => sum + cols * rows, 0);
        const { levels } = zoomify(width, height, tile, total);
        expect(levels.map(({ cols, rows }) => [cols, rows])).toEqual(tiers);
        let before = 0;
        for (const [tier, level] of levels.toReversed().entries()) {
          const last = before + level.cols * level.rows - 1;
          expect(tileName(level, 0, 0)).toBe(`TileGroup${before >> 8}/${tier}-0-0.jpg`);
          const [col, row] = [level.cols - 1, level.rows - 1];
          expect(tileName(level, col, row)).toBe(`TileGroup${last >> 8}/${tier}-${col}-${row}.jpg`);
          before = last + 1;
        }
      }),
    ));

  it('rounds down where the number of tiles fits neither', () => {
    const { levels } = zoomify(513, 513, 256, 'many');
    expect(levels.map(({ width }) => width)).toEqual([513, 256]);
  });

  it('is not used before it is whole', async () => {
    const failure = await failureOf(() => readZoomify('/scan/x.xml', '<IMAGE_PROPERTIES WIDTH="10" HEIGHT="10"'));
    expect(failure).toMatchObject({ code: 'SLIDE_UNREADABLE', message: '/scan/x.xml: is not (yet) whole' });
  });
});
