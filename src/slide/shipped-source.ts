import { StromaflowError } from '../errors.js';
import type { LevelGeometry, TileSource, TileSourceDescription, TileState } from './slide.js';

export const SHIPPED_KIND = 'shipped';

/** A slide of which only the tiles that came are here, at the places that they have in its files. A type, so that it fits TileSourceDescription. */
export type ShippedDescription = {
  readonly kind: typeof SHIPPED_KIND;
  readonly path: string;
  /** Of the files here. */
  readonly inner: TileSourceDescription;
  /** By level and tile, row by row, on shared memory: 1 once all that is stored of it is here. */
  readonly here: readonly Uint8Array[];
};

/** Tiles of a level, row by row. */
export function gridOf({ width, height, tileWidth, tileHeight }: LevelGeometry) {
  return { cols: Math.ceil(width / tileWidth), rows: Math.ceil(height / tileHeight) };
}

/**
 * Reads what is here, and refuses to take the room of what is not for pixels.
 *
 * @param open opens `inner`.
 */
export async function openShippedSource(
  { path, inner, here }: ShippedDescription,
  open: (inner: TileSourceDescription) => Promise<TileSource>,
): Promise<TileSource> {
  const source = await open(inner);
  return {
    levels: source.levels,
    ...(source.sameInAllLevels ? { sameInAllLevels: true } : {}),
    readTile(level: number, col: number, row: number, into: Uint8Array): TileState | Promise<TileState> {
      const { cols } = gridOf(source.levels[level]!);
      if (here[level]![row * cols + col] === 1) return source.readTile(level, col, row, into);
      throw new StromaflowError('SLIDE_UNREADABLE', `${path}: tile (${col}, ${row}) of level ${level} did not come`, {
        fix: 'see whether ingest can read the slide; stromaflow dlq retry has its patches done again',
      });
    },
    close: () => source.close(),
  };
}
