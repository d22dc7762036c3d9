import type { Counts } from './counts.js';
import type { PatchLabels } from './patch-labels.js';
import { iou, type Score } from './reductions.js';

/**
 * Everything about probabilities in 512 integers: how many positive and negative pixels got each of 256 quantised
 * probabilities q = round(255 p). Counts at any threshold, precision–recall, calibration follow exactly (for the
 * quantised scores), and histograms add up over patches.
 */
export class ScoreHistogram {
  /** Labelled pixels by q, positive and negative truth. */
  readonly positive = new Float64Array(256);
  readonly negative = new Float64Array(256);

  /**
   * Adds a patch.
   * @param probabilities (core + 2 margin)² bytes, q = round(255 p), rows top down; undefined: p = 0 everywhere
   * @param margin context around the core, in pixels
   */
  add(probabilities: Uint8Array | undefined, labels: PatchLabels, margin = 0): void {
    const { side, width, height, positive, ignored } = labels;
    if (!probabilities) {
      this.positive[0]! += labels.positivePixels;
      this.negative[0]! += labels.labelledPixels - labels.positivePixels;
      return;
    }
    const pitch = side + 2 * margin;
    if (probabilities.length !== pitch * pitch) {
      throw new RangeError(`${probabilities.length} probabilities for ${pitch} × ${pitch} pixels`);
    }
    const stride = side >> 3;
    for (let y = 0; y < height; y++) {
      const from = (y + margin) * pitch + margin;
      for (let x = 0; x < width; x++) {
        const at = y * stride + (x >> 3);
        const bit = 128 >> (x & 7);
        if (ignored[at]! & bit) continue;
        (positive[at]! & bit ? this.positive : this.negative)[probabilities[from + x]!]!++;
      }
    }
  }

  /** Adds another histogram `times` times. */
  merge(other: ScoreHistogram, times = 1): void {
    for (let q = 0; q < 256; q++) {
      this.positive[q]! += other.positive[q]! * times;
      this.negative[q]! += other.negative[q]! * times;
    }
  }

  get pixels(): number {
    return sum(this.positive) + sum(this.negative);
  }

  /** Counts when pixels with q ≥ `level` are called positive. Level 0 calls all, 256 none. */
  countsAt(level: number): Counts {
    const tp = sum(this.positive.subarray(level));
    const fp = sum(this.negative.subarray(level));
    return { tp, fp, fn: sum(this.positive) - tp, tn: sum(this.negative) - fp };
  }
}

/** The level q whose pixels p ≥ threshold are called positive: the smallest q with q / 255 ≥ threshold. */
export const levelOf = (threshold: number): number => Math.max(0, Math.ceil(threshold * 255 - 1e-9));
export const thresholdOf = (level: number): number => level / 255;

/**
 * Area under the precision–recall curve as average precision, Σ (Rₙ − Rₙ₋₁) Pₙ over falling thresholds (scikit-learn's
 * average_precision_score). NaN without positives.
 */
export function averagePrecision(histogram: ScoreHistogram): number {
  const positives = sum(histogram.positive);
  if (positives === 0) return Number.NaN;
  let tp = 0;
  let fp = 0;
  let area = 0;
  for (let q = 255; q >= 0; q--) {
    const found = histogram.positive[q]!;
    tp += found;
    fp += histogram.negative[q]!;
    if (found > 0) area += (found / positives) * (tp / (tp + fp));
  }
  return area;
}

export interface ReliabilityBin {
  /** Probabilities in [from, to). */
  readonly from: number;
  readonly to: number;
  readonly pixels: number;
  /** Mean probability and share of positive pixels; NaN in an empty bin. */
  readonly confidence: number;
  readonly frequency: number;
}

export const RELIABILITY_BINS = 15;

/** Equal-width bins of the probability of the positive class (Guo et al., ICML 2017, with their 15 bins). */
export function reliability(histogram: ScoreHistogram): ReliabilityBin[] {
  const bins = Array.from({ length: RELIABILITY_BINS }, () => ({ pixels: 0, probability: 0, positive: 0 }));
  for (let q = 0; q < 256; q++) {
    const bin = bins[Math.min(RELIABILITY_BINS - 1, Math.floor((q * RELIABILITY_BINS) / 255))]!;
    const pixels = histogram.positive[q]! + histogram.negative[q]!;
    bin.pixels += pixels;
    bin.probability += (pixels * q) / 255;
    bin.positive += histogram.positive[q]!;
  }
  return bins.map(({ pixels, probability, positive }, index) => ({
    from: index / RELIABILITY_BINS,
    to: (index + 1) / RELIABILITY_BINS,
    pixels,
    confidence: probability / pixels,
    frequency: positive / pixels,
  }));
}

/** Expected calibration error: Σ (pixels of the bin / all) · |frequency − confidence|. NaN without pixels. */
export function calibrationError(bins: readonly ReliabilityBin[]): number {
  const all = bins.reduce((total, bin) => total + bin.pixels, 0);
  const gaps = bins.map(bin => (bin.pixels === 0 ? 0 : bin.pixels * Math.abs(bin.frequency - bin.confidence)));
  return gaps.reduce((total, gap) => total + gap, 0) / all;
}

export interface ThresholdPoint {
  readonly level: number;
  readonly threshold: number;
  readonly iou: number;
  readonly precision: number;
  readonly recall: number;
}

/** Scores at every level 1–255, for the threshold and precision–recall curves. */
export function thresholdCurve(histogram: ScoreHistogram): ThresholdPoint[] {
  return Array.from({ length: 255 }, (_, index) => {
    const level = index + 1;
    const counts = histogram.countsAt(level);
    const { tp, fp, fn } = counts;
    return {
      level,
      threshold: thresholdOf(level),
      iou: iou(counts),
      precision: tp / (tp + fp),
      recall: tp / (tp + fn),
    };
  });
}

/** The level with the best score; of equal ones the middle, so that the choice does not hang on one edge. */
export function bestLevel(histogram: ScoreHistogram, score: Score = iou): number {
  let best = Number.NEGATIVE_INFINITY;
  let levels: number[] = [];
  for (let level = 1; level <= 255; level++) {
    const value = score(histogram.countsAt(level));
    if (value > best) {
      best = value;
      levels = [level];
    } else if (value === best) levels.push(level);
  }
  return levels.length > 0 ? levels[Math.floor((levels.length - 1) / 2)]! : 128;
}

const sum = (values: Float64Array): number => values.reduce((total, value) => total + value, 0);
