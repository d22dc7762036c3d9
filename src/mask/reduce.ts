import { rowBytes, unpackBits } from './bits.js';
import { IS_LITTLE } from './four-pixels.js';

/**
 * One patch's mask at several resolutions: level k holds a pixel for each block of 2^k × 2^k. The rasters are reused
 * by the next patch.
 */
export class MaskPyramid {
  /** Side of level 0 in pixels; a multiple of 2^(levels − 1). */
  readonly side: number;
  /** Level 0, a byte a pixel, 0 or 1. */
  readonly #pixels: Uint8Array;
  /** Levels 1 … : a byte a block up to level 3, two from 4 on. */
  readonly #counts: readonly (Uint8Array | Uint16Array)[];
  readonly #rasters: readonly Uint8Array[];

  constructor(side: number, levels: number) {
    // A block of level 8 has one pixel more than two bytes hold.
    if (levels < 1 || levels > 8 || side % 2 ** (levels - 1) !== 0)
      throw new RangeError(`${levels} levels of ${side} pixels`);
    const sizes = Array.from({ length: levels - 1 }, (_, i) => (side / 2 ** (i + 1)) ** 2);
    this.side = side;
    this.#pixels = new Uint8Array(side ** 2);
    this.#counts = sizes.map((size, i) => (i < 3 ? new Uint8Array(size) : new Uint16Array(size)));
    this.#rasters = sizes.map(size => new Uint8Array(size));
  }

  /** Takes a mask of side × side bits, of which width × height lie on the slide. */
  load(bits: Uint8Array, width: number, height: number): void {
    unpackBits(bits, this.side, this.side, this.#pixels);
    const whole = width === this.side && height === this.side;
    let finer: Uint8Array | Uint16Array = this.#pixels;
    for (const [i, counts] of this.#counts.entries()) {
      const factor = 2 ** (i + 1);
      const side = this.side / factor;
      if (i === 0 && side % 4 === 0) pairs(bits, side, counts as Uint8Array);
      else if (finer instanceof Uint8Array && counts instanceof Uint8Array) halveBytes(finer, side, counts);
      else halve(finer, side, counts);
      if (whole) threshold(counts, factor ** 2 / 2, this.#rasters[i]!);
      else majority(counts, side, factor, width, height, this.#rasters[i]!);
      finer = counts;
    }
  }

  /** Set pixels of each block, up to 4^k. */
  counts(k: number): Uint8Array | Uint16Array {
    return k === 0 ? this.#pixels : this.#counts[k - 1]!;
  }

  /**
   * 1 where at least half of the block's pixels on the slide are set, else 0. Other than nearest neighbour this keeps
   * every pixel's vote, so that areas stay right on the average and single pixels vanish instead of growing.
   */
  raster(k: number): Uint8Array {
    return k === 0 ? this.#pixels : this.#rasters[k - 1]!;
  }
}

/** Set bits of the four pairs of a byte, a byte each, in the machine's own byte order. */
const PAIRS = new Uint32Array(
  Uint8Array.from({ length: 256 * 4 }, (_, i) => {
    const pair = ((i >> 2) >> (6 - 2 * (i & 3))) & 3;
    return (pair >> 1) + (pair & 1);
  }).buffer,
);

/** Level 1 straight from the bits, four blocks a step; `side` is level 1's, a multiple of 4. */
function pairs(bits: Uint8Array, side: number, out: Uint8Array): void {
  const stride = rowBytes(side * 2);
  const words = new Uint32Array(out.buffer, out.byteOffset, out.length >> 2);
  for (let y = 0, o = 0; y < side; y++) {
    let at = 2 * y * stride;
    for (let i = 0; i < stride; i++, at++) words[o++] = PAIRS[bits[at]!]! + PAIRS[bits[at + stride]!]!;
  }
}

/** Of four bytes a word: the two pairs' sums, below 256 each, in its two lower bytes. */
const pairSums = (word: number): number => {
  const sums = (word & 0x00ff00ff) + ((word >>> 8) & 0x00ff00ff);
  return (sums & 0xff) | ((sums >>> 8) & 0xff00);
};

/** Sums of 2 × 2 that fit a byte: up to level 3, 64 pixels a block. Four blocks a step where rows are whole words. */
function halveBytes(counts: Uint8Array, side: number, out: Uint8Array): void {
  if (IS_LITTLE && side % 4 === 0) {
    const [from, to] = [wordsOf(counts), wordsOf(out)];
    const row = side >> 1;
    for (let y = 0, o = 0; y < side; y++) {
      for (let at = 2 * y * row, end = at + row; at < end; at += 2) {
        to[o++] = pairSums(from[at]! + from[at + row]!) | (pairSums(from[at + 1]! + from[at + 1 + row]!) << 16);
      }
    }
    return;
  }
  const stride = side * 2;
  for (let y = 0, o = 0; y < side; y++) {
    let at = 2 * y * stride;
    for (let x = 0; x < side; x++, at += 2, o++) {
      out[o] = counts[at]! + counts[at + 1]! + counts[at + stride]! + counts[at + stride + 1]!;
    }
  }
}

/** The same for two bytes: up to level 7. */
function halve(counts: Uint8Array | Uint16Array, side: number, out: Uint8Array | Uint16Array): void {
  const stride = side * 2;
  for (let y = 0, o = 0; y < side; y++) {
    let at = 2 * y * stride;
    for (let x = 0; x < side; x++, at += 2, o++) {
      out[o] = counts[at]! + counts[at + 1]! + counts[at + stride]! + counts[at + stride + 1]!;
    }
  }
}

const wordsOf = (bytes: Uint8Array): Uint32Array => new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);

/** Counts of bytes are at most 64. */
function threshold(counts: Uint8Array | Uint16Array, least: number, out: Uint8Array): void {
  if (counts instanceof Uint8Array && out.length % 4 === 0) {
    const [from, to] = [wordsOf(counts), wordsOf(out)];
    // A byte's highest bit is set where it reaches `least`.
    const lift = (128 - least) * 0x01010101;
    for (let i = 0; i < to.length; i++) to[i] = ((from[i]! + lift) >>> 7) & 0x01010101;
    return;
  }
  for (let i = 0; i < out.length; i++) out[i] = counts[i]! >= least ? 1 : 0;
}

function majority(
  counts: Uint8Array | Uint16Array,
  side: number,
  factor: number,
  validWidth: number,
  validHeight: number,
  out: Uint8Array,
): void {
  for (let y = 0, i = 0; y < side; y++) {
    const height = Math.max(0, Math.min(factor, validHeight - y * factor));
    for (let x = 0; x < side; x++, i++) {
      const area = height * Math.max(0, Math.min(factor, validWidth - x * factor));
      out[i] = counts[i]! > 0 && 2 * counts[i]! >= area ? 1 : 0;
    }
  }
}
