/**
 * Decoded tiles, least recently used first out, with two refinements for reading a slide patch by patch. Buffers are
 * recycled, never freed, so that a slide of any size costs the same memory. And tiles that the patches still to come will
 * not touch are "spent": they give their buffer up first, so that the row of tiles which the next row of patches shares
 * survives in a small cache.
 */
export interface CachedTile {
  readonly key: number;
  /** Undefined where the file stores no pixels. */
  readonly pixels: Uint8Array | undefined;
}

export class TileCache {
  readonly #capacity: number;
  readonly #live = new Map<number, CachedTile>();
  readonly #spent = new Map<number, CachedTile>();
  readonly #free = new Map<number, Uint8Array[]>();
  #allocated = 0;

  /** @param capacity bytes of pixels kept; one tile is always allowed. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Bytes of pixel buffers that exist now. */
  get allocated(): number {
    return this.#allocated;
  }

  get(key: number): CachedTile | undefined {
    const spent = this.#spent.get(key);
    const tile = spent ?? this.#live.get(key);
    if (!tile) return undefined;
    (spent ? this.#spent : this.#live).delete(key);
    this.#live.set(key, tile);
    return tile;
  }

  /** A buffer to decode into: a free one, a spent tile's, a new one while there is room, the oldest tile's. */
  take(bytes: number): Uint8Array {
    const free = this.#free.get(bytes)?.pop();
    if (free) return free;
    const recycled =
      this.#evict(this.#spent, bytes) ??
      (this.#allocated + bytes > this.#capacity ? this.#evict(this.#live, bytes) : undefined);
    if (recycled) return recycled;
    this.#allocated += bytes;
    return new Uint8Array(bytes);
  }

  /** Gives back a buffer that `take` lent and that holds no tile. */
  release(buffer: Uint8Array): void {
    const list = this.#free.get(buffer.length);
    if (list) list.push(buffer);
    else this.#free.set(buffer.length, [buffer]);
  }

  put(tile: CachedTile): void {
    this.#live.set(tile.key, tile);
  }

  /** Says that this tile will not be asked for again if patches come in order. */
  spend(key: number): void {
    const tile = this.#live.get(key);
    if (!tile) return;
    this.#live.delete(key);
    this.#spent.set(key, tile);
  }

  /** Drops tiles, oldest first, until one gives a buffer of the size wanted or nothing more has to go. */
  #evict(from: Map<number, CachedTile>, bytes: number): Uint8Array | undefined {
    for (const [key, { pixels }] of from) {
      from.delete(key);
      if (pixels?.length === bytes) return pixels;
      // A buffer of another size helps only by making room.
      this.#allocated -= pixels?.length ?? 0;
      if (from === this.#live && this.#allocated + bytes <= this.#capacity) return undefined;
    }
    return undefined;
  }
}
