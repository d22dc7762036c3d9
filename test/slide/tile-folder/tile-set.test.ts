import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { readTileSet } from '#src/slide/tile-folder/read-tile-set.js';
import { tileFolderFacts } from '#src/slide/tile-folder/tile-folder-facts.js';
import { TileFolderSource } from '#src/slide/tile-folder/tile-folder-source.js';
import {
  TILE_FOLDER_KIND,
  type TileSet,
  tileFolders,
  tileName,
  tileReader,
  tileSpan,
} from '#src/slide/tile-folder/tile-set.js';
import { temporaryFolder } from '../../support/temporary.js';
import { failureOf } from '../fixture.js';

const folder = (): string => temporaryFolder('tiles');

function write(path: string, bytes: string | Uint8Array): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
  return path;
}

const MANIFEST = { width: 500, height: 300, tileWidth: 256, tileHeight: 200, mpp: 0.5, pattern: 'X{col}Y{row}.jpg' };
const manifest = (change: object, root = folder()): string =>
  write(join(root, 'manifest.json'), JSON.stringify({ ...MANIFEST, ...change }));

const sourceOf = (set: TileSet): TileFolderSource =>
  new TileFolderSource({
    kind: TILE_FOLDER_KIND,
    path: set.path,
    manifest: set.manifest,
    folder: set.folder,
    levels: set.levels.map(level => ({ ...level, mpp: level.downsample })),
  });

describe('names of tiles', () => {
  const size = { width: 0, height: 0, downsample: 1, tileWidth: 1, tileHeight: 1 };
  const grid = { ...size, overlap: 0, whole: false, colour: 'rgb', tiles: undefined } as const;
  const levels = fc.record({
    pattern: fc.constantFrom(
      'X{col}Y{row}.jpg',
      '{row}/t{col}.png',
      'a.b/{col}/{row}_{col}.j2k',
      'TileGroup{group}/3-{col}-{row}.jpg',
    ),
    cols: fc.integer({ min: 1, max: 40 }),
    rows: fc.integer({ min: 1, max: 40 }),
    before: fc.nat({ max: 1000 }),
  });

  it('tell the tile they were made for, and stand in the folders that are listed', () =>
    fc.assert(
      fc.property(levels, facts => {
        const level = { ...grid, ...facts };
        const tileOf = tileReader(level);
        const folders = new Set(tileFolders(level));
        const used = new Set<string>();
        for (let tile = 0; tile < level.cols * level.rows; tile++) {
          const name = tileName(level, tile % level.cols, Math.floor(tile / level.cols));
          expect(tileOf(name)).toBe(tile);
          used.add(name.slice(0, Math.max(0, name.lastIndexOf('/'))));
        }
        expect(folders).toEqual(used);
      }),
      { numRuns: 50 },
    ));

  it.each(['X01Y0.jpg', 'X0Y0.jpg.part', 'xX0Y0.jpg', 'X2Y0.jpg', 'X-1Y0.jpg', 'X0Y0ajpg', 'X99999999999Y0.jpg'])(
    'other names are no tile: %s',
    name => {
      expect(tileReader({ ...grid, pattern: 'X{col}Y{row}.jpg', cols: 2, rows: 1, before: 0 })(name)).toBeUndefined();
    },
  );
});

describe('manifest.json', () => {
  it('describes one level', () => {
    const set = readTileSet(manifest({ tiles: 3 }))!;
    expect(set).toMatchObject({ format: 'tile folder', mpp: 0.5 });
    expect(set.levels).toMatchObject([{ width: 500, height: 300, cols: 2, rows: 2, downsample: 1, whole: true }]);
    expect(tileName(set.levels[0]!, 1, 0)).toBe('X1Y0.jpg');
  });

  it('of something else is none', () => {
    expect(readTileSet(write(join(folder(), 'manifest.json'), '{"name":"an app"}'))).toBeUndefined();
  });

  it.each([
    { pattern: '../X{col}Y{row}.jpg' },
    { pattern: '/etc/X{col}Y{row}' },
    { pattern: 'a/../../{col}_{row}.jpg' },
    { pattern: 'X{col}.jpg' },
    { pattern: '{col}{row}.jpg' },
    { pattern: '{col}/{row}/t.jpg' },
    { pattern: `{col}_{row}${'x'.repeat(300)}.jpg` },
    { width: 2 ** 24, height: 2 ** 24, tileWidth: 1, tileHeight: 1 },
    { pattern: 7 },
    { width: 0 },
    { height: -1 },
    { tileWidth: 1e9 },
    { tileHeight: 1.5 },
    { width: '12e9' },
  ])('with %j is refused', async change => {
    expect((await failureOf(() => readTileSet(manifest(change)))).code).toBe('SLIDE_UNREADABLE');
  });

  it('may be any bytes', () =>
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), text => {
        try {
          expect(readTileSet(write(join(folder(), 'manifest.json'), text))).toBeUndefined();
        } catch (error) {
          expect(error).toMatchObject({ code: 'SLIDE_UNREADABLE' });
        }
      }),
      { numRuns: 50 },
    ));
});

const DZI = (attributes: string): string =>
  `<?xml version="1.0"?><Image xmlns="http://schemas.microsoft.com/deepzoom/2008" ${attributes}><Size Width="1000" Height="600"/></Image>`;

describe('DeepZoom', () => {
  it('has halves down to one tile, named by level', () => {
    const path = write(join(folder(), 'a.dzi'), DZI('TileSize="254" Overlap="1" Format="jpeg"'));
    const { levels, folder: tiles } = readTileSet(path)!;
    expect(tiles).toBe(path.replace(/\.dzi$/, '_files'));
    expect(levels.map(({ width, height, cols, rows }) => [width, height, cols, rows])).toEqual([
      [1000, 600, 4, 3],
      [500, 300, 2, 2],
      [250, 150, 1, 1],
    ]);
    expect(tileName(levels[0]!, 3, 2)).toBe('10/3_2.jpeg');
    expect(tileName(levels[2]!, 0, 0)).toBe('8/0_0.jpeg');
  });

  it('is not used before it is whole', async () => {
    const path = write(join(folder(), 'a.dzi'), DZI('TileSize="254" Overlap="1"').slice(0, -3));
    expect((await failureOf(() => readTileSet(path))).code).toBe('SLIDE_UNREADABLE');
  });
});

describe('Zoomify', () => {
  it.each(['zoomify', 'dz'] as const)('as libvips writes it (%s) has every tile of every level', async layout => {
    const root = folder();
    const create = { width: 1111, height: 777, channels: 3 as const, background: '#a63' };
    await sharp({ create }).jpeg({ quality: 100 }).tile({ size: 64, layout }).toFile(join(root, 'slide'));
    const path = layout === 'dz' ? 'slide.dzi' : 'slide/ImageProperties.xml';
    const set = readTileSet(join(root, path))!;
    const source = sourceOf(set);
    expect(set.levels.length).toBeGreaterThan(4);
    for (const [level, { cols, rows }] of set.levels.entries())
      for (let row = 0; row < rows; row++)
        for (let col = 0; col < cols; col++) {
          const tile = new Uint8Array(64 * 64 * 3);
          expect(await source.readTile(level, col, row, tile)).toBe('decoded');
          const off = [0xaa, 0x66, 0x33].map((value, i) => Math.abs(value - tile[i]!));
          expect(Math.max(...off)).toBeLessThan(4);
        }
  });

  it('numbers its tiles through all tiers, 256 to a folder', () => {
    const text = '<IMAGE_PROPERTIES WIDTH="5000" HEIGHT="4000" NUMTILES="444" VERSION="1.8" TILESIZE="256" />';
    const { levels } = readTileSet(write(join(folder(), 'ImageProperties.xml'), text))!;
    expect(levels.map(({ cols, rows }) => cols * rows)).toEqual([320, 80, 20, 6, 2, 1].slice(0, levels.length));
    expect(tileName(levels.at(-1)!, 0, 0)).toBe('TileGroup0/0-0-0.jpg');
    const before = levels.slice(1).reduce((sum, { cols, rows }) => sum + cols * rows, 0);
    expect(tileName(levels[0]!, 0, 0)).toBe(`TileGroup${Math.floor(before / 256)}/${levels.length - 1}-0-0.jpg`);
    expect(tileName(levels[0]!, 19, 15)).toBe(`TileGroup1/${levels.length - 1}-19-15.jpg`);
  });
});

describe('TileFolderSource', () => {
  /** A picture cut into a DeepZoom by sharp, losslessly. */
  async function deepZoom(overlap: number) {
    const root = folder();
    const [width, height] = [300, 210];
    const pixels = Uint8Array.from({ length: width * height * 3 }, (_, i) => Math.imul(i, 2654435761) >>> 24);
    const image = sharp(pixels, { raw: { width, height, channels: 3 } }).png();
    await image.tile({ size: 64, overlap, layout: 'dz' }).toFile(join(root, 'slide.dz'));
    return { set: readTileSet(join(root, 'slide.dzi'))!, pixels, width, height };
  }

  it.each([0, 3])('puts tiles with an overlap of %i pixels together again', async overlap => {
    const { set, pixels, width, height } = await deepZoom(overlap);
    const source = sourceOf(set);
    const { tileWidth, tileHeight, cols, rows } = set.levels[0]!;
    for (let row = 0; row < rows; row++)
      for (let col = 0; col < cols; col++) {
        const tile = new Uint8Array(tileWidth * tileHeight * 3);
        expect(await source.readTile(0, col, row, tile)).toBe('decoded');
        const across = tileSpan(col, tileWidth, width, overlap, false)[1];
        for (let y = 0; y < Math.min(tileHeight, height - row * tileHeight); y++) {
          const from = ((row * tileHeight + y) * width + col * tileWidth) * 3;
          const line = tile.subarray(y * tileWidth * 3, (y * tileWidth + across) * 3);
          expect(Buffer.compare(line, pixels.subarray(from, from + across * 3))).toBe(0);
        }
      }
  });

  it('says what is missing and what is damaged, and follows no link', async () => {
    const root = folder();
    const set = readTileSet(manifest({}, root))!;
    const source = sourceOf(set);
    const tile = new Uint8Array(256 * 200 * 3);
    const outside = write(join(folder(), 'secret.jpg'), 'secret');
    symlinkSync(outside, join(root, 'X1Y0.jpg'));
    symlinkSync(dirname(outside), join(root, 'away'));
    const away = readTileSet(manifest({ pattern: 'away/{col}-{row}secret.jpg' }, root))!;
    write(join(dirname(outside), '0-0secret.jpg'), 'secret');
    expect(await sourceOf(away).readTile(0, 0, 0, new Uint8Array(256 * 200 * 3))).toBe('missing');
    expect(tileFolderFacts(away).stored!(0)).toMatchObject({ expected: 4, seen: 0 });
    write(join(root, 'X0Y1.jpg'), 'not a picture');
    const small = await sharp({ create: { width: 10, height: 10, channels: 3, background: '#fff' } })
      .jpeg()
      .toBuffer();
    write(join(root, 'X1Y1.jpg'), small);
    expect(await source.readTile(0, 0, 0, tile)).toBe('missing');
    expect(await source.readTile(0, 1, 0, tile)).toBe('missing');
    expect((await failureOf(() => source.readTile(0, 0, 1, tile))).code).toBe('TILE_CORRUPT');
    expect((await failureOf(() => source.readTile(0, 1, 1, tile))).message).toContain('10 × 10');
  });
});
