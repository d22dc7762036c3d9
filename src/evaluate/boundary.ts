import type { PatchLabels } from './patch-labels.js';

/**
 * Boundary F1 (Csurka et al., BMVC 2013): a boundary pixel is right when the other boundary is within a Euclidean distance.
 *
 * A boundary pixel is a set pixel with a 4-neighbour that is not set; both must be labelled, so neither the edge of the
 * picture nor the rim of an ignored area is a boundary. Patches are compared one by one: across a patch's edge nothing
 * matches, which touches at most the outermost `tolerance` pixels.
 */
export const BOUNDARY_TOLERANCES: readonly number[] = [2, 5];

/** Boundary pixels of one tolerance: matched and all, on either side. Integers; add up over patches. */
export interface BoundaryCounts {
  readonly predicted: number;
  readonly predictedMatched: number;
  readonly truth: number;
  readonly truthMatched: number;
}

export const NO_BOUNDARY: BoundaryCounts = { predicted: 0, predictedMatched: 0, truth: 0, truthMatched: 0 };

export const addBoundary = (a: BoundaryCounts, b: BoundaryCounts): BoundaryCounts => ({
  predicted: a.predicted + b.predicted,
  predictedMatched: a.predictedMatched + b.predictedMatched,
  truth: a.truth + b.truth,
  truthMatched: a.truthMatched + b.truthMatched,
});

/** Harmonic mean of boundary precision and recall; NaN when neither side has a boundary, 0 when only one has. */
export function boundaryF1({ predicted, predictedMatched, truth, truthMatched }: BoundaryCounts): number {
  if (predicted === 0 && truth === 0) return Number.NaN;
  if (predicted === 0 || truth === 0) return 0;
  const precision = predictedMatched / predicted;
  const recall = truthMatched / truth;
  return precision + recall === 0 ? 0 : (2 * precision * recall) / (precision + recall);
}

/** Rows of 32-bit words, the most significant bit left; one row is `stride` words. */
interface Words {
  readonly rows: number;
  readonly stride: number;
  readonly words: Uint32Array;
}

/**
 * Boundary pixels of mask and truth at each of BOUNDARY_TOLERANCES.
 * @param mask bits of the patch's core (PatchMask.bits)
 */
export function countBoundary(mask: Uint8Array, labels: PatchLabels): BoundaryCounts[] {
  const { side, height } = labels;
  const valid = toWords(labels.ignored, side, height, true);
  const predicted = boundaryOf(toWords(mask, side, height, false), valid);
  const truth = boundaryOf(toWords(labels.positive, side, height, false), valid);
  const totals = { predicted: popcount(predicted.words), truth: popcount(truth.words) };
  const empty = totals.predicted === 0 || totals.truth === 0;
  const widened = empty ? undefined : { predicted: widen(predicted), truth: widen(truth) };
  return BOUNDARY_TOLERANCES.map(tolerance => {
    if (!widened) return { ...totals, predictedMatched: 0, truthMatched: 0 };
    return {
      ...totals,
      predictedMatched: matched(predicted, widened.truth, tolerance),
      truthMatched: matched(truth, widened.predicted, tolerance),
    };
  });
}

function toWords(bits: Uint8Array, side: number, rows: number, invert: boolean): Words {
  const stride = Math.ceil(side / 32);
  const words = new Uint32Array(stride * rows);
  const flip = invert ? -1 : 0;
  for (let i = 0, at = 0; i < words.length; i++, at += 4) {
    words[i] = ((bits[at]! << 24) | (bits[at + 1]! << 16) | (bits[at + 2]! << 8) | bits[at + 3]!) ^ flip;
  }
  return { rows, stride, words };
}

function boundaryOf({ rows, stride, words }: Words, valid: Words): Words {
  const outside = new Uint32Array(words.length);
  for (let i = 0; i < words.length; i++) outside[i] = ~words[i]! & valid.words[i]!;
  const result = new Uint32Array(words.length);
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < stride; x++) {
      const i = y * stride + x;
      const set = words[i]! & valid.words[i]!;
      if (set === 0) continue;
      const centre = outside[i]!;
      const left = (centre >>> 1) | (x > 0 ? outside[i - 1]! << 31 : 0);
      const right = (centre << 1) | (x + 1 < stride ? outside[i + 1]! >>> 31 : 0);
      const up = y > 0 ? outside[i - stride]! : 0;
      const down = y + 1 < rows ? outside[i + stride]! : 0;
      result[i] = set & (left | right | up | down);
    }
  }
  return { rows, stride, words: result };
}

const WIDEST = Math.max(...BOUNDARY_TOLERANCES);

/** The boundary widened horizontally by 0, 1, … WIDEST pixels. Boundaries are sparse: words far from one are skipped. */
function widen({ rows, stride, words }: Words): Words[] {
  const levels = Array.from({ length: WIDEST }, () => ({ rows, stride, words: new Uint32Array(words.length) }));
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < stride; x++) {
      const i = y * stride + x;
      const centre = words[i]!;
      const before = x > 0 ? words[i - 1]! : 0;
      const after = x + 1 < stride ? words[i + 1]! : 0;
      if ((centre | before | after) === 0) continue;
      let wider = centre;
      for (let k = 1; k <= WIDEST; k++) {
        wider |= (centre >>> k) | (before << (32 - k)) | (centre << k) | (after >>> (32 - k));
        levels[k - 1]!.words[i] = wider;
      }
    }
  }
  return [{ rows, stride, words }, ...levels];
}

/** Pixels of `boundary` inside the other boundary's disc of `radius`: row by row, the disc's half width at each offset. */
function matched({ rows, stride, words }: Words, other: readonly Words[], radius: number): number {
  const halfWidths = Array.from({ length: radius + 1 }, (_, dy) => Math.floor(Math.sqrt(radius * radius - dy * dy)));
  let count = 0;
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < stride; x++) {
      const i = y * stride + x;
      const own = words[i]!;
      if (own === 0) continue;
      let near = 0;
      for (let dy = -radius; dy <= radius; dy++) {
        if (y + dy < 0 || y + dy >= rows) continue;
        near |= other[halfWidths[Math.abs(dy)]!]!.words[i + dy * stride]!;
      }
      count += popcountWord(own & near);
    }
  }
  return count;
}

function popcount(words: Uint32Array): number {
  let count = 0;
  for (const word of words) count += popcountWord(word);
  return count;
}

function popcountWord(word: number): number {
  let v = word - ((word >>> 1) & 0x55555555);
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
  return Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
