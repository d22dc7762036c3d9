import type { StoredPatch } from '../store/finished-slides.js';
import type { SlideGrid } from './report.js';

/** Patches of the largest grid that is pictured: one byte each is kept. */
const LARGEST_GRID = 1 << 22;

/** Bytes of a grid for patches without a mask that should have one. */
export const NOT_ANALYSED = { failed: 254, missing: 255 } as const;
const FULL_SHARE = 252;

/** An empty picture; undefined of a grid that is too large for one. */
export function emptyGrid(cols: number, rows: number): SlideGrid | undefined {
  return cols * rows <= LARGEST_GRID ? { cols, rows, cells: new Uint8Array(cols * rows) } : undefined;
}

/** Byte of a patch with a mask. */
export const maskCell = (stromaPixels: number, validPixels: number): number =>
  1 + Math.round(Math.min(1, validPixels > 0 ? stromaPixels / validPixels : 0) * FULL_SHARE);

/** Puts a byte where the grid has a place for it. */
export function setCell({ cols, rows, cells }: SlideGrid, col: number, row: number, value: number): void {
  if (col < cols && row < rows) cells[row * cols + col] = value;
}

/** The picture of a slide that is over, from its files; undefined of a grid that is too large. */
export async function storedGrid(
  cols: number,
  rows: number,
  patches: AsyncIterable<StoredPatch>,
): Promise<SlideGrid | undefined> {
  const grid = emptyGrid(cols, rows);
  if (!grid) return undefined;
  for await (const { col, row, outcome, stromaPixels, validPixels } of patches) {
    if (outcome === 'segmented') setCell(grid, col, row, maskCell(stromaPixels, validPixels));
    else if (outcome !== 'empty') setCell(grid, col, row, NOT_ANALYSED[outcome]);
  }
  return grid;
}
