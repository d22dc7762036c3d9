import type { PixelRectangle } from '../slide/rectangles.js';
import type { PixelMemory } from './pixel-memory.js';

/** Spent tiles that are kept for the next patch in the row, which shares some of them. */
const RESERVE_BYTES = 4 * 2 ** 20;
const RESERVE_TILES = 8;

const NO_GAPS: readonly PixelRectangle[] = [];

/**
 * Decoded tiles in frames of one size, least recently used first out, with two refinements for reading a slide patch by
 * patch. Frames are recycled before new ones are touched, so that a large slide costs no more memory than a small one.
 * And tiles that the next row of patches will not touch are "spent": their frames go first, so that the row of tiles
 * which it does share survives in a small cache.
 */
export class TileCache {
  readonly #memory: PixelMemory;
  readonly #capacity: number;
  readonly #live = new Map<number, number>();
  readonly #spent = new Map<number, number>();
  /** Of the tiles above, those of which a part is missing. */
  readonly #gaps = new Map<number, readonly PixelRectangle[]>();
  #free: number[] = [];
  #frameBytes = 0;
  #start = 0;
  #untouched = 0;

  /** @param capacity bytes of pixels kept; one tile is always kept. */
  constructor(memory: PixelMemory, capacity: number) {
    this.#memory = memory;
    this.#capacity = capacity;
  }

  /** Frames that were ever used, in bytes. */
  get touchedBytes(): number {
    return (this.#live.size + this.#spent.size + this.#free.length) * this.#frameBytes;
  }

  /** Makes room for tiles of this size. Larger ones than before empty the cache. May invalidate views of the memory. */
  prepare(tileBytes: number): void {
    if (tileBytes <= this.#frameBytes) return;
    this.#frameBytes = Math.ceil(tileBytes / 64) * 64;
    const frames = Math.max(1, Math.floor(this.#capacity / this.#frameBytes));
    this.#start = this.#memory.area('tiles', Math.max(this.#capacity, this.#frameBytes));
    this.#untouched = frames;
    this.#live.clear();
    this.#spent.clear();
    this.#gaps.clear();
    this.#free = [];
  }

  /** Address of a tile's pixels; undefined when it is not there. */
  get(key: number): number | undefined {
    const spent = this.#spent.get(key);
    const at = spent ?? this.#live.get(key);
    if (at === undefined) return undefined;
    (spent === undefined ? this.#live : this.#spent).delete(key);
    this.#live.set(key, at);
    return at;
  }

  /** What of a tile that is there no pixel is stored of, in its own pixels. */
  gapsOf(key: number): readonly PixelRectangle[] {
    return this.#gaps.get(key) ?? NO_GAPS;
  }

  /** Address of a frame to decode into: a free one, a spent tile's, an untouched one, the oldest tile's. */
  take(): number {
    const reserve = Math.max(RESERVE_TILES, RESERVE_BYTES / this.#frameBytes);
    const recycled = this.#free.pop() ?? (this.#spent.size > reserve ? this.#oldest(this.#spent) : undefined);
    if (recycled !== undefined) return recycled;
    if (this.#untouched > 0) return this.#start + --this.#untouched * this.#frameBytes;
    return this.#oldest(this.#spent) ?? this.#oldest(this.#live)!;
  }

  /** Gives back a frame that `take` lent. */
  release(at: number): void {
    this.#free.push(at);
  }

  put(key: number, at: number, gaps = NO_GAPS): void {
    this.#live.set(key, at);
    if (gaps.length > 0) this.#gaps.set(key, gaps);
  }

  /** Says that this tile will not be asked for again if patches come in order. */
  spend(key: number): void {
    const at = this.#live.get(key);
    if (at === undefined) return;
    this.#live.delete(key);
    this.#spent.set(key, at);
  }

  /** Drops the tiles with keys from `from` up to below `to`. */
  forget(from: number, to: number): void {
    for (const tiles of [this.#live, this.#spent]) {
      for (const [key, at] of tiles) {
        if (key < from || key >= to) continue;
        tiles.delete(key);
        this.#gaps.delete(key);
        this.#free.push(at);
      }
    }
  }

  #oldest(tiles: Map<number, number>): number | undefined {
    for (const [key, at] of tiles) {
      tiles.delete(key);
      this.#gaps.delete(key);
      return at;
    }
    return undefined;
  }
}
