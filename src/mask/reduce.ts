import { unpackBits } from './bits.js';

/**
 * One patch's mask at several resolutions: level k holds a pixel for each block of 2^k × 2^k. The rasters are reused
 * by the next patch.
 */
export class MaskPyramid {
  /** Side of level 0 in pixels; a multiple of 2^(levels − 1). */
  readonly side: number;
  /** Level 0, a byte a pixel, 0 or 1. */
  readonly #pixels: Uint8Array;
  readonly #counts: readonly Uint16Array[];
  readonly #rasters: readonly Uint8Array[];

  constructor(side: number, levels: number) {
    const coarse = Array.from({ length: levels - 1 }, (_, i) => (side / 2 ** (i + 1)) ** 2);
    if (coarse.some(size => !Number.isInteger(Math.sqrt(size)))) throw new RangeError(`${levels} levels of ${side}`);
    this.side = side;
    this.#pixels = new Uint8Array(side ** 2);
    this.#counts = coarse.map(size => new Uint16Array(size));
    this.#rasters = coarse.map(size => new Uint8Array(size));
  }

  /** Takes a mask of side × side bits, of which width × height lie on the slide. */
  load(bits: Uint8Array, width: number, height: number): void {
    unpackBits(bits, this.side, this.side, this.#pixels);
    let finer: Uint8Array | Uint16Array = this.#pixels;
    for (const [i, counts] of this.#counts.entries()) {
      const factor = 2 ** (i + 1);
      halve(finer, this.side / factor, counts);
      majority(counts, this.side / factor, factor, width, height, this.#rasters[i]!);
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

/** Sums of 2 × 2; exact in 16 bits down to blocks of 128 × 128. */
function halve(counts: Uint8Array | Uint16Array, side: number, out: Uint16Array): void {
  const stride = side * 2;
  for (let y = 0, o = 0; y < side; y++) {
    let at = 2 * y * stride;
    for (let x = 0; x < side; x++, at += 2, o++) {
      out[o] = counts[at]! + counts[at + 1]! + counts[at + stride]! + counts[at + stride + 1]!;
    }
  }
}

function majority(
  counts: Uint16Array,
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
