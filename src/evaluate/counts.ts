import { isRun, type PatchLabels } from './patch-labels.js';

/** Pixels of a binary comparison. Integers below 2^53: exact up to 9 × 10^15 pixels, a million whole slides. */
export interface Counts {
  readonly tp: number;
  readonly fp: number;
  readonly fn: number;
  readonly tn: number;
}

export const NO_COUNTS: Counts = { tp: 0, fp: 0, fn: 0, tn: 0 };

export const addCounts = (a: Counts, b: Counts): Counts => ({
  tp: a.tp + b.tp,
  fp: a.fp + b.fp,
  fn: a.fn + b.fn,
  tn: a.tn + b.tn,
});

/** What the aggregate's running IoU adds up: pixels of mask ∧ label and mask ∨ label, where labelled. */
export const intersectionUnion = (counts: Counts): { intersection: number; union: number } => ({
  intersection: counts.tp,
  union: counts.tp + counts.fp + counts.fn,
});

/**
 * Compares a mask with the truth, ignored pixels left out.
 * @param mask bits of the patch's core, laid out as the labels' (PatchMask.bits)
 */
export function countPatch(mask: Uint8Array, labels: PatchLabels): Counts {
  const { positive, ignored, labelledPixels, positivePixels } = labels;
  if (mask.length !== positive.length) {
    throw new RangeError(`a mask of ${mask.length} bytes for labels of ${positive.length}`);
  }
  let predicted = 0;
  let tp = 0;
  for (let i = 0; i < mask.length; i++) {
    const bits = mask[i]! & ~ignored[i]!;
    if (bits === 0) continue;
    predicted += BITS[bits & 255]!;
    tp += BITS[bits & positive[i]!]!;
  }
  const fp = predicted - tp;
  const fn = positivePixels - tp;
  return { tp, fp, fn, tn: labelledPixels - tp - fp - fn };
}

/** Set bits. */
export function countBits(bits: Uint8Array): number {
  let count = 0;
  for (const byte of bits) count += BITS[byte]!;
  return count;
}

const BITS = Uint8Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll('0', '').length);

/** How often each label value was called positive: [value] labelled pixels, [256 + value] of them predicted positive. */
export class ValueTable {
  readonly counts = new Float64Array(512);

  /** Adds a patch. Padding is left out; ignored values are counted under their own number. */
  add(mask: Uint8Array, labels: PatchLabels): void {
    const { values, side, width, height } = labels;
    const stride = side >> 3;
    const { counts } = this;
    for (let y = 0; y < height; y++) {
      for (let start = 0; start < width; start += 8) {
        const from = y * side + start;
        const bits = mask[y * stride + (start >> 3)]!;
        const count = Math.min(8, width - start);
        if (count === 8 && isRun(values, from)) {
          const value = values[from]!;
          counts[value]! += 8;
          counts[256 + value]! += BITS[bits]!;
          continue;
        }
        for (let i = 0; i < count; i++) {
          const value = values[from + i]!;
          counts[value]!++;
          if (bits & (128 >> i)) counts[256 + value]!++;
        }
      }
    }
  }

  merge(other: ValueTable): void {
    for (let i = 0; i < 512; i++) this.counts[i]! += other.counts[i]!;
  }
}
