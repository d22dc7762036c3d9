import type { PatchPlan } from '../read/patch.js';
import { validSize } from '../read/plan.js';
import { overlap, popcount, rowBytes } from './bits.js';

/** Pairs of pixels beside or below each other, and how many of them are alike: both stroma, or neither. */
export interface PixelPairs {
  readonly pairs: number;
  readonly equal: number;
}

/**
 * Whether a mask shows where its patches end. Only segmented patches count, and only pixels inside the slide.
 * A mask without seams has a score of about 1: its edges run along the lines between patches no more often than elsewhere.
 */
export interface SeamCounts {
  /** Pairs with one pixel on either side of the line between two patches. */
  readonly across: PixelPairs;
  /** Pairs within one patch. */
  readonly inside: PixelPairs;
  /** (across.equal ÷ across.pairs) ÷ (inside.equal ÷ inside.pairs); null without a line between two segmented patches. */
  readonly score: number | null;
}

/** The score of counts that were added up. */
export function seamsOf(across: PixelPairs, inside: PixelPairs): SeamCounts {
  const known = across.pairs > 0 && inside.equal > 0;
  const score = known ? across.equal / across.pairs / (inside.equal / inside.pairs) : null;
  return { across, inside, score };
}

export const NO_PAIRS: PixelPairs = { pairs: 0, equal: 0 };

/** Of both together. */
export function addSeams(a: SeamCounts, b: SeamCounts): SeamCounts {
  const sum = (one: PixelPairs, other: PixelPairs) => ({
    pairs: one.pairs + other.pairs,
    equal: one.equal + other.equal,
  });
  return seamsOf(sum(a.across, b.across), sum(a.inside, b.inside));
}

interface Line {
  before?: Uint8Array;
  after?: Uint8Array;
}

/** Counts the pairs of one slide's masks, in any order; of a patch only its borders are kept, until its neighbours came. */
export class SeamCounter {
  readonly #plan: Grid;
  readonly #lines = new Map<number, Line>();
  readonly #across = { pairs: 0, equal: 0 };
  readonly #inside = { pairs: 0, equal: 0 };

  constructor(plan: Grid) {
    this.#plan = plan;
  }

  /** A segmented patch, once. `bits`: core × core, undefined where no pixel is set. */
  add(col: number, row: number, bits: Uint8Array | undefined): void {
    const { core } = this.#plan;
    const [width, height] = validSize(this.#plan, col, row);
    const stride = rowBytes(core);
    const none = new Uint8Array(stride);
    const rowAt = (y: number) => bits?.slice(y * stride, (y + 1) * stride) ?? none;
    const columnAt = (x: number) => (bits ? column(bits, stride, x, height) : none);
    const last = columnAt(width - 1);
    this.#inside.pairs += (width - 1) * height + width * (height - 1);
    this.#inside.equal += (width - 1) * height + width * (height - 1);
    if (bits) {
      // Beyond the last column there is nothing, which a set pixel there differs from.
      this.#inside.equal -= unequal(bits, shifted(bits, stride)) - popcount(last);
      this.#inside.equal -= unequal(bits.subarray(0, (height - 1) * stride), bits.subarray(stride, height * stride));
    }
    this.#meet(col, row, false, 'after', rowAt(0), width);
    this.#meet(col, row + 1, false, 'before', rowAt(height - 1), width);
    this.#meet(col, row, true, 'after', columnAt(0), height);
    this.#meet(col + 1, row, true, 'before', last, height);
  }

  counts(): SeamCounts {
    return seamsOf({ ...this.#across }, { ...this.#inside });
  }

  #meet(col: number, row: number, vertical: boolean, which: keyof Line, border: Uint8Array, pixels: number): void {
    const { cols, rows } = this.#plan;
    if (vertical ? col === 0 || col === cols : row === 0 || row === rows) return;
    const key = (row * (cols + 1) + col) * 2 + (vertical ? 1 : 0);
    const { before, after }: Line = { ...this.#lines.get(key), [which]: border };
    if (before && after) {
      this.#lines.delete(key);
      this.#across.pairs += pixels;
      this.#across.equal += pixels - unequal(before, after);
    } else this.#lines.set(key, { ...(before && { before }), ...(after && { after }) });
  }
}

type Grid = Pick<PatchPlan, 'core' | 'cols' | 'rows' | 'width' | 'height'>;

function unequal(a: Uint8Array, b: Uint8Array): number {
  const { intersection, union } = overlap(a, b);
  return union - intersection;
}

/** Every pixel's right neighbour; 0 behind the last of a row. */
function shifted(bits: Uint8Array, stride: number): Uint8Array {
  const out = new Uint8Array(bits.length);
  for (let i = 0; i < bits.length; i++) out[i] = (bits[i]! << 1) | ((i + 1) % stride === 0 ? 0 : bits[i + 1]! >> 7);
  return out;
}

function column(bits: Uint8Array, stride: number, x: number, height: number): Uint8Array {
  const out = new Uint8Array(stride);
  for (let y = 0, at = x >> 3; y < height; y++, at += stride)
    out[y >> 3]! |= ((bits[at]! >> (7 - (x & 7))) & 1) << (7 - (y & 7));
  return out;
}
