import type { PatchMask, PatchPlan, PatchRef } from '../read/patch.js';
import { validSize } from '../read/plan.js';
import type { PixelRectangle } from '../slide/rectangles.js';
import { clearGlass } from './glass.js';

/**
 * 1-bit masks: rows top down, each of ⌈width / 8⌉ whole bytes, most significant bit left, unused bits of a row 0.
 * Everything here is pure and synchronous; sizes are pixels.
 */

/** Bytes of one row of a 1-bit mask. */
export const rowBytes = (width: number): number => (width + 7) >> 3;

const ONES = Uint8Array.from({ length: 256 }, (_, byte) => {
  let count = 0;
  for (let rest = byte; rest > 0; rest >>= 1) count += rest & 1;
  return count;
});

/** Set bits of a 32-bit word (Hacker's Delight, 2nd ed., fig. 5-2). */
function popcount32(word: number): number {
  let v = word - ((word >>> 1) & 0x55555555);
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
  return Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** The part of `bytes` that can be read as aligned 32-bit words, and how many bytes it spans; 0 when unaligned. */
function words(bytes: Uint8Array): Uint32Array {
  const aligned = bytes.byteOffset % 4 === 0;
  return new Uint32Array(bytes.buffer, aligned ? bytes.byteOffset : 0, aligned ? bytes.length >> 2 : 0);
}

/** Set bits of the whole mask. */
export function popcount(bits: Uint8Array): number {
  const whole = words(bits);
  let count = 0;
  for (let i = 0; i < whole.length; i++) count += popcount32(whole[i]!);
  for (let i = whole.length * 4; i < bits.length; i++) count += ONES[bits[i]!]!;
  return count;
}

/** Pixel counts of a ∧ b and a ∨ b; the masks are of one size. */
export function overlap(a: Uint8Array, b: Uint8Array): { intersection: number; union: number } {
  if (a.length !== b.length) throw new RangeError(`masks of ${a.length} and ${b.length} bytes`);
  const wa = words(a);
  const wb = words(b);
  const whole = Math.min(wa.length, wb.length);
  let intersection = 0;
  let union = 0;
  for (let i = 0; i < whole; i++) {
    intersection += popcount32(wa[i]! & wb[i]!);
    union += popcount32(wa[i]! | wb[i]!);
  }
  for (let i = whole * 4; i < a.length; i++) {
    intersection += ONES[a[i]! & b[i]!]!;
    union += ONES[a[i]! | b[i]!]!;
  }
  return { intersection, union };
}

/** Cuts `margin` pixels off every side of a square mask of `side` pixels; returns a copy of side − 2 × margin. */
export function cropMask(bits: Uint8Array, side: number, margin: number): Uint8Array {
  const core = side - 2 * margin;
  if (core <= 0 || margin < 0) throw new RangeError(`margin ${margin} of a mask of ${side} pixels`);
  if (bits.length !== rowBytes(side) * side) throw new RangeError(`${bits.length} bytes for ${side} × ${side} bits`);
  if (margin === 0) return bits.slice();
  const from = rowBytes(side);
  const to = rowBytes(core);
  const shift = margin & 7;
  const out = new Uint8Array(to * core);
  for (let y = 0; y < core; y++) {
    const end = (y + margin + 1) * from;
    let source = (y + margin) * from + (margin >> 3);
    for (let i = y * to; i < (y + 1) * to; i++, source++) {
      const next = source + 1 < end ? bits[source + 1]! : 0;
      out[i] = (bits[source]! << shift) | (next >> (8 - shift));
    }
  }
  clearOutside(out, core, core, core);
  return out;
}

/** Clears, in place, every pixel at x ≥ validWidth or y ≥ validHeight of a mask with rows of `side` pixels. */
export function clearOutside(bits: Uint8Array, side: number, validWidth: number, validHeight: number): void {
  const stride = rowBytes(side);
  const rows = Math.min(bits.length / stride, Math.max(0, validHeight));
  bits.fill(0, rows * stride);
  if (validWidth >= stride * 8) return;
  const width = Math.max(0, validWidth);
  const whole = width >> 3;
  const keep = (0xff00 >> (width & 7)) & 0xff;
  for (let row = 0; row < rows * stride; row += stride) {
    bits[row + whole]! &= keep;
    bits.fill(0, row + whole + 1, row + stride);
  }
}

/** Sets or clears, in place, every pixel of a rectangle of a mask with rows of `side` pixels. */
export function fillRectangle(bits: Uint8Array, side: number, rectangle: PixelRectangle, value: 0 | 1): void {
  const stride = rowBytes(side);
  const { x, y, width, height } = rectangle;
  const [first, last] = [x >> 3, (x + width - 1) >> 3];
  for (let row = y * stride; row < (y + height) * stride; row += stride) {
    for (let byte = first; byte <= last; byte++) {
      const from = byte === first ? 0xff >> (x & 7) : 0xff;
      const to = byte === last ? 0xff << (7 - ((x + width - 1) & 7)) : 0xff;
      if (value === 1) bits[row + byte]! |= from & to;
      else bits[row + byte]! &= ~(from & to);
    }
  }
}

/** A patch's mask, and what the model predicted outside the filter's tissue: clear in the mask, counted here. */
export interface CoreMask extends PatchMask {
  readonly outsidePixels: number;
}

/**
 * What a patch publishes of the model's mask (patchSize × patchSize bits): the margin is cropped, padding outside the
 * slide, pixels that it does not store and glass are cleared, the rest is counted. The input is left as it is.
 *
 * @param missing in pixels of the core.
 * @param tissue blocks of the core that are tissue; undefined: all of it may be.
 */
export function toCoreMask(
  bits: Uint8Array,
  plan: PatchPlan,
  ref: PatchRef,
  missing: readonly PixelRectangle[] = [],
  tissue?: Uint8Array,
): CoreMask {
  const core = cropMask(bits, plan.patchSize, plan.margin);
  const [width, height] = validSize(plan, ref.col, ref.row);
  if (width < plan.core || height < plan.core) clearOutside(core, plan.core, width, height);
  for (const rectangle of missing) fillRectangle(core, plan.core, rectangle, 0);
  const predicted = popcount(core);
  if (tissue) clearGlass(core, plan.core, tissue);
  const stromaPixels = tissue ? popcount(core) : predicted;
  return { side: plan.core, bits: core, stromaPixels, outsidePixels: predicted - stromaPixels };
}

/** The eight pixels of every byte as bytes of 0 or 1: entries 2b and 2b + 1, in the machine's own byte order. */
const PIXELS = new Uint32Array(Uint8Array.from({ length: 256 * 8 }, (_, i) => ((i >> 3) >> (7 - (i & 7))) & 1).buffer);

/** Writes one byte a pixel, 0 or 1, into `into` (width × height bytes), and returns it. */
export function unpackBits(bits: Uint8Array, width: number, height: number, into?: Uint8Array): Uint8Array {
  const out = into ?? new Uint8Array(width * height);
  if (width % 8 === 0 && out.byteOffset % 4 === 0) {
    const words = new Uint32Array(out.buffer, out.byteOffset, (width * height) >> 2);
    for (let i = 0; i < words.length >> 1; i++) {
      words[2 * i] = PIXELS[2 * bits[i]!]!;
      words[2 * i + 1] = PIXELS[2 * bits[i]! + 1]!;
    }
    return out;
  }
  const stride = rowBytes(width);
  for (let y = 0, o = 0; y < height; y++) {
    for (let x = 0; x < width; x++) out[o++] = (bits[y * stride + (x >> 3)]! >> (7 - (x & 7))) & 1;
  }
  return out;
}

/** The opposite of unpackBits: any byte but 0 sets its bit. */
export function packBits(bytes: Uint8Array, width: number, height: number): Uint8Array {
  const stride = rowBytes(width);
  const out = new Uint8Array(stride * height);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      if (bytes[i]! !== 0) out[y * stride + (x >> 3)]! |= 0x80 >> (x & 7);
    }
  }
  return out;
}
