import { basename, dirname, extname } from 'node:path';
import { StromaflowError } from '../../errors.js';
import { unreadable } from '../../slide/tiff-probe.js';
import { readRegularFile } from '../regular-file.js';
import type { TileSet, TileSetLevel } from './tile-set.js';

/** Larger files describe no tile set. */
const MAX_BYTES = 1 << 20;
/** Sides and tiles beyond these are damage. */
const MAX_SIDE = 2 ** 24;
const MAX_TILE = 8192;
/** Tiles of one level: 260,000 pixels a side in tiles of 256. Every one may come to be remembered. */
const MAX_TILES = 2 ** 20;
const MAX_PATTERN = 255;

const MANIFEST = 'manifest.json';
const ZOOMIFY = 'ImageProperties.xml';

/** The index of an NDTiff data set (src/live/ndtiff). */
export const NDTIFF_INDEX = 'NDTiff.index';

/** True for files that describe a slide stored as tiles. */
export const isTileManifest = (path: string): boolean =>
  [MANIFEST, ZOOMIFY, NDTIFF_INDEX].includes(basename(path)) || extname(path).toLowerCase() === '.dzi';

/** The folder that belongs to a description: what lies below is no slide of its own. */
export const folderOf = (manifest: string): string =>
  extname(manifest).toLowerCase() === '.dzi' ? `${manifest.slice(0, -4)}_files` : dirname(manifest);

/**
 * Reads what describes a slide stored as tiles: `manifest.json` (docs/scanners.md), a DeepZoom `.dzi`, or Zoomify's
 * ImageProperties.xml. Looks at no tile. Undefined for a manifest.json of something else.
 *
 * @throws SLIDE_UNREADABLE while it is not whole, or is about something else.
 */
export function readTileSet(manifest: string): TileSet | undefined {
  const read =
    basename(manifest) === MANIFEST
      ? readManifest
      : extname(manifest).toLowerCase() === '.dzi'
        ? readDeepZoom
        : readZoomify;
  const set = read(manifest, readText(manifest));
  const tiles = Math.max(0, ...(set?.levels ?? []).map(({ cols, rows }) => cols * rows));
  if (tiles > MAX_TILES) throw unreadable(manifest, `describes a level of ${tiles} tiles`);
  return set;
}

function readText(path: string): string {
  const file = readRegularFile(path, MAX_BYTES);
  if (!file) throw new StromaflowError('FILE_NOT_FOUND', `${path}: no file that describes tiles`);
  return file.bytes.toString('utf8');
}

/** One level; width, height, tileWidth, tileHeight, pattern are needed, mpp, tiles and colour are not. */
function readManifest(manifest: string, text: string): TileSet | undefined {
  const fields = parseJson(manifest, text);
  if (!('pattern' in fields)) return undefined;
  const number = (name: string, most: number) => wholeNumber(manifest, name, fields[name], most);
  const pattern = fields['pattern'];
  // Tiles lie in the manifest's own folder, or below it.
  if (
    typeof pattern !== 'string' ||
    pattern.length > MAX_PATTERN ||
    !/^[\w.{}-]+(\/[\w.{}-]+)*$/.test(pattern) ||
    /(^|\/)\.\.?(\/|$)/.test(pattern)
  )
    throw unreadable(manifest, 'its pattern is no name of a file below it');
  if (!pattern.includes('{col}') || !pattern.includes('{row}'))
    throw unreadable(manifest, 'its pattern lacks {col} or {row}');
  if (/\}\{|\{group\}/.test(pattern)) throw unreadable(manifest, 'its pattern does not tell columns from rows');
  const folder = pattern.slice(0, Math.max(0, pattern.lastIndexOf('/')));
  if (folder.includes('{col}') && folder.includes('{row}'))
    throw unreadable(manifest, 'its pattern has a folder a tile');
  const size = { width: number('width', MAX_SIDE), height: number('height', MAX_SIDE) };
  const tile = { tileWidth: number('tileWidth', MAX_TILE), tileHeight: number('tileHeight', MAX_TILE) };
  const { mpp, tiles, colour } = fields;
  return {
    format: 'tile folder',
    manifest,
    folder: dirname(manifest),
    mpp: typeof mpp === 'number' && mpp > 0 && Number.isFinite(mpp) ? mpp : undefined,
    levels: [{ ...levelOf(size.width, size.height, tile, 1), pattern, before: 0, overlap: 0, whole: true }],
    colour: colour === 'ycbcr' ? 'ycbcr' : 'rgb',
    tiles: typeof tiles === 'number' && Number.isInteger(tiles) && tiles > 0 ? tiles : undefined,
  };
}

/** Level n of a DeepZoom image is 2^n pixels wide or less; the finest has the whole size (schemas.microsoft.com/deepzoom/2008). */
function readDeepZoom(manifest: string, text: string): TileSet {
  const attribute = attributesOf(manifest, text, '</Image>');
  const [width, height] = [attribute('Width', MAX_SIDE), attribute('Height', MAX_SIDE)];
  const side = attribute('TileSize', MAX_TILE);
  const overlap = wholeNumber(manifest, 'Overlap', attributeText(text, 'Overlap') ?? '0', side, 0);
  const format = attributeText(text, 'Format') ?? 'jpg';
  if (!/^[a-z0-9]{1,8}$/i.test(format)) throw unreadable(manifest, 'its tiles have no format');
  const finest = Math.ceil(Math.log2(Math.max(width, height)));
  const levels: Omit<TileSetLevel, 'mpp'>[] = [];
  for (let down = 0; down <= finest; down++) {
    const scale = 2 ** down;
    const size = levelOf(Math.ceil(width / scale), Math.ceil(height / scale), square(side), scale);
    const pattern = `${finest - down}/{col}_{row}.${format}`;
    levels.push({ ...size, pattern, before: 0, overlap, whole: false });
    if (size.cols * size.rows === 1) break;
  }
  return {
    format: 'DeepZoom',
    manifest,
    folder: folderOf(manifest),
    mpp: undefined,
    levels,
    colour: 'rgb',
    tiles: undefined,
  };
}

/** Tier 0 fits one tile; tiles are numbered through all tiers, 256 to a folder. */
function readZoomify(manifest: string, text: string): TileSet {
  const attribute = attributesOf(manifest, text, '/>');
  const side = attribute('TILESIZE', MAX_TILE);
  const sizes: [width: number, height: number][] = [[attribute('WIDTH', MAX_SIDE), attribute('HEIGHT', MAX_SIDE)]];
  for (let [width, height] = sizes[0]!; width > side || height > side; sizes.push([width, height])) {
    width = Math.floor(width / 2);
    height = Math.floor(height / 2);
  }
  const grids = sizes.map(([width, height], down) => levelOf(width, height, square(side), 2 ** down));
  const levels = grids.map((grid, down) => ({
    ...grid,
    pattern: `TileGroup{group}/${grids.length - 1 - down}-{col}-{row}.jpg`,
    before: grids.slice(down + 1).reduce((sum, { cols, rows }) => sum + cols * rows, 0),
    overlap: 0,
    whole: false,
  }));
  return {
    format: 'Zoomify',
    manifest,
    folder: dirname(manifest),
    mpp: undefined,
    levels,
    colour: 'rgb',
    tiles: undefined,
  };
}

const square = (side: number) => ({ tileWidth: side, tileHeight: side });

function levelOf(width: number, height: number, tile: { tileWidth: number; tileHeight: number }, downsample: number) {
  const cols = Math.ceil(width / tile.tileWidth);
  const rows = Math.ceil(height / tile.tileHeight);
  return { width, height, ...tile, cols, rows, downsample };
}

function parseJson(manifest: string, text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // Said below: half a file and a file about something else look alike.
  }
  throw unreadable(manifest, 'is not (yet) a description of tiles');
}

/** @param end what a file that was written completely contains. */
function attributesOf(manifest: string, text: string, end: string): (name: string, most: number) => number {
  if (!text.includes(end)) throw unreadable(manifest, 'is not (yet) whole');
  return (name, most) => wholeNumber(manifest, name, attributeText(text, name), most);
}

const attributeText = (text: string, name: string): string | undefined =>
  new RegExp(`\\b${name}\\s*=\\s*["']([^"']*)["']`).exec(text)?.[1];

function wholeNumber(manifest: string, name: string, given: unknown, most: number, least = 1): number {
  const value = typeof given === 'string' && /^\d{1,9}$/.test(given) ? Number(given) : given;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most)
    throw unreadable(manifest, `its ${name} is not a whole number from ${least} to ${most}`);
  return value;
}
