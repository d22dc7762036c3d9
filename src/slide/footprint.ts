import type { LevelGeometry } from './slide.js';

/** Where a tile of a level lies, and what of the next finer level it is drawn from. */
export interface Footprint {
  /** Pixels of the finer level per pixel of the tile's. */
  readonly scale: number;
  /** The tile's part inside its level, in that level's pixels. */
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** As far as the finer level reaches, in pixels of the tile's level. */
  readonly slideWidth: number;
  readonly slideHeight: number;
}

type Geometry = Omit<LevelGeometry, 'mpp'>;

/** Undefined for a tile of the finest level, and where the level before it is no finer. */
export function footprintOf(
  levels: readonly Geometry[],
  level: number,
  col: number,
  row: number,
): Footprint | undefined {
  const geometry = levels[level];
  const finer = levels[level - 1];
  const scale = geometry && finer ? geometry.downsample / finer.downsample : 0;
  if (!geometry || !finer || !(scale >= 1)) return undefined;
  const { tileWidth, tileHeight } = geometry;
  const [x, y] = [col * tileWidth, row * tileHeight];
  return {
    ...{ scale, x, y },
    width: Math.min(tileWidth, geometry.width - x),
    height: Math.min(tileHeight, geometry.height - y),
    slideWidth: reach(geometry.width, finer.width, scale),
    slideHeight: reach(geometry.height, finer.height, scale),
  };
}

/** Sizes of levels are rounded: the last pixel may reach past the finer level. What lies further out is padding. */
const reach = (size: number, finerSize: number, scale: number): number =>
  Math.min(size, Math.floor(finerSize / scale) + 1);
