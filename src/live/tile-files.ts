import { type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { readFileBelow } from '../slide/regular-file.js';
import { mostBytes, type TileSetLevel, tileName } from '../slide/tile-folder/tile-set.js';
import { isWholeImage } from './image-end.js';

/** A tile as it was when it was given out. */
interface GivenTile {
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly size: number;
  readonly crc: number;
}

/** What a tile holds, and since when. */
interface Held {
  readonly crc: number;
  readonly since: number;
}

/** 'moving': a tile is being written again, so that nobody can tell yet. */
export type Comparison = 'same' | 'others' | 'moving';

/**
 * The tiles of a level that is written as one image a tile: which were given out, and what they held then. A tile is given out
 * when its file ends as its format wants; one that does not is taken as it is once all others came and it stood still for the
 * settling time, unless it begins with zeros: that is room that was reserved.
 */
export class TileFiles {
  readonly #folder: string;
  readonly #level: TileSetLevel;
  readonly #settleMs: number;
  readonly #now: () => number;
  readonly #given = new Map<number, GivenTile>();
  /** Tiles that do not look whole: what they hold, and since when. */
  readonly #doubtful = new Map<number, Held>();
  /** Tiles that were given out and do not look whole any more: what they hold, and since when. */
  readonly #moving = new Map<number, Held>();
  #overwritten = 0;

  constructor(folder: string, level: TileSetLevel, settleSeconds: number, now: () => number) {
    this.#folder = folder;
    this.#level = level;
    this.#settleMs = settleSeconds * 1000;
    this.#now = now;
  }

  /** Tiles that were given out. */
  get count(): number {
    return this.#given.size;
  }

  /** The one that was given out first. */
  get first(): number | undefined {
    return this.#given.keys().next().value;
  }

  /** Some lie there and do not look whole. */
  get inDoubt(): boolean {
    return this.#doubtful.size > 0;
  }

  /** Tiles that `compare` found to be written again. */
  get overwritten(): number {
    return this.#overwritten;
  }

  has(tile: number): boolean {
    return this.#given.has(tile);
  }

  /**
   * Gives a tile out if it may be read.
   *
   * @param name of its file, below the folder.
   * @param toCome tiles of the level that nothing has shown yet, this one among them.
   */
  take(tile: number, name: string, toCome: number): boolean {
    const file = readFileBelow(this.#folder, name, mostBytes(this.#level));
    if (!file) return false;
    const crc = crc32(file.bytes);
    if (!isWholeImage(name, file.bytes)) {
      const since = this.#heldSince(this.#doubtful, tile, crc);
      const othersCame = this.#doubtful.size >= toCome;
      const isThere = file.bytes.subarray(0, HEAD).some(byte => byte !== 0);
      if (!(othersCame && isThere) || this.#now() - since < this.#settleMs) return false;
    }
    this.#doubtful.delete(tile);
    const { mtimeMs, ctimeMs, size } = file.stats;
    this.#given.set(tile, { mtimeMs, ctimeMs, size, crc });
    return true;
  }

  /**
   * Whether the tiles that were given out hold what they held then. The same bytes written again only count. One that is being written again does not look
   * whole, and holds other bytes than in the end: nobody can tell before it stood still for the settling time.
   */
  compare(): Comparison {
    const { cols } = this.#level;
    this.#overwritten = 0;
    let compared: Comparison = 'same';
    for (const [tile, given] of this.#given) {
      const name = tileName(this.#level, tile % cols, Math.floor(tile / cols));
      const stats = statSync(join(this.#folder, name), { throwIfNoEntry: false });
      if (!stats || isSame(stats, given)) continue;
      const bytes = readFileBelow(this.#folder, name, mostBytes(this.#level))?.bytes;
      this.#overwritten += 1;
      if (!bytes) continue;
      const crc = crc32(bytes);
      if (crc === given.crc) this.#moving.delete(tile);
      else if (isWholeImage(name, bytes) || this.#stoodStill(tile, crc)) return 'others';
      else compared = 'moving';
    }
    return compared;
  }

  #stoodStill(tile: number, crc: number): boolean {
    const wasSeen = this.#moving.get(tile)?.crc === crc;
    return this.#now() - this.#heldSince(this.#moving, tile, crc) >= this.#settleMs && wasSeen;
  }

  /** Notes what a tile holds; the time since when it holds that. */
  #heldSince(held: Map<number, Held>, tile: number, crc: number): number {
    const known = held.get(tile);
    const since = known?.crc === crc ? known.since : this.#now();
    held.set(tile, { crc, since });
    return since;
  }
}

const isSame = (a: Pick<Stats, 'mtimeMs' | 'ctimeMs' | 'size'>, b: GivenTile): boolean =>
  a.mtimeMs === b.mtimeMs && a.ctimeMs === b.ctimeMs && a.size === b.size;

/** A file that begins with so many zeros is room that was reserved. */
const HEAD = 64;
