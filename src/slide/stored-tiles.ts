import { footprintOf } from './footprint.js';
import type { LevelGeometry, StoredTiles } from './slide.js';

type Geometry = Omit<LevelGeometry, 'mpp'>;

export interface TileTable {
  /** Finest first. */
  readonly levels: readonly Geometry[];
  /** Whether a level has a tile; `row × columns + column`. */
  has(level: number, tile: number): boolean;
}

/** How the tiles of a level stand: stored, or drawn from finer ones, as the reader will do it. */
export function countTiles({ levels, has }: TileTable, level: number): StoredTiles {
  const { cols, rows } = gridOf(levels[level]!);
  let seen = 0;
  let drawn = 0;
  for (let row = 0, tile = 0; row < rows; row++)
    for (let col = 0; col < cols; col++, tile++)
      if (has(level, tile)) seen++;
      else if (isDrawn({ levels, has }, level, col, row)) drawn++;
  return { expected: cols * rows, seen, drawn };
}

/** True when finer levels have all of a tile that its own does not store. */
function isDrawn({ levels, has }: TileTable, level: number, col: number, row: number): boolean {
  const footprint = footprintOf(levels, level, col, row);
  if (!footprint) return false;
  const { scale, x, y, width, height, slideWidth, slideHeight } = footprint;
  if (x + width > slideWidth || y + height > slideHeight) return false;
  const finer = levels[level - 1]!;
  const { cols } = gridOf(finer);
  const [left, right] = span(x, width, scale, finer.width, finer.tileWidth);
  const [top, bottom] = span(y, height, scale, finer.height, finer.tileHeight);
  for (let down = top; down <= bottom; down++)
    for (let across = left; across <= right; across++)
      if (!has(level - 1, down * cols + across) && !isDrawn({ levels, has }, level - 1, across, down)) return false;
  return true;
}

/** First and last tile under an interval of a coarser level. */
function span(start: number, length: number, scale: number, size: number, tile: number): [number, number] {
  const last = Math.min(size, Math.ceil((start + length) * scale - 1e-9)) - 1;
  return [Math.floor(Math.min(Math.floor(start * scale), last) / tile), Math.floor(last / tile)];
}

const gridOf = ({ width, height, tileWidth, tileHeight }: Geometry) => ({
  cols: Math.ceil(width / tileWidth),
  rows: Math.ceil(height / tileHeight),
});
