import type { SlideNote } from './note.js';
import { unreadable } from './tiff/probe.js';

type Place = readonly [col: number, row: number];

/** The grid that a stated size makes. */
interface Grid {
  readonly width: number;
  readonly height: number;
  readonly cols: number;
  readonly rows: number;
}

/**
 * Looks at the places that images say they have, each once, from column and row 0. Images outside of the grid are not read; where
 * they tell that the grid is not theirs, no image is.
 *
 * @param fix what to correct.
 * @returns a note where some lie outside.
 * @throws SLIDE_UNREADABLE where rows or columns are counted from another number than 0, or most images lie outside.
 */
export function checkOutside(
  path: string,
  { width, height, cols, rows }: Grid,
  places: readonly Place[],
  fix: string,
): SlideNote | undefined {
  const all = places.length;
  const outside = places.filter(([col, row]) => !(col >= 0 && col < cols && row >= 0 && row < rows)).length;
  if (outside === 0) return undefined;
  const grid = `${cols} × ${rows} tiles that the stated ${width} × ${height} pixels make`;
  const col = firstOf(places, 0, cols);
  const row = firstOf(places, 1, rows);
  const which = col !== undefined && row !== undefined ? 'rows and columns' : col !== undefined ? 'columns' : 'rows';
  const from = col !== undefined && row !== undefined && col !== row ? `${row} and ${col}` : (col ?? row);
  if (from !== undefined)
    throw unreadable(
      path,
      `${outside} of ${all} images lie outside the ${grid}: ${which} seem to be counted from ${from}, not 0`,
      `count ${which} from 0`,
    );
  if (outside * 2 > all) throw unreadable(path, `${outside} of ${all} images lie outside the ${grid}`, fix);
  return {
    code: 'image-left-out',
    message: `${outside} of ${all} images lie outside the stated size of ${width} × ${height} pixels (${cols} × ${rows} tiles) and are not read`,
  };
}

/** What a coordinate is counted from where that is not 0: images lie beyond one side of the grid, and none at the other. */
function firstOf(places: readonly Place[], axis: 0 | 1, count: number): number | undefined {
  let [first, last] = [Infinity, -Infinity];
  for (const place of places) [first, last] = [Math.min(first, place[axis]), Math.max(last, place[axis])];
  const isShifted = (first > 0 && last >= count) || (first < 0 && last < count - 1);
  return isShifted ? first : undefined;
}
