import type { RemoteTiffDescription } from '../slide/remote/description.js';
import type { RemoteBytes, TileSourceDescription } from '../slide/slide.js';
import type { PatchPlan, PatchRef } from './patch.js';

/** Stored bytes of patches that are waited for: more would push each other out of the cache. */
const MOST_AHEAD = 8 * 2 ** 20;

/**
 * Fetches the tiles of patches as soon as they are asked for, not when their turn in a reader thread comes: several at a time are then on
 * their way, and tiles that lie side by side in the file share requests. Nothing is fetched that nobody asked for.
 */
export class ReadAhead {
  readonly #remote: RemoteBytes;
  readonly #level: RemoteTiffDescription['levels'][number];
  readonly #plan: PatchPlan;
  #ahead = 0;

  constructor(remote: RemoteBytes, source: TileSourceDescription, plan: PatchPlan) {
    this.#remote = remote;
    this.#level = (source as unknown as RemoteTiffDescription).levels[plan.level]!;
    this.#plan = plan;
  }

  /** Begins with a patch. @returns to be called when the patch was read */
  begin({ col, row }: PatchRef): () => void {
    const { scale, core, margin, patchSize } = this.#plan;
    const { tileWidth, tileHeight, cols, rows, offsets, byteCounts } = this.#level;
    const span = (place: number, tile: number, tiles: number) => {
      const from = place * core - margin;
      const first = Math.max(0, Math.floor((from * scale) / tile));
      return [first, Math.min(tiles - 1, Math.ceil(((from + patchSize) * scale) / tile) - 1)] as const;
    };
    const [left, right] = span(col, tileWidth, cols);
    const [top, bottom] = span(row, tileHeight, rows);
    const parts: { offset: number; length: number }[] = [];
    let bytes = 0;
    for (let down = top; down <= bottom; down++)
      for (let across = left; across <= right; across++) {
        const tile = down * cols + across;
        const length = byteCounts[tile]!;
        if (length > 0) parts.push({ offset: offsets[tile]!, length });
        bytes += length;
      }
    if (parts.length === 0 || this.#ahead + bytes > MOST_AHEAD) return () => undefined;
    this.#ahead += bytes;
    void this.#remote.ahead(parts);
    return () => {
      this.#ahead -= bytes;
    };
  }
}
