import type { OverviewCanvas } from '../read/overview.js';
import type { LevelGeometry } from '../slide/slide.js';

/** Side of a tile of the picture in pixels. */
export const PICTURE_TILE = 512;

/** Stored pixels across a pixel that may be read for a tile: 4096 × 4096 of them are decoded in a fifth of a second. */
const EASY_SCALE = 8;
/** Where nothing else is at hand. */
const WORST_SCALE = 32;

/** Of a slide's pixels: what a viewer needs to know to ask for tiles. */
export interface PictureShape {
  readonly levels: readonly LevelGeometry[];
  /** The picture that is filled while patches are read, and level-0 pixels per pixel of it. */
  readonly canvas?: { readonly overview: OverviewCanvas; readonly downsample: number };
}

/** Where a level of the picture comes from; `scale` is source pixels a pixel of the tile. */
export type PictureOrigin =
  | { readonly from: 'level'; readonly level: number; readonly scale: number }
  | { readonly from: 'canvas'; readonly scale: number };

/**
 * Levels of the picture: level z has a pixel for 2^z × 2^z of the slide's. They end where one tile holds the slide, or where it would
 * take too long to make one.
 */
export function pictureLevels(shape: PictureShape): number {
  const { width, height } = shape.levels[0]!;
  let count = 1;
  while (Math.max(width, height) / 2 ** (count - 1) > PICTURE_TILE && originOf(shape, count)) count += 1;
  return count;
}

/** Undefined where no such level can be made. */
export function originOf({ levels, canvas }: PictureShape, z: number): PictureOrigin | undefined {
  const wanted = 2 ** z;
  // Levels are seldom exact halves: a pixel in a hundred is nothing to the eye.
  const level = levels.findLastIndex(({ downsample }) => downsample <= wanted * 1.01);
  if (level < 0) return undefined;
  const scale = wanted / levels[level]!.downsample;
  if (scale <= EASY_SCALE * 1.01) return { from: 'level', level, scale: Math.abs(scale - 1) < 0.01 ? 1 : scale };
  if (canvas) return { from: 'canvas', scale: wanted / canvas.downsample };
  return scale <= WORST_SCALE * 1.01 ? { from: 'level', level, scale } : undefined;
}

/** Size of a tile, cut at the slide's edge; undefined where there is none. */
export function pictureTile(
  { levels }: PictureShape,
  z: number,
  col: number,
  row: number,
): { readonly width: number; readonly height: number } | undefined {
  const { width, height } = levels[0]!;
  const across = Math.min(PICTURE_TILE, Math.ceil(width / 2 ** z) - col * PICTURE_TILE);
  const down = Math.min(PICTURE_TILE, Math.ceil(height / 2 ** z) - row * PICTURE_TILE);
  return across > 0 && down > 0 ? { width: across, height: down } : undefined;
}
