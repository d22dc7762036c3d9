import { basename, dirname, extname } from 'node:path';
import { StromaflowError } from '../../errors.js';
import { decodeText } from '../../text.js';
import { dataSetFolder, NDTIFF_INDEX } from '../ndtiff/layout.js';
import { readRegularFile } from '../regular-file.js';
import { readDeepZoom, readZoomify } from './deep-zoom.js';
import { readManifest } from './manifest.js';
import { unreadableManifest } from './manifest-fields.js';
import type { TileSet } from './tile-set.js';

/** Larger files describe no tile set. */
const MAX_BYTES = 1 << 20;
/** Tiles of one level: 260,000 pixels a side in tiles of 256. Every one may come to be remembered. */
const MAX_TILES = 2 ** 20;

export const MANIFEST = 'manifest.json';
export const ZOOMIFY = 'ImageProperties.xml';

/** Where a lab's own software or Squid says where each field of view was taken (coordinates.ts). */
export const COORDINATES = 'coordinates.csv';

const NAMES: readonly string[] = [MANIFEST, ZOOMIFY, COORDINATES, NDTIFF_INDEX];

export const isDeepZoom = (path: string): boolean => extname(path).toLowerCase() === '.dzi';

/** True for files that describe a slide stored as tiles. */
export const isTileManifest = (path: string): boolean => NAMES.includes(basename(path)) || isDeepZoom(path);

/** The folder that belongs to a description: what lies below is no slide of its own. */
export function folderOf(manifest: string): string {
  if (isDeepZoom(manifest)) return `${manifest.slice(0, -4)}_files`;
  return basename(manifest) === NDTIFF_INDEX ? dataSetFolder(manifest) : dirname(manifest);
}

/**
 * Reads what describes a slide stored as tiles: `manifest.json` (docs/scanners.md), a DeepZoom `.dzi`, or Zoomify's
 * ImageProperties.xml. Looks at no tile. Undefined for a manifest.json of something else.
 *
 * @throws SLIDE_UNREADABLE while it is not whole, or is about something else; FILE_NOT_FOUND.
 */
export function readTileSet(manifest: string): TileSet | undefined {
  const file = readRegularFile(manifest, MAX_BYTES);
  if (!file) throw new StromaflowError('FILE_NOT_FOUND', `${manifest}: no file that describes tiles`);
  const text = decodeText(file.bytes);
  const set =
    basename(manifest) === MANIFEST
      ? readManifest(manifest, text)
      : isDeepZoom(manifest)
        ? readDeepZoom(manifest, text, folderOf(manifest))
        : readZoomify(manifest, text);
  const tiles = Math.max(0, ...(set?.levels ?? []).map(({ cols, rows }) => cols * rows));
  if (tiles > MAX_TILES) throw unreadableManifest(manifest, `describes a level of ${tiles} tiles`);
  return set;
}
