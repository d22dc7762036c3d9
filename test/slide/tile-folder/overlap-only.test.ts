import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { openGrowingTileFolder } from '#src/live/growing-tile-folder.js';
import { openSlide } from '#src/slide/open.js';
import { openTileSource } from '#src/slide/open-source.js';
import { readTileSet } from '#src/slide/tile-folder/read-tile-set.js';
import { alsoShown, shownBy, type TileFolderDescription, type TileSetLevel } from '#src/slide/tile-folder/tile-set.js';
import { failureOf } from '../fixture.js';
import { cut, gradient } from '../tiff-writer.js';

const root = mkdtempSync(join(tmpdir(), 'stromaflow-dzi-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

interface Image {
  readonly width: number;
  readonly height: number;
  readonly side: number;
  readonly overlap: number;
}

/** Tiles of one axis that have pixels of their own and no other tile's overlap: the last may have none. */
const needed = (size: number, { side, overlap }: Image): number => {
  const tiles = Math.ceil(size / side);
  return tiles > 1 && size - (tiles - 1) * side <= overlap ? tiles - 1 : tiles;
};

let count = 0;
/** The finest level of a DeepZoom image, whose last column and row are not written where they hold overlap alone. */
async function write(image: Image, options: { all?: boolean; format?: string } = {}) {
  const { width, height, side, overlap } = image;
  const { all = false, format = 'png' } = options;
  const name = `slide-${++count}`;
  const level = Math.ceil(Math.log2(Math.max(width, height)));
  const picture = gradient(width, height);
  const tiles = async function* (): AsyncGenerator<readonly [path: string, bytes: Buffer]> {
    const [cols, rows] = all
      ? [Math.ceil(width / side), Math.ceil(height / side)]
      : [needed(width, image), needed(height, image)];
    for (let row = 0; row < rows; row++)
      for (let col = 0; col < cols; col++) {
        const [left, top] = [Math.max(0, col * side - overlap), Math.max(0, row * side - overlap)];
        const right = Math.min(width, (col + 1) * side + overlap);
        const bottom = Math.min(height, (row + 1) * side + overlap);
        const { data } = cut(picture, left, top, right - left, bottom - top);
        const raw = { width: right - left, height: bottom - top, channels: 3 } as const;
        const bytes = await sharp(Buffer.from(data), { raw })
          .toFormat(format === 'png' ? 'png' : 'webp', { lossless: true })
          .toBuffer();
        yield [join(root, `${name}_files`, String(level), `${col}_${row}.${format}`), bytes];
      }
  };
  const manifest = join(root, `${name}.dzi`);
  mkdirSync(join(root, `${name}_files`, String(level)), { recursive: true });
  writeFileSync(
    manifest,
    `<Image TileSize="${side}" Overlap="${overlap}" Format="${format}"><Size Width="${width}" Height="${height}"/></Image>`,
  );
  return { manifest, picture, tiles };
}

const put = ([path, bytes]: readonly [string, Buffer]): void => {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
};

async function expectPixels(manifest: string, picture: ReturnType<typeof gradient>): Promise<void> {
  const slide = await openSlide(manifest, { mpp: 0.5 });
  const source = await openTileSource(slide.source);
  const { width, height, tileWidth, tileHeight, cols, rows } = source.levels[0] as TileSetLevel;
  expect(slide.stored!(0)).toMatchObject({ expected: cols * rows, seen: cols * rows });
  const tile = Buffer.alloc(tileWidth * tileHeight * 3);
  for (let row = 0; row < rows; row++)
    for (let col = 0; col < cols; col++) {
      expect(await source.readTile(0, col, row, tile), `${col},${row}`).toBe('decoded');
      const [across, down] = [
        Math.min(tileWidth, width - col * tileWidth),
        Math.min(tileHeight, height - row * tileHeight),
      ];
      const wanted = Buffer.from(cut(picture, col * tileWidth, row * tileHeight, across, down).data);
      for (let y = 0; y < down; y++) {
        const line = tile.subarray(y * tileWidth * 3, y * tileWidth * 3 + across * 3);
        expect(line.equals(wanted.subarray(y * across * 3, (y + 1) * across * 3)), `${col},${row} line ${y}`).toBe(
          true,
        );
      }
    }
  source.close();
}

const images = fc.record({
  width: fc.integer({ min: 1, max: 70 }),
  height: fc.integer({ min: 1, max: 70 }),
  side: fc.integer({ min: 8, max: 32 }),
  overlap: fc.constantFrom(0, 1, 2, 7, 8),
});

describe('tiles that hold nothing but overlap', () => {
  it('are read to the pixel out of the images that show them, written themselves or not', () =>
    fc.assert(
      fc.asyncProperty(images, fc.boolean(), fc.constantFrom('png', 'webp'), async (image, all, format) => {
        const { manifest, picture, tiles } = await write(image, { all, format });
        for await (const tile of tiles()) put(tile);
        await expectPixels(manifest, picture);
      }),
      { numRuns: 60 },
    ));

  it('come with the images that show them, each once, and are not waited for', () =>
    fc.assert(
      fc.asyncProperty(images, async image => {
        const { manifest, picture, tiles } = await write(image);
        const options = {
          mpp: 0.5,
          id: 'slide',
          pollSeconds: 0.01,
          stallSeconds: 60,
          settleSeconds: 0.05,
          events: false,
        };
        const live = openGrowingTileFolder(readTileSet(manifest)!, options);
        const iterator = tiles();
        const next = async () => {
          const { value, done } = await iterator.next();
          if (!done) put(value);
        };
        await next();
        const came: number[] = [];
        for await (const { tiles: found } of live.follow(0, AbortSignal.timeout(60_000))) {
          came.push(...found);
          await next();
        }
        await live.close();
        const { cols, rows } = (live.sourceFor(0) as TileFolderDescription).levels[0]!;
        expect(came.toSorted((a, b) => a - b)).toEqual(Array.from({ length: cols * rows }, (_, tile) => tile));
        expect([live.state, live.tiles.missing]).toEqual(['complete', 0]);
        await expectPixels(manifest, picture);
      }),
      { numRuns: 15 },
    ));

  it('are each shown by one tile, which is none of them', () =>
    fc.assert(
      fc.property(images, ({ width, height, side, overlap }) => {
        const [cols, rows] = [Math.ceil(width / side), Math.ceil(height / side)];
        const level = { width, height, tileWidth: side, tileHeight: side, cols, rows, overlap } as TileSetLevel;
        const all = Array.from({ length: cols * rows }, (_, tile) => tile);
        for (const tile of all) {
          const shown = shownBy(level, tile);
          if (shown !== undefined)
            expect([shownBy(level, shown), alsoShown(level, shown)]).toEqual([
              undefined,
              expect.arrayContaining([tile]),
            ]);
        }
        const others = all.filter(tile => shownBy(level, tile) === undefined);
        const image = { width, height, side, overlap };
        expect(others).toHaveLength(needed(width, image) * needed(height, image));
        expect(others.flatMap(tile => [tile, ...alsoShown(level, tile)]).toSorted((a, b) => a - b)).toEqual(all);
      }),
    ));

  it('are read from their own image where the one that shows them is not there', async () => {
    const { manifest, tiles } = await write({ width: 17, height: 8, side: 16, overlap: 1 }, { all: true });
    for await (const tile of tiles()) if (tile[0].endsWith('1_0.png')) put(tile);
    const source = await openTileSource((await openSlide(manifest, { mpp: 0.5 })).source);
    const tile = Buffer.alloc(16 * 16 * 3);
    expect([await source.readTile(0, 0, 0, tile), await source.readTile(0, 1, 0, tile)]).toEqual([
      'missing',
      'decoded',
    ]);
    source.close();
  });

  it('of an image of the wrong size fail alone', async () => {
    const { manifest, tiles } = await write({ width: 33, height: 33, side: 16, overlap: 1 });
    for await (const tile of tiles()) put(tile);
    const small = await sharp(Buffer.alloc(300), { raw: { width: 10, height: 10, channels: 3 } })
      .png()
      .toBuffer();
    put([join(manifest.replace('.dzi', '_files'), '6', '1_0.png'), small]);
    const source = await openTileSource((await openSlide(manifest, { mpp: 0.5 })).source);
    const tile = Buffer.alloc(16 * 16 * 3);
    for (const [col, row] of [
      [1, 0],
      [2, 0],
    ] as const)
      expect((await failureOf(async () => source.readTile(0, col, row, tile))).code).toBe('TILE_CORRUPT');
    for (const [col, row] of [
      [0, 0],
      [0, 1],
      [2, 1],
      [2, 2],
    ] as const)
      expect(await source.readTile(0, col, row, tile)).toBe('decoded');
    source.close();
  });
});
