import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { openGrowingNdTiff } from '#src/live/growing-ndtiff.js';
import { encodeImage, encodeIndexEntry, encodePartHeader, NDTIFF_TYPE } from '#src/simulate/ndtiff-entry.js';
import { readDataSet } from '#src/slide/ndtiff/data-set.js';
import type { NdTiffDescription } from '#src/slide/ndtiff/description.js';
import { readIndex } from '#src/slide/ndtiff/read-index.js';
import { openSlide, slideIdAt } from '#src/slide/open.js';
import { openTileSource } from '#src/slide/open-source.js';
import { isSlideName } from '#src/watch/names.js';
import { failureOf, scratch } from '../fixture.js';

/** Made by Micro-Manager's own library (test/golden/ndtiff_golden.py). */
const MADE = fileURLToPath(new URL('../../golden/ndtiff/pyramid', import.meta.url));
const WIDTH = 12;
const HEIGHT = 10;

const files = scratch();
afterAll(() => files.remove());

async function readTile(path: string, col: number, row: number) {
  const source = await openTileSource((await openSlide(path, { mpp: 0.5 })).source);
  const rgb = new Uint8Array(WIDTH * HEIGHT * 3);
  const state = await source.readTile(0, col, row, rgb);
  source.close();
  return { state, rgb };
}

const greyAt = (x: number, y: number): number => (3 * x + 5 * y) & 255;

describe('a data set that Micro-Manager’s library wrote', () => {
  it('is the grid its tiles make, from whatever row they begin', async () => {
    const slide = await openSlide(MADE);
    expect(slide.info).toMatchObject({ id: 'pyramid', format: 'NDTiff', mpp: 0.5 });
    expect(slide.info.levels).toMatchObject([{ width: 36, height: 20, tileWidth: WIDTH, tileHeight: HEIGHT }]);
    expect(slide.stored!(0)).toMatchObject({ expected: 6, seen: 5 });
  });

  it('has the pixels of the middle of each image, where they overlap', async () => {
    for (const [col, row] of [
      [0, 0],
      [1, 0],
      [2, 0],
      [0, 1],
      [2, 1],
    ] as const) {
      const { state, rgb } = await readTile(MADE, col, row);
      expect(state).toBe('decoded');
      for (let y = 0; y < HEIGHT; y++)
        for (let x = 0; x < WIDTH; x++) {
          const value = greyAt(col * WIDTH + x, row * HEIGHT + y);
          expect([...rgb.subarray((y * WIDTH + x) * 3, (y * WIDTH + x + 1) * 3)]).toEqual([value, value, value]);
        }
    }
    expect((await readTile(MADE, 1, 1)).state).toBe('missing');
  });

  it('is one slide with its reduced resolutions', async () => {
    const folder = files.path('case');
    cpSync(MADE, folder, { recursive: true });
    cpSync(join(MADE, 'Full resolution'), join(folder, 'Downsampled_x2'), { recursive: true });
    for (const path of [folder, join(folder, 'Full resolution'), join(folder, 'Full resolution', 'NDTiff.index')]) {
      expect(slideIdAt(path)).toBe('case');
      expect((await openSlide(path)).info.levels).toHaveLength(1);
    }
    const failure = await failureOf(() => openSlide(join(folder, 'Downsampled_x2')));
    expect(failure).toMatchObject({ code: 'SLIDE_UNREADABLE', fix: expect.stringContaining(folder) });
  });
});

type Place = readonly [row: number, column: number, others?: object];

/** A data set of RGB images, 16 × 12 pixels, that show their column in the middle and overlap by `overlap`. */
function writeDataSet(
  name: string,
  summary: object,
  places: readonly Place[],
  part = 'a_NDTiffStack.tif',
  change = (entry: { col: number; width: number; height: number; type: number }) => entry,
) {
  const path = join(files.path(name), 'NDTiff.index');
  mkdirSync(dirname(path));
  const head = encodePartHeader(summary);
  let end = head.length;
  const images = places.map(([row, column, others]) => {
    const rgb = new Uint8Array(16 * 12 * 3).fill(255);
    for (let y = 1; y < 11; y++) rgb.fill(column, (y * 16 + 2) * 3, (y * 16 + 14) * 3);
    const image = encodeImage(end, 16, 12, rgb, {}, false);
    end += image.bytes.length;
    const { width, height, type } = change({ col: column, width: 16, height: 12, type: NDTIFF_TYPE.rgb8 });
    const entry = encodeIndexEntry({ row, column, ...others }, part, [width, height], type, image);
    return { image, entry };
  });
  writeFileSync(path, Buffer.concat(images.map(({ entry }) => entry)));
  writeFileSync(join(dirname(path), part), Buffer.concat([head, ...images.map(({ image }) => image.bytes)]));
  return path;
}

const FOLLOW = { mpp: 0.5, pollSeconds: 0.01, stallSeconds: 0.05, settleSeconds: 0.01, events: false };
const OVERLAP = { GridPixelOverlapX: 4, GridPixelOverlapY: 2 };
const SIZE = { Width: 30, Height: 10, TileWidth: WIDTH, TileHeight: HEIGHT };

const OVERLAPPING = { ...OVERLAP, ...SIZE };

describe('an NDTiff data set', () => {
  it('of a stated size has tiles without their overlap', async () => {
    const path = writeDataSet('stated', { ...OVERLAP, ...SIZE }, [
      [0, 0],
      [0, 2],
    ]);
    expect((await openSlide(path, { mpp: 0.5 })).info.levels).toMatchObject([{ width: 30, height: 10 }]);
    expect(await readTile(path, 2, 0)).toEqual({
      state: 'decoded',
      rgb: new Uint8Array(WIDTH * HEIGHT * 3).fill(2),
    });
    expect((await readTile(path, 1, 0)).state).toBe('missing');
  });

  it('is read in its middle plane by z, of an even number the lower, and says so', async () => {
    const inOrder = (depths: readonly number[]) =>
      depths.flatMap((z, at): Place[] => [
        [0, 0, { z, time: 7 }],
        [0, 1, { z, time: 7 }],
        ...(at === 0 ? [[0, 0, { z: 99, time: 8 }] as const] : []),
      ]);
    for (const [depths, middle] of [
      [[2, 0, 1], 1],
      [[5, 3, 4, 6], 4],
      [[-1], -1],
    ] as const) {
      const places = inOrder(depths);
      const path = writeDataSet(`planes ${depths}`, { ...OVERLAP, ...SIZE }, places);
      const slide = await openSlide(path, { mpp: 0.5 });
      expect(slide.stored!(0)).toMatchObject({ expected: 3, seen: 2 });
      const { offsets } = (slide.source as NdTiffDescription).levels[0]!;
      const entries = readIndex(path, readFileSync(path), 0);
      const at = places.findIndex(([, , axes]) => (axes as { z: number }).z === middle);
      expect([...offsets]).toEqual([entries[at]!.offset, entries[at + 1]!.offset, 0]);
      expect(slide.info.notes).toEqual([
        {
          code: 'plane-left-out',
          message: expect.stringContaining(`(time 7, z ${middle}), ${depths.length} left out`),
        },
      ]);
      // Nobody knows the middle one before all are there.
      expect(openGrowingNdTiff(readDataSet(path), { ...FOLLOW, id: 'planes' })).toBeUndefined();
    }
  });

  it('without a name has parts without one', async () => {
    const path = writeDataSet(
      'nameless',
      OVERLAPPING,
      [
        [0, 0],
        [0, 1],
        [0, 2],
      ],
      'NDTiffStack.tif',
    );
    expect((await openSlide(path, { mpp: 0.5 })).stored!(0)).toMatchObject({ expected: 3, seen: 3 });
    expect(isSlideName(join(dirname(path), 'NDTiffStack.tif'))).toBe(false);
    expect(isSlideName(join(dirname(path), 'NDTiffStack_1.tif'))).toBe(false);
    expect(isSlideName(join(dirname(path), 'my NDTiffStack.tif'))).toBe(true);
    const live = openGrowingNdTiff(readDataSet(path), { ...FOLLOW, id: 'nameless' })!;
    for await (const { tiles } of live.follow(0, AbortSignal.timeout(5000))) expect(tiles).toEqual([0, 1, 2]);
    expect(live.state).toBe('complete');
    await live.close();
  });

  it('beside another one is refused', async () => {
    const path = writeDataSet('two', SIZE, [[0, 0]]);
    writeFileSync(join(dirname(path), 'b_NDTiffStack.tif'), '');
    expect((await failureOf(() => openSlide(path, { mpp: 0.5 }))).message).toMatch(/several data sets/);
  });

  it.each([
    ['and states a size', SIZE],
    ['and states none', {}],
  ])(
    'whose images have positions instead of a row and a column %s is refused, whole and growing',
    async (name, summary) => {
      const nowhere = { row: undefined, column: undefined };
      const path = writeDataSet(
        `positions ${name}`,
        summary,
        [0, 1, 2].map(position => [0, 0, { ...nowhere, position }]),
      );
      const failure = await failureOf(() => openSlide(path, { mpp: 0.5 }));
      expect([failure.code, failure.message]).toEqual([
        'SLIDE_UNREADABLE',
        `${path}: no image has a row and a column, so that nobody knows how they lie side by side`,
      ]);
      if ('Width' in summary)
        expect((await failureOf(() => openGrowingNdTiff(readDataSet(path), FOLLOW))).message).toBe(failure.message);
    },
  );

  it('says how many of its images have no place', async () => {
    const path = writeDataSet('lost', OVERLAPPING, [
      [0, 0],
      [0, 1, { row: 'B' }],
      [0, 1, { column: 1.5 }],
    ]);
    const slide = await openSlide(path, { mpp: 0.5 });
    expect(slide.info.notes).toMatchObject([
      { code: 'image-left-out', message: expect.stringMatching(/^2 images have no row/) },
    ]);
  });

  it('all of whose images lie outside of its size is refused', async () => {
    const path = writeDataSet('outside', SIZE, [
      [7, 0],
      [0, -1],
    ]);
    expect((await failureOf(() => openSlide(path, { mpp: 0.5 }))).message).toMatch(/no image lies inside the size/);
  });

  it('whose images are of another size than it says is refused; one of them fails alone', async () => {
    const other = { width: 12, height: 10 };
    const path = writeDataSet('odd', SIZE, [
      [0, 0],
      [0, 1],
    ]);
    const failure = await failureOf(() => openSlide(path, { mpp: 0.5 }));
    expect([failure.code, failure.message]).toEqual([
      'SLIDE_UNREADABLE',
      expect.stringContaining('16 × 12 pixels instead of 12 × 10'),
    ]);
    const mixed = writeDataSet(
      'mixed',
      OVERLAPPING,
      [
        [0, 0],
        [0, 1],
      ],
      'a_NDTiffStack.tif',
      entry => ({ ...entry, ...(entry.col === 1 ? other : {}) }),
    );
    expect((await readTile(mixed, 0, 0)).state).toBe('decoded');
    expect((await failureOf(() => readTile(mixed, 1, 0))).code).toBe('TILE_CORRUPT');
  });

  it('of deeper images is refused, whole and growing; of grey ones it says so', async () => {
    const deep = writeDataSet(
      'deep',
      OVERLAPPING,
      [
        [0, 0],
        [0, 1],
      ],
      'a_NDTiffStack.tif',
      entry => ({ ...entry, type: 1 }),
    );
    const failure = await failureOf(() => openSlide(deep, { mpp: 0.5 }));
    expect([failure.code, failure.message]).toEqual(['SLIDE_UNSUPPORTED', `${deep}: its images have 16 bits a sample`]);
    expect((await failureOf(() => openGrowingNdTiff(readDataSet(deep), FOLLOW))).code).toBe('SLIDE_UNSUPPORTED');
    const grey = writeDataSet('grey', OVERLAPPING, [[0, 0]], 'a_NDTiffStack.tif', entry => ({ ...entry, type: 0 }));
    expect((await openSlide(grey, { mpp: 0.5 })).info.notes).toMatchObject([{ code: 'grey' }]);
  });

  it.each([
    ['no image', {}, [], /lists no image$/],
    ['more tiles than a slide has', {}, [[0, 0] as const, [2_000_000, 1_000_000] as const], /tiles/],
    ['images that are all overlap', { GridPixelOverlapX: 16 }, [[0, 0] as const], /overlap/],
    ['an overlap that is none', { GridPixelOverlapX: -1 }, [[0, 0] as const], /GridPixelOverlapX/],
    ['half a size', { TileWidth: 12 }, [[0, 0] as const], /Width/],
    [
      'images too large to hold',
      { Width: 99, Height: 99, TileWidth: 8000, TileHeight: 80, GridPixelOverlapX: 8000 },
      [],
      /images of 16000 × 80/,
    ],
  ])('is refused with %s', async (name, summary, places, message) => {
    const path = writeDataSet(name, summary, places);
    const failure = await failureOf(() => openSlide(path, { mpp: 0.5 }));
    expect(failure).toMatchObject({ code: 'SLIDE_UNREADABLE', message: expect.stringMatching(message) });
  });
});
