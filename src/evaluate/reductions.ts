import type { Counts } from './counts.js';

/**
 * Scores of binary counts and the ways segmentation_models_pytorch reduces them over images and classes
 * (metrics/functional.py, version 0.6): equal to its float64 results to 1e-9.
 */
export type Reduction = 'micro' | 'macro' | 'micro-imagewise' | 'macro-imagewise';
export const REDUCTIONS: readonly Reduction[] = ['micro', 'macro', 'micro-imagewise', 'macro-imagewise'];

export type Score = (counts: Counts) => number;

/** |A ∩ B| / |A ∪ B| (Jaccard); NaN when both are empty. */
export const iou: Score = ({ tp, fp, fn }) => tp / (tp + fp + fn);
/** 2 |A ∩ B| / (|A| + |B|) (Dice, F1); NaN when both are empty. */
export const dice: Score = ({ tp, fp, fn }) => (2 * tp) / (2 * tp + fp + fn);
/** NaN when nothing was predicted. */
export const precision: Score = ({ tp, fp }) => tp / (tp + fp);
/** NaN when nothing is there to be found. */
export const recall: Score = ({ tp, fn }) => tp / (tp + fn);
/** NaN without negatives. */
export const specificity: Score = ({ tn, fp }) => tn / (tn + fp);

/** Streams units (patches or images) of C classes each; keeps sums only. */
export class ReductionSum {
  readonly #score: Score;
  readonly #zeroDivision: number;
  readonly #perClass: { tp: number; fp: number; fn: number; tn: number; score: number }[] = [];
  #units = 0;
  #microImagewise = 0;

  /** @param zeroDivision what 0/0 counts as, everywhere but in 'micro', where smp leaves NaN. smp's default is 1. */
  constructor(score: Score, zeroDivision = 1) {
    this.#score = score;
    this.#zeroDivision = zeroDivision;
  }

  get units(): number {
    return this.#units;
  }

  /** Adds one unit: its counts, one entry a class. */
  add(unit: readonly Counts[]): void {
    this.#units++;
    const all = { tp: 0, fp: 0, fn: 0, tn: 0 };
    unit.forEach((counts, index) => {
      this.#perClass[index] ??= { tp: 0, fp: 0, fn: 0, tn: 0, score: 0 };
      const sums = this.#perClass[index]!;
      for (const key of ['tp', 'fp', 'fn', 'tn'] as const) {
        sums[key] += counts[key];
        all[key] += counts[key];
      }
      sums.score += this.#defined(this.#score(counts));
    });
    this.#microImagewise += this.#defined(this.#score(all));
  }

  /** NaN before the first unit. */
  reduce(reduction: Reduction): number {
    const classes = this.#perClass;
    if (classes.length === 0) return Number.NaN;
    switch (reduction) {
      case 'micro': {
        const all = { tp: 0, fp: 0, fn: 0, tn: 0 };
        for (const sums of classes) for (const key of ['tp', 'fp', 'fn', 'tn'] as const) all[key] += sums[key];
        return this.#score(all);
      }
      case 'macro':
        return mean(classes.map(sums => this.#defined(this.#score(sums))));
      case 'micro-imagewise':
        return this.#microImagewise / this.#units;
      case 'macro-imagewise':
        return mean(classes.map(sums => sums.score / this.#units));
    }
  }

  #defined(score: number): number {
    return Number.isNaN(score) ? this.#zeroDivision : score;
  }
}

/** All four reductions of one score over a finished list. */
export function reduceAll(
  units: Iterable<readonly Counts[]>,
  score: Score,
  zeroDivision = 1,
): Record<Reduction, number> {
  const sum = new ReductionSum(score, zeroDivision);
  for (const unit of units) sum.add(unit);
  return Object.fromEntries(REDUCTIONS.map(name => [name, sum.reduce(name)])) as Record<Reduction, number>;
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
