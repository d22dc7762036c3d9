import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openPixels } from '#src/evaluate/open-item.js';
import { openImageAsSlide } from '#src/slide/image/image-source.js';
import { openSlide } from '#src/slide/open.js';
import { openTileSource } from '#src/slide/open-source.js';
import { gapsWithin, storedImage } from '#src/slide/tiff/stored-image.js';
import { tileSetFolder } from '../../live/tile-set-folder.js';
import { emptyFolder } from '../../support/paths.js';
import { type PageOptions, writeTiff } from '../tiff-writer.js';

const picture = (samples: number, side = 8, value = (at: number) => 60 + (at % 7)) => ({
  ...{ width: side, height: side, samples },
  data: Uint8Array.from({ length: side * side * samples }, (_, at) => value(at)),
});
const zeros = (bytes: Buffer): Buffer => Buffer.alloc(bytes.length);
const secondOf = (bytes: Buffer, _col: number, row: number): Buffer => (row === 1 ? zeros(bytes) : bytes);
/** The second of two strips. */
const HALF = { x: 0, y: 4, width: 8, height: 4 };

/** Tags of two strips, the second of which has a length and no place. */
const NO_PLACE = [
  [273, 4, [8, 0]],
  [279, 4, [96, 96]],
] as const;

const UNWRITTEN: [string, Partial<PageOptions>, object[]][] = [
  ['a strip without a place', { rowsPerStrip: 4, extra: NO_PLACE }, [HALF]],
  ['zeros that are not compressed', { rowsPerStrip: 4, damage: secondOf }, [HALF]],
  ['nothing at all', { damage: zeros }, [{ x: 0, y: 0, width: 8, height: 8 }]],
  ['no such thing', { rowsPerStrip: 4 }, []],
];

async function put(options: PageOptions): Promise<string> {
  const path = join(await emptyFolder(), 'image.tif');
  await writeFile(path, writeTiff([options]));
  return path;
}

describe.each(UNWRITTEN)('a TIFF of one picture with %s', (_what, more, parts) => {
  const page = { picture: picture(3), ...more };
  const expected = parts.length === 0 ? 'decoded' : more.damage === zeros ? 'missing' : { gaps: parts };

  it('tells where nobody wrote', async () => {
    expect(storedImage(await put(page))?.unwritten).toEqual(parts);
  });

  it('has gaps there as a tile of a folder', async () => {
    const { folder, put: putTile } = tileSetFolder({
      ...{ width: 8, height: 8, tileWidth: 8, tileHeight: 8, mpp: 0.5, pattern: 'X{col}Y{row}.tif' },
    });
    putTile('X0Y0.tif', writeTiff([page]));
    const source = await openTileSource((await openSlide(folder)).source);
    expect(await source.readTile(0, 0, 0, new Uint8Array(192))).toEqual(expected);
  });

  it('has gaps there as a picture of a labelled set', async () => {
    const source = await openPixels(await openImageAsSlide(await put(page), { mpp: 0.5, spacing: 0.5 }));
    expect(await source.readTile(0, 0, 0, new Uint8Array(512 * 512 * 3))).toEqual(expected);
  });
});

it('strips without a length are told, and refused by the decoder', async () => {
  const page = { picture: picture(3), rowsPerStrip: 4, missing: (_col: number, row: number) => row === 1 };
  const path = await put(page);
  expect(storedImage(path)?.unwritten).toEqual([HALF]);
  const source = await openPixels(await openImageAsSlide(path, { mpp: 0.5, spacing: 0.5 }));
  const read = source.readTile(0, 0, 0, new Uint8Array(512 * 512 * 3));
  await expect(read).rejects.toMatchObject({ code: 'SLIDE_UNREADABLE' });
});

it('black that was compressed is black', async () => {
  const black = { picture: picture(3, 8, () => 0), compression: 'lzw' } as const;
  expect(storedImage(await put(black))?.unwritten).toEqual([]);
});

it('gaps grow with a picture that is enlarged', async () => {
  const page = { picture: picture(3), rowsPerStrip: 4, damage: secondOf };
  const source = await openPixels(await openImageAsSlide(await put(page), { mpp: 1, spacing: 0.5 }));
  const state = await source.readTile(0, 0, 0, new Uint8Array(512 * 512 * 3));
  expect(state).toEqual({ gaps: [{ x: 0, y: 8, width: 16, height: 8 }] });
});

describe('a fourth sample', () => {
  const half = (at: number): number => (at % 4 === 3 ? 0 : 80);

  it.each([
    ['that is no transparency is none', [[338, 3, [0]]], 80, true],
    ['that is called transparency shows white', [[338, 3, [2]]], 255, false],
  ] as const)('%s', async (_what, extra, red, hasUnnamedSample) => {
    const page = { picture: picture(4, 8, half), extra: [...extra] };
    expect(storedImage(await put(page))?.hasUnnamedSample).toBe(hasUnnamedSample);
    const { folder, put: putTile } = tileSetFolder({
      ...{ width: 8, height: 8, tileWidth: 8, tileHeight: 8, mpp: 0.5, pattern: 'X{col}Y{row}.tif' },
    });
    putTile('X0Y0.tif', writeTiff([page]));
    const tile = new Uint8Array(192);
    await (await openTileSource((await openSlide(folder)).source)).readTile(0, 0, 0, tile);
    const region = new Uint8Array(512 * 512 * 3);
    const image = await openPixels(await openImageAsSlide(await put(page), { mpp: 0.5, spacing: 0.5 }));
    await image.readTile(0, 0, 0, region);
    expect([tile[0], region[0]]).toEqual([red, red]);
  });
});

it('parts of an area are given from its corner on', () => {
  const parts = [{ x: 0, y: 4, width: 8, height: 4 }];
  expect(gapsWithin(parts, { x: 2, y: 2, width: 4, height: 4 })).toEqual([{ x: 0, y: 2, width: 4, height: 2 }]);
  expect(gapsWithin(parts, { x: 2, y: 5, width: 4, height: 2 })).toBe('missing');
  expect(gapsWithin(parts, { x: 0, y: 0, width: 8, height: 4 })).toEqual([]);
});

it('what is no TIFF, or a damaged one, is for its decoder to say', async () => {
  const path = join(await emptyFolder(), 'image.tif');
  await writeFile(path, 'II*\0 and nothing more');
  expect(storedImage(path)).toBeUndefined();
  await writeFile(path, 'no TIFF');
  expect(storedImage(path)).toBeUndefined();
});
