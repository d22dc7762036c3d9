import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openGrowingTileFolder } from '#src/live/growing-tile-folder.js';
import { readTileSet } from '#src/slide/tile-folder/read-tile-set.js';
import { TileFolderSource } from '#src/slide/tile-folder/tile-folder-source.js';
import { TILE_FOLDER_KIND } from '#src/slide/tile-folder/tile-set.js';
import { seedsOf, textSeed } from '../corpus.mjs';
import { mutateBytes } from '../mutate.mjs';
import { mutateJpeg } from '../mutate-jpeg.mjs';
import { mutatePng } from '../mutate-png.mjs';
import { mutateText } from '../mutate-text.mjs';
import { MIB, readTiles, SLIDE_CODES } from './read-slide.mjs';

const FOLLOW = { mpp: 0.5, id: 'slide', pollSeconds: 0.001, stallSeconds: -1, settleSeconds: 0.001, events: false };
const CODES = [...SLIDE_CODES, 'FILE_NOT_FOUND'];

const MANIFESTS = [
  { width: 64, height: 64, tileWidth: 64, tileHeight: 64, mpp: 0.5, pattern: 'X{col}Y{row}.jpg' },
  {
    width: 500,
    height: 300,
    tileWidth: 256,
    tileHeight: 200,
    tiles: 3,
    colour: 'ycbcr',
    pattern: 'a/b/{row}-{col}.j2k',
  },
].map((manifest, i) => textSeed(`manifest ${i}`, JSON.stringify(manifest)));
const DZI = textSeed(
  'slide.dzi',
  '<?xml version="1.0" encoding="UTF-8"?><Image xmlns="http://schemas.microsoft.com/deepzoom/2008" Format="jpeg" Overlap="1" TileSize="254"><Size Height="2967" Width="2220"/></Image>',
);
const ZOOMIFY = textSeed(
  'ImageProperties.xml',
  '<IMAGE_PROPERTIES WIDTH="2220" HEIGHT="2967" NUMTILES="169" NUMIMAGES="1" VERSION="1.8" TILESIZE="256" />',
);

/** A description of tiles: read, opened, followed for one look, and tiles asked for, most of which are not there. */
const description = (name, file, seeds) => ({
  name,
  seeds: () => seeds,
  mutate: mutateText,
  codes: CODES,
  bound: { base: 64 * MIB, perByte: 16 },
  setUp: ({ folder }) => {
    mkdirSync(join(folder, 'set'), { recursive: true });
    for (const { bytes } of seedsOf('corpus', 'jpeg', /444\.jpg$/))
      writeFileSync(join(folder, 'set', 'X0Y0.jpg'), bytes);
  },
  run: async (bytes, files) => {
    const set = readTileSet(files.write(join('set', file), bytes));
    if (!set) return;
    const live = openGrowingTileFolder(set, FOLLOW);
    const signal = AbortSignal.abort();
    for await (const { tiles } of live.follow(set.levels.length - 1, signal)) tiles.at(0);
    for await (const { tiles } of live.follow(0, signal)) tiles.at(0);
    await live.close();
    await readTiles(new TileFolderSource(live.sourceFor(set.levels.length)), 2);
  },
});

/** One tile's image beside a sound description of 64 × 64 pixels. */
const image = (extension, mutate, seeds, side = [64, 64]) => ({
  name: `folder-${extension}`,
  seeds,
  mutate,
  codes: ['TILE_CORRUPT'],
  bound: { base: 16 * MIB, perByte: 32 },
  run: async (bytes, files) => {
    const [tileWidth, tileHeight] = side;
    files.write(`0_0.${extension}`, bytes);
    const level = {
      width: tileWidth,
      height: tileHeight,
      tileWidth,
      tileHeight,
      cols: 1,
      rows: 1,
      downsample: 1,
      mpp: 0.5,
      before: 0,
      overlap: 0,
      whole: false,
      colour: 'rgb',
      tiles: undefined,
    };
    const levels = [{ ...level, pattern: `{col}_{row}.${extension}` }];
    const { folder } = files;
    await readTiles(new TileFolderSource({ kind: TILE_FOLDER_KIND, path: folder, manifest: folder, folder, levels }));
  },
});

/** Slides as folders of images: what describes them, and the images. */
export const TILE_FOLDERS = [
  description('manifest', 'manifest.json', MANIFESTS),
  description('dzi', 'slide.dzi', [DZI]),
  description('zoomify', 'ImageProperties.xml', [ZOOMIFY]),
  image('jpg', mutateJpeg, () => seedsOf('corpus', 'jpeg', /\.jpg$/)),
  image('png', mutatePng, () => seedsOf('corpus', 'image', /\.png$/)),
  image('webp', mutateBytes, () => seedsOf('corpus', 'image', /\.webp$/)),
  image('tif', mutateBytes, () => seedsOf('corpus', 'image', /\.tif$/)),
];
