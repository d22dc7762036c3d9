import { closeSync, openSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { StromaflowError } from '../../errors.js';
import { readRegularFile, SAFELY } from '../regular-file.js';
import { readBytes, unreadable } from '../tiff/probe.js';
import { NDTIFF_KIND, NDTIFF_TYPES, type NdTiffDescription, type NdTiffLevel, partName } from './description.js';
import type { NdTiffGrid } from './grid.js';
import { dataSetFolder, isPartOfNdTiff, prefixOf } from './layout.js';
import { type IndexEntry, type NdTiffSummary, readSummary } from './read-index.js';

/** Larger indexes than of a million tiles are damage. */
const MAX_INDEX = 256 * 2 ** 20;
const HEAD_BYTES = 1 << 20;

export const readIndexFile = (index: string) => readRegularFile(index, MAX_INDEX);

/** A data set without its tiles. */
export interface DataSet {
  readonly index: string;
  /** Where its parts are. */
  readonly folder: string;
  readonly prefix: string;
  readonly summary: NdTiffSummary;
}

/**
 * What the summary metadata beside an NDTiff.index says.
 *
 * @throws SLIDE_UNREADABLE while it is not there, and for a reduced resolution of a data set.
 */
export function readDataSet(index: string): DataSet {
  const folder = dirname(index);
  if (isPartOfNdTiff(index))
    throw unreadable(index, 'is a reduced resolution of a data set', `give ${dirname(folder)} instead`);
  const prefixes = new Set(readdirSync(folder).map(prefixOf));
  prefixes.delete(undefined);
  if (prefixes.size > 1)
    throw unreadable(index, 'has the images of several data sets beside it', 'put each into a folder of its own');
  const [prefix] = prefixes;
  if (prefix === undefined) throw unreadable(index, 'has no images beside it');
  const part = join(folder, partName(prefix, 0));
  const fd = openPart(part);
  try {
    return { index, folder, prefix, summary: readSummary(part, readBytes(fd, 0, HEAD_BYTES)) };
  } finally {
    closeSync(fd);
  }
}

/** Describes a data set none of whose tiles has come. */
export function describeDataSet({ index, folder, prefix }: DataSet, grid: NdTiffGrid, mpp: number): NdTiffDescription {
  const array = () => new Float64Array(new SharedArrayBuffer(grid.cols * grid.rows * 8));
  const places = { offsets: array(), parts: array(), types: array() };
  return { kind: NDTIFF_KIND, path: index, folder, prefix, levels: [{ ...grid, mpp, ...places }] };
}

/** Folders in which `.done` says that a data set is finished. */
export const doneFolders = (index: string): string[] => [...new Set([dirname(index), dataSetFolder(index)])];

/** @throws SLIDE_UNREADABLE for one that is a link, or gone. */
function openPart(path: string): number {
  try {
    return openSync(path, SAFELY);
  } catch (error) {
    throw new StromaflowError('SLIDE_UNREADABLE', `${path}: cannot be opened`, { cause: error });
  }
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
  const { cols, rows, firstCol, firstRow, imageWidth, imageHeight } = levels[0]!;
  const { axes, file, width, height, type, compression } = entry;
  const [row, col] = [Number(axes['row']) - firstRow, Number(axes['column']) - firstCol];
  const part = partOf(prefix, file);
  if (!(col >= 0 && col < cols && row >= 0 && row < rows && Number.isInteger(col) && Number.isInteger(row)))
    return undefined;
  if (part === undefined) return undefined;
  const sound = width === imageWidth && height === imageHeight && compression === 0;
  return { tile: row * cols + col, part, type: sound ? type : Number.NaN };
}

/** Bits a sample by type, of those that are deeper than brightfield images are. */
const DEEP: Readonly<Record<number, number>> = { 1: 16, 3: 10, 4: 12, 5: 14, 6: 11 };

/** @throws SLIDE_UNSUPPORTED when all images are deeper. */
export function checkDepth(path: string, placed: readonly IndexEntry[]): void {
  const bits = placed.map(({ type }) => DEEP[type]);
  if (bits.length > 0 && bits.every(depth => depth !== undefined))
    throw new StromaflowError('SLIDE_UNSUPPORTED', `${path}: its images have ${bits[0]} bits a sample`, {
      fix: 'write them in RGB, or grey, with 8 bits a sample',
    });
}

/**
 * Looks at a data set's images before any is read: all have a kind that is none, or another size than the summary says.
 *
 * @throws SLIDE_UNSUPPORTED, SLIDE_UNREADABLE
 */
export function checkImages({ path, levels }: NdTiffDescription, placed: readonly IndexEntry[]): void {
  checkDepth(path, placed);
  const [first] = placed;
  const { imageWidth, imageHeight } = levels[0]!;
  if (first && placed.every(({ width, height }) => width !== imageWidth || height !== imageHeight))
    throw unreadable(
      path,
      `its images are ${first.width} × ${first.height} pixels instead of ${imageWidth} × ${imageHeight}, as its summary metadata says`,
      'correct TileWidth, TileHeight, GridPixelOverlapX and GridPixelOverlapY',
    );
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
export function isStored({ folder, prefix }: Pick<DataSet, 'folder' | 'prefix'>, entry: IndexEntry): boolean {
  const part = partOf(prefix, entry.file);
  if (part === undefined) return true;
  const size = statSync(join(folder, partName(prefix, part)), { throwIfNoEntry: false })?.size ?? 0;
  return entry.offset + entry.width * entry.height * (NDTIFF_TYPES[entry.type] ?? 0) <= size;
}

/** Number of a part by its name; names of other files are not followed. */
export function partOf(prefix: string, file: string): number | undefined {
  const number = file.startsWith(prefix) ? /^NDTiffStack(?:_(\d{1,4}))?\.tif$/.exec(file.slice(prefix.length)) : null;
  return number ? Number(number[1] ?? 0) : undefined;
}

/** The stored bytes of one image. */
export function imageBytes(source: NdTiffDescription, part: number, offset: number, type: number): Buffer {
  const { folder, prefix, levels } = source;
  const { imageWidth, imageHeight } = levels[0]!;
  const fd = openPart(join(folder, partName(prefix, part)));
  try {
    return readBytes(fd, offset, imageWidth * imageHeight * (NDTIFF_TYPES[type] ?? 0));
  } finally {
    closeSync(fd);
  }
}
