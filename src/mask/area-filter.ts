import { isMarked } from '../read/marks.js';
import type { PatchPlan } from '../read/patch.js';
import { patchesAround, validSize } from '../read/plan.js';
import { BLOCK } from '../read/reduce.js';
import type { PixelRectangle } from '../slide/rectangles.js';
import { fillRectangle, rowBytes } from './bits.js';
import { Regions } from './regions.js';

/** A plan with the limits, in plan pixels; 0 changes nothing. */
export type AreaGrid = Pick<PatchPlan, 'core' | 'cols' | 'rows' | 'width' | 'height' | 'openBelow' | 'closeBelow'>;

/** A patch's mask as the model and the tissue filter gave it. */
export interface RawMask {
  /** core × core bits. */
  readonly bits: Uint8Array;
  /** Marks of the core's blocks that are tissue; absent: all are. */
  readonly tissue?: Uint8Array | undefined;
  /** Pixels of the core that the slide does not store. */
  readonly missing?: readonly PixelRectangle[] | undefined;
}

export interface FilteredMask {
  readonly bits: Uint8Array;
  /** Pixels of holes that were filled, and of specks that were removed, in this core. */
  readonly closed: number;
  readonly opened: number;
}

/** What is known of a pixel. */
const CLEAR = 0;
const SET = 1;
/** In a patch that failed or is missing: nobody knows. */
const UNKNOWN = 2;
/** Clear, and never to be filled: glass, past the slide's edge, not stored. */
const NEVER = 3;

/**
 * Closes and opens the mask of a slide by area, patch by patch, in any order, exactly as if it were filtered as a whole (after L. Vincent, "Grayscale
 * area openings and closings", 1993): first 8-connected holes smaller than `closeBelow` are filled, then 4-connected regions smaller than
 * `openBelow` removed, the connectivity that mask.geojson has. What is cut by a border between patches is one region.
 *
 * The core of a patch is due when the patch and all that touch it are done: both limits together are at most a core, and a region or hole that is smaller does not reach past a
 * neighbour. A hole that touches glass, pixels that are not stored or the slide's edge stays, since no stroma lies there; what touches a patch that failed or is missing is
 * as it is, since nobody knows how large it is.
 */
export class AreaFilter {
  readonly #grid: AreaGrid;
  readonly #reach: number;
  /** By place; null: done, without a mask of its own and clear; 'unknown': done, and nobody knows. */
  readonly #masks = new Map<number, RawMask | null | 'unknown'>();
  readonly #over = new Set<number>();

  /** Throws a RangeError for limits that together reach farther than a core. */
  constructor(grid: AreaGrid) {
    this.#grid = grid;
    this.#reach = Math.ceil(grid.openBelow ?? 0) + Math.ceil(grid.closeBelow ?? 0);
    if (this.#reach === 0 || this.#reach > grid.core)
      throw new RangeError(`areas of ${this.#reach} px in cores of ${grid.core}`);
  }

  /** Masks that are kept. */
  get held(): number {
    return [...this.#masks.values()].filter(mask => mask !== null && mask !== 'unknown').length;
  }

  put(col: number, row: number, mask: RawMask): void {
    this.#masks.set(this.#at(col, row), mask);
    this.#forget(col, row);
  }

  /** The patch is done and gets no mask: it is glass ('clear'), or failed or missing ('unknown'). */
  skip(col: number, row: number, as: 'clear' | 'unknown'): void {
    this.#masks.set(this.#at(col, row), as === 'clear' ? null : 'unknown');
    this.over(col, row);
  }

  /** Its mask is there from an earlier start; as the model gave it, it may come for its neighbours. */
  over(col: number, row: number): void {
    this.#over.add(this.#at(col, row));
    this.#forget(col, row);
  }

  isDue(col: number, row: number): boolean {
    const mask = this.#masks.get(this.#at(col, row));
    if (!mask || mask === 'unknown' || this.#over.has(this.#at(col, row))) return false;
    return [...patchesAround(this.#grid, col, row)].every(([c, r]) => this.#masks.has(this.#at(c, r)));
  }

  /** The mask of a patch that is due; to be asked for once. */
  take(col: number, row: number): FilteredMask {
    if (!this.isDue(col, row)) throw new RangeError(`patch ${col}, ${row} is not due`);
    const { core, openBelow = 0, closeBelow = 0 } = this.#grid;
    const reach = this.#reach;
    const side = core + 2 * reach;
    const pixels = new Uint8Array(side * side).fill(NEVER);
    for (const [c, r] of patchesAround(this.#grid, col, row))
      this.#draw(pixels, side, c, r, (c - col) * core + reach, (r - row) * core + reach);
    const before = pixels.slice();
    if (closeBelow > 0)
      Regions.of(pixels, side, CLEAR, 8).change(
        region => region.area < closeBelow && !region.touches(UNKNOWN) && !region.touches(NEVER),
        SET,
      );
    if (openBelow > 0)
      Regions.of(pixels, side, SET, 4).change(region => region.area < openBelow && !region.touches(UNKNOWN), CLEAR);
    const bits = new Uint8Array(core * rowBytes(core));
    let [closed, opened] = [0, 0];
    for (let y = 0, i = 0; y < core; y++)
      for (let x = 0, at = (y + reach) * side + reach; x < core; x++, i++, at++) {
        const isSet = pixels[at] === SET;
        if (isSet) bits[i >> 3]! |= 0x80 >> (i & 7);
        if (isSet && before[at] !== SET) closed += 1;
        if (!isSet && before[at] === SET) opened += 1;
      }
    this.over(col, row);
    return { bits, closed, opened };
  }

  /** Draws what is known of a patch, with its corner there, as far as it lies in the square. */
  #draw(pixels: Uint8Array, side: number, col: number, row: number, left: number, top: number): void {
    const { core } = this.#grid;
    const mask = this.#masks.get(this.#at(col, row));
    const [width, height] = validSize(this.#grid, col, row);
    const stored = mask && mask !== 'unknown' && mask.missing?.length ? withoutMissing(core, mask.missing) : undefined;
    const [x0, x1] = [Math.max(0, -left), Math.min(width, side - left)];
    for (let y = Math.max(0, -top); y < Math.min(height, side - top); y++)
      for (let x = x0, at = (top + y) * side + left + x0; x < x1; x++, at++)
        pixels[at] = this.#pixel(mask, stored, x, y);
  }

  #pixel(mask: RawMask | null | 'unknown' | undefined, stored: Uint8Array | undefined, x: number, y: number): number {
    const { core } = this.#grid;
    if (mask === 'unknown' || mask === undefined) return UNKNOWN;
    if (mask === null) return NEVER;
    const i = y * core + x;
    if (isSetIn(mask.bits, i)) return SET;
    if (stored && !isSetIn(stored, i)) return NEVER;
    const block = Math.floor(y / BLOCK) * (core / BLOCK) + Math.floor(x / BLOCK);
    return mask.tissue && !isMarked(mask.tissue, block) ? NEVER : CLEAR;
  }

  /** Lets go of masks that nobody around them waits for. */
  #forget(col: number, row: number): void {
    for (const [c, r] of patchesAround(this.#grid, col, row)) {
      const at = this.#at(c, r);
      const isNeeded = [...patchesAround(this.#grid, c, r)].some(([cc, rr]) => !this.#over.has(this.#at(cc, rr)));
      if (!isNeeded && this.#masks.has(at)) this.#masks.set(at, null);
    }
  }

  #at(col: number, row: number): number {
    return row * this.#grid.cols + col;
  }
}

const isSetIn = (bits: Uint8Array, i: number): boolean => (bits[i >> 3]! & (0x80 >> (i & 7))) !== 0;

/** core × core bits, clear where the slide stores nothing. */
function withoutMissing(core: number, missing: readonly PixelRectangle[]): Uint8Array {
  const bits = new Uint8Array(core * rowBytes(core)).fill(0xff);
  for (const rectangle of missing) fillRectangle(bits, core, rectangle, 0);
  return bits;
}
