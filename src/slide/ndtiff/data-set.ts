import { createHash } from 'node:crypto';
import { closeSync, openSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { StromaflowError } from '../../errors.js';
import { readRegularFile, SAFELY } from '../regular-file.js';
import type { LevelGeometry } from '../slide.js';
import type { SlideFacts } from '../slide-facts.js';
import { readBytes, unreadable } from '../tiff-probe.js';
import { NDTIFF_KIND, NDTIFF_TYPES, type NdTiffDescription, type NdTiffLevel, partName } from './description.js';
import { type IndexEntry, readIndex, readSummary } from './read-index.js';

/** Larger indexes than of a million tiles are damage. */
const MAX_INDEX = 256 * 2 ** 20;
const HEAD_BYTES = 1 << 20;
const PART = /^(.+)_NDTiffStack\.tif$/;

export const readIndexFile = (index: string) => readRegularFile(index, MAX_INDEX);

/** A data set without its tiles: the level has no spacing yet, its arrays are empty. */
interface DataSet {
  readonly folder: string;
  readonly prefix: string;
  readonly mpp: number | undefined;
  readonly level: Omit<NdTiffLevel, 'mpp'>;
}

/**
 * What the summary metadata beside an NDTiff.index says.
 *
 * @throws SLIDE_UNREADABLE while it is not there or has no size.
 */
export function readDataSet(index: string): DataSet {
  const folder = dirname(index);
  const prefix = readdirSync(folder)
    .map(name => PART.exec(name)?.[1])
    .find(name => name !== undefined);
  if (prefix === undefined) throw unreadable(index, 'has no images beside it');
  const part = join(folder, partName(prefix, 0));
  const fd = openPart(part);
  let head: Buffer;
  try {
    head = readBytes(fd, 0, HEAD_BYTES);
  } finally {
    closeSync(fd);
  }
  const { width, height, tileWidth, tileHeight, mpp } = readSummary(part, head);
  const cols = Math.ceil(width / tileWidth);
  const rows = Math.ceil(height / tileHeight);
  const array = () => new Float64Array(new SharedArrayBuffer(cols * rows * 8));
  const places = { offsets: array(), parts: array(), types: array() };
  return { folder, prefix, mpp, level: { width, height, tileWidth, tileHeight, downsample: 1, cols, rows, ...places } };
}

export const describeDataSet = (index: string, { folder, prefix, level }: DataSet, mpp: number): NdTiffDescription => ({
  kind: NDTIFF_KIND,
  path: index,
  folder,
  prefix,
  levels: [{ ...level, mpp }],
});

/** @throws SLIDE_UNREADABLE for one that is a link, or gone. */
function openPart(path: string): number {
  try {
    return openSync(path, SAFELY);
  } catch (error) {
    throw new StromaflowError('SLIDE_UNREADABLE', `${path}: cannot be opened`, { cause: error });
  }
}

/** A data set that nobody writes any more: all that its index lists. A later entry of a tile replaces an earlier one. */
export function readNdTiffFacts(index: string): SlideFacts {
  const set = readDataSet(index);
  const file = readIndexFile(index);
  if (!file) throw unreadable(index, 'is no index');
  const described = describeDataSet(index, set, 1);
  for (const entry of readIndex(index, file.bytes, 0)) {
    const place = placeOf(described, entry);
    if (place && isStored(described, entry)) note(set.level, place, entry.offset);
  }
  const { offsets, ...level } = set.level;
  const expected = offsets.length;
  const seen = offsets.reduce((count, offset) => count + (offset === 0 ? 0 : 1), 0);
  return {
    format: 'NDTiff',
    mpp: set.mpp,
    levels: [level],
    properties: {},
    fingerprint: `ndtiff-${Math.trunc(file.stats.mtimeMs)}-${createHash('sha256').update(file.bytes).digest('hex').slice(0, 32)}`,
    stored: () => ({ expected, seen }),
    describe: ([geometry]: readonly LevelGeometry[]) => describeDataSet(index, set, geometry!.mpp),
  };
}

/** Where an entry's pixels lie, and of which tile. */
export interface TilePlace {
  readonly tile: number;
  readonly part: number;
  /** NaN where its size or coding is not the data set's: reading the tile then says so. */
  readonly type: number;
}

/** Undefined for entries of no tile of the grid, or in a file that is no part. */
export function placeOf({ prefix, levels }: NdTiffDescription, entry: IndexEntry): TilePlace | undefined {
  const { cols, rows, tileWidth, tileHeight } = levels[0]!;
  const { axes, file, width, height, type, compression } = entry;
  const [row, col] = [Number(axes['row']), Number(axes['column'])];
  const part = partOf(prefix, file);
  if (!(col >= 0 && col < cols && row >= 0 && row < rows && Number.isInteger(col) && Number.isInteger(row)))
    return undefined;
  if (part === undefined) return undefined;
  const sound = width === tileWidth && height === tileHeight && compression === 0;
  return { tile: row * cols + col, part, type: sound ? type : Number.NaN };
}

/** Keeps a tile's place; its offset last, because a tile without one is not read. */
export function note(
  { offsets, parts, types }: Pick<NdTiffLevel, 'offsets' | 'parts' | 'types'>,
  { tile, part, type }: TilePlace,
  offset: number,
): void {
  parts[tile] = part;
  types[tile] = type;
  offsets[tile] = offset;
}

/** Over a network the index may be seen to grow before the part does. */
export function isStored({ folder, prefix }: NdTiffDescription, entry: IndexEntry): boolean {
  const part = partOf(prefix, entry.file);
  if (part === undefined) return true;
  const size = statSync(join(folder, partName(prefix, part)), { throwIfNoEntry: false })?.size ?? 0;
  return entry.offset + entry.width * entry.height * (NDTIFF_TYPES[entry.type] ?? 0) <= size;
}

/** Number of a part by its name; names of other files are not followed. */
export function partOf(prefix: string, file: string): number | undefined {
  const number = file.startsWith(prefix) ? /^_NDTiffStack(?:_(\d{1,4}))?\.tif$/.exec(file.slice(prefix.length)) : null;
  return number ? Number(number[1] ?? 0) : undefined;
}

/** The stored bytes of one tile. */
export function tileBytes(source: NdTiffDescription, part: number, offset: number, type: number): Buffer {
  const { folder, prefix, levels } = source;
  const { tileWidth, tileHeight } = levels[0]!;
  const fd = openPart(join(folder, partName(prefix, part)));
  try {
    return readBytes(fd, offset, tileWidth * tileHeight * (NDTIFF_TYPES[type] ?? 0));
  } finally {
    closeSync(fd);
  }
}
