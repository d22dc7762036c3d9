import { setImmediate } from 'node:timers/promises';
import type { TiffLevel } from '../slide/tiff/description.js';
import { checkTile, sumTile, type TileCheck, type TileSum } from './tile-bytes.js';

/** Where a tile lies in its file. */
type Place = readonly [offset: number, length: number];

/** Tiles asked about in one look at a file that seems not to change. */
const ASKED_A_LOOK = 64;
/** Tiles compared once more at the end. */
const COMPARED = 32;
/** Longest time in which nothing else has a turn. */
const TURN_MS = 8;

const NOTHING: TileSum = { crc: 0, hasHole: false };

/** A tile that lies there and does not look whole. */
interface Doubtful {
  readonly crc: number;
  /** When it was first seen with these bytes. */
  readonly since: number;
}

/**
 * The tiles of a level that a directory lists: which of them are there, and what they held when they were given out. A
 * tile is there when its bytes begin and end as its coding wants and have no hole between. One that does not look whole is taken
 * as it is once all others came and it stood still for the settling time; zeros are room that was reserved, whatever the coding.
 */
export class ListedTiles {
  readonly #level: TiffLevel;
  readonly #settleMs: number;
  readonly #now: () => number;
  readonly #awaited = new Map<number, Place>();
  readonly #doubtful = new Map<number, Doubtful>();
  /** Of the tiles that were given out. */
  readonly #sums: Uint32Array;
  #turn = 0;

  constructor(level: TiffLevel, settleSeconds: number, now: () => number) {
    this.#level = level;
    this.#settleMs = settleSeconds * 1000;
    this.#now = now;
    this.#sums = new Uint32Array(level.offsets.length);
  }

  /** Some are listed, and not there. */
  get awaits(): boolean {
    return this.#awaited.size > 0;
  }

  /** Some lie there and do not look whole. */
  get inDoubt(): boolean {
    return this.#doubtful.size > 0;
  }

  /** Tiles of which the directory says that they are stored, and that are not there. */
  get lacking(): number {
    return this.#awaited.size;
  }

  /**
   * Those that may be read now.
   *
   * @param listed tiles that have not been given out, and where they are to lie.
   * @param others tiles that are not listed yet.
   * @param isOver nobody writes any more.
   */
  async ready(fd: number, listed: ReadonlyMap<number, Place>, others: number, isOver: boolean): Promise<number[]> {
    const came: number[] = [];
    let turn = performance.now();
    this.#awaited.clear();
    for (const [tile, place] of listed) {
      if (performance.now() - turn > TURN_MS) {
        await setImmediate();
        turn = performance.now();
      }
      if (this.#isThere(fd, tile, place, isOver)) came.push(tile);
    }
    for (const tile of this.#doubtful.keys()) if (!listed.has(tile)) this.#doubtful.delete(tile);
    if (this.#awaited.size > 0 || others > 0 || this.#doubtful.size === 0) return came;
    const now = this.#now();
    const stood = [...this.#doubtful.values()].every(({ since }) => now - since >= this.#settleMs);
    if (!stood) return came;
    for (const [tile, { crc }] of this.#doubtful) {
      this.#sums[tile] = crc;
      came.push(tile);
    }
    this.#doubtful.clear();
    return came;
  }

  #isThere(fd: number, tile: number, place: Place, isOver: boolean): boolean {
    const { check, crc, hasHole } = this.#check(fd, place);
    if (check === 'no') {
      this.#awaited.set(tile, place);
      this.#doubtful.delete(tile);
      return false;
    }
    if (!isOver && (check === 'doubtful' || hasHole)) {
      if (this.#doubtful.get(tile)?.crc !== crc) this.#doubtful.set(tile, { crc, since: this.#now() });
      return false;
    }
    this.#doubtful.delete(tile);
    this.#sums[tile] = crc;
    return true;
  }

  /** One that cannot be read is not there, and the others are. */
  #check(fd: number, [offset, length]: Place): TileSum & { readonly check: TileCheck } {
    try {
      const check = checkTile(fd, offset, length, this.#level.compression);
      return { check, ...(check === 'no' ? NOTHING : sumTile(fd, offset, length)) };
    } catch {
      return { check: 'no', ...NOTHING };
    }
  }

  /** Asks a few of those that were not there, in turn: a copy may fill a file without a change of its size and time. */
  hasArrived(fd: number): boolean {
    const awaited = [...this.#awaited.values()];
    for (let asked = 0; asked < Math.min(ASKED_A_LOOK, awaited.length); asked++)
      if (this.#check(fd, awaited[this.#turn++ % awaited.length]!).check !== 'no') return true;
    return false;
  }

  /** True when some of the tiles that were given out hold the same as then. */
  isAsGiven(fd: number): boolean {
    const { offsets, byteCounts } = this.#level;
    const given: number[] = [];
    for (const [tile, length] of byteCounts.entries()) if (length > 0) given.push(tile);
    const compared = Math.min(COMPARED, given.length);
    for (let index = 0; index < compared; index++) {
      // The first and the last one among them.
      const tile = given[Math.floor((index * (given.length - 1)) / Math.max(1, compared - 1))]!;
      if (sumTile(fd, offsets[tile]!, byteCounts[tile]!).crc !== this.#sums[tile]) return false;
    }
    return compared > 0;
  }
}
