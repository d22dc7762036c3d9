import type { StromaflowError } from '../../errors.js';
import type { SlideNote } from '../note.js';
import { checkOutside } from '../outside-grid.js';
import { unreadable } from '../tiff/probe.js';
import type { NdTiffLevel } from './description.js';
import { hasPlace, type IndexEntry, MAX_IMAGE, MAX_SIDE, type NdTiffSummary } from './read-index.js';

/** Every tile has a place in memory before it comes. */
const MAX_TILES = 2 ** 20;

/** How tiles lie on the slide, and what of a stored image is one; lengths in pixels of the finest resolution. */
export type NdTiffGrid = Omit<NdTiffLevel, 'mpp' | 'offsets' | 'parts' | 'types'>;

/** The grid that the summary metadata states; undefined where it states none. */
export function statedGrid(path: string, summary: NdTiffSummary): NdTiffGrid | undefined {
  const { size } = summary;
  if (!size) return undefined;
  const { width, height, tileWidth, tileHeight } = size;
  const lines = { cols: Math.ceil(width / tileWidth), rows: Math.ceil(height / tileHeight), firstCol: 0, firstRow: 0 };
  return gridOf(path, { ...size, ...lines }, summary);
}

/**
 * The grid that the tiles of a finished data set make: as many rows and columns as they have, which may begin below 0, of the
 * size of the first.
 *
 * @throws SLIDE_UNREADABLE for a data set without tiles, or of more than a million.
 */
export function gridOfTiles(path: string, entries: Iterable<IndexEntry>, summary: NdTiffSummary): NdTiffGrid {
  const [overlapX, overlapY] = summary.overlap;
  let size: { readonly tileWidth: number; readonly tileHeight: number } | undefined;
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const { axes, width, height } of entries) {
    const [row, col] = [axes['row'], axes['column']];
    if (!hasPlace({ axes })) continue;
    [left, right] = [Math.min(left, Number(col)), Math.max(right, Number(col))];
    [top, bottom] = [Math.min(top, Number(row)), Math.max(bottom, Number(row))];
    size ??= { tileWidth: width - overlapX, tileHeight: height - overlapY };
  }
  if (!size) throw withoutPlaces(path);
  const { tileWidth, tileHeight } = size;
  if (tileWidth < 1 || tileHeight < 1) throw unreadable(path, 'its images are no larger than they overlap');
  const [cols, rows] = [right - left + 1, bottom - top + 1];
  const whole = { width: cols * tileWidth, height: rows * tileHeight };
  return gridOf(path, { ...whole, ...size, cols, rows, firstCol: left, firstRow: top }, summary);
}

/** SLIDE_UNREADABLE for a data set none of whose images says where it lies. */
export const withoutPlaces = (path: string): StromaflowError =>
  unreadable(
    path,
    'no image has a row and a column, so that nobody knows how they lie side by side',
    'acquire the tiles with the axes row and column, as tiled acquisitions do, or stitch them into a TIFF first',
  );

/** SLIDE_UNREADABLE for a data set whose images lie outside of the size that it states. */
export const outsideOfGrid = (path: string): StromaflowError =>
  unreadable(path, 'no image lies inside the size that its summary metadata states', SIZE_FIX);

/**
 * Looks whether the images of a data set lie in the grid that it states.
 *
 * @returns a note where some do not.
 * @throws SLIDE_UNREADABLE where most do not, or rows or columns are not counted from 0.
 */
export function checkPlaces(
  path: string,
  grid: Pick<NdTiffGrid, 'width' | 'height' | 'cols' | 'rows'>,
  entries: Iterable<Pick<IndexEntry, 'axes'>>,
): SlideNote | undefined {
  const places = new Map<string, readonly [col: number, row: number]>();
  for (const { axes } of entries) {
    const [col, row] = [Number(axes['column']), Number(axes['row'])];
    places.set(`${col} ${row}`, [col, row]);
  }
  return checkOutside(path, grid, [...places.values()], SIZE_FIX);
}

const SIZE_FIX = 'correct Width, Height, TileWidth and TileHeight';

type Lines = Pick<
  NdTiffGrid,
  'width' | 'height' | 'tileWidth' | 'tileHeight' | 'cols' | 'rows' | 'firstCol' | 'firstRow'
>;

function gridOf(path: string, lines: Lines, { overlap: [overlapX, overlapY] }: NdTiffSummary): NdTiffGrid {
  const { cols, rows, tileWidth, tileHeight } = lines;
  if (cols * rows > MAX_TILES) throw unreadable(path, `describes ${cols * rows} tiles`);
  const stored = { imageWidth: tileWidth + overlapX, imageHeight: tileHeight + overlapY };
  if (Math.max(stored.imageWidth, stored.imageHeight) > MAX_IMAGE)
    throw unreadable(path, `has images of ${stored.imageWidth} × ${stored.imageHeight} pixels`);
  if (Math.max(lines.width, lines.height) > MAX_SIDE)
    throw unreadable(path, `describes a slide of ${lines.width} × ${lines.height} pixels`);
  // As its writer does when it shows or reduces them: half of the overlap falls off on either side.
  return { ...lines, ...stored, left: Math.floor(overlapX / 2), top: Math.floor(overlapY / 2), downsample: 1 };
}
