import type { PatchArea } from './patch-table.js';

/** The grid of a mask, in its own pixels. */
export interface MaskGrid {
  /** Side of a patch's mask. */
  readonly core: number;
  readonly cols: number;
  readonly rows: number;
  /** Size of the slide. */
  readonly width: number;
  readonly height: number;
}

/** Pixels across that a patch has at most in the picture that travels with its event. */
const COARSE_SIDE = 16;

/**
 * Resolutions at which tiles of a mask are given out: at level k a tile is core × core pixels and covers 2^k × 2^k patches.
 * They end where one tile holds the slide, or a patch would no longer be whole pixels.
 */
export function maskLevels({ core, cols, rows }: MaskGrid): number {
  let levels = 1;
  while (core % 2 ** levels === 0 && Math.max(cols, rows) > 2 ** (levels - 1)) levels += 1;
  return levels;
}

/** The level at which a patch is a thumbnail. */
export function coarseLevel(core: number): number {
  let level = 0;
  while (core / 2 ** level > COARSE_SIDE && core % 2 ** (level + 1) === 0) level += 1;
  return level;
}

/** Patches of a tile; undefined where there is no such tile. */
export function tileArea(grid: MaskGrid, level: number, col: number, row: number): PatchArea | undefined {
  if (level >= maskLevels(grid)) return undefined;
  const span = 2 ** level;
  const [left, top] = [col * span, row * span];
  if (left >= grid.cols || top >= grid.rows) return undefined;
  return { col: left, row: top, cols: Math.min(span, grid.cols - left), rows: Math.min(span, grid.rows - top) };
}

/**
 * Makes a raster of 0 and 1 coarser: 1 where at least half of a block's pixels inside `width` × `height` are set.
 *
 * @param factor pixels of the raster a pixel of the result; a divisor of its side.
 */
export function coarser(raster: Uint8Array, side: number, factor: number, width: number, height: number): Uint8Array {
  if (factor === 1) return raster;
  const out = new Uint8Array((side / factor) ** 2);
  for (let y = 0, at = 0; y < side; y += factor)
    for (let x = 0; x < side; x += factor, at++) {
      let set = 0;
      for (let dy = 0; dy < factor; dy++) for (let dx = 0; dx < factor; dx++) set += raster[(y + dy) * side + x + dx]!;
      const across = Math.max(0, Math.min(factor, width - x));
      const down = Math.max(0, Math.min(factor, height - y));
      out[at] = set > 0 && 2 * set >= across * down ? 1 : 0;
    }
  return out;
}
