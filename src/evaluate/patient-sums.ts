import type { Statistic } from './bootstrap.js';
import { BOUNDARY_TOLERANCES, type BoundaryCounts, boundaryF1 } from './boundary.js';
import { dice, iou } from './reductions.js';
import { ScoreHistogram } from './score-histogram.js';
import type { ImageTally } from './tally.js';

/**
 * Per-patient sums of a split, and the statistics drawn from them. Every score is a ratio of sums over patients, so a
 * resample is a weighted sum: nothing is counted again.
 */
export class PatientSums {
  readonly patients: readonly string[];
  readonly #columns: Readonly<Record<Column, Float64Array>>;
  readonly #boundary: readonly (readonly BoundaryCounts[])[][];
  readonly #histograms: readonly ScoreHistogram[] | undefined;

  /** @param order patients in the order of the weights; those without a tally count nothing */
  constructor(tallies: readonly ImageTally[], order?: readonly string[]) {
    this.patients = order ?? [...new Set(tallies.map(tally => tally.patient))].sort();
    const index = new Map(this.patients.map((patient, i) => [patient, i]));
    const columns = Object.fromEntries(COLUMNS.map(name => [name, new Float64Array(this.patients.length)])) as Record<
      Column,
      Float64Array
    >;
    const boundary: (readonly BoundaryCounts[])[][] = this.patients.map(() => []);
    const histograms = tallies.some(tally => tally.histogram)
      ? this.patients.map(() => new ScoreHistogram())
      : undefined;
    for (const tally of tallies) {
      const i = index.get(tally.patient);
      if (i === undefined) continue;
      for (const name of COLUMNS) columns[name][i]! += VALUE_OF[name](tally);
      boundary[i]!.push(tally.boundary);
      if (tally.histogram) histograms?.[i]?.merge(tally.histogram);
    }
    this.#columns = columns;
    this.#boundary = boundary;
    this.#histograms = histograms;
  }

  get iou(): Statistic {
    const { tp, fp, fn } = this.#columns;
    return weights => dot(weights, tp) / (dot(weights, tp) + dot(weights, fp) + dot(weights, fn));
  }

  get dice(): Statistic {
    const { tp, fp, fn } = this.#columns;
    return weights => (2 * dot(weights, tp)) / (2 * dot(weights, tp) + dot(weights, fp) + dot(weights, fn));
  }

  get precision(): Statistic {
    const { tp, fp } = this.#columns;
    return weights => dot(weights, tp) / (dot(weights, tp) + dot(weights, fp));
  }

  get recall(): Statistic {
    const { tp, fn } = this.#columns;
    return weights => dot(weights, tp) / (dot(weights, tp) + dot(weights, fn));
  }

  get specificity(): Statistic {
    const { tn, fp } = this.#columns;
    return weights => dot(weights, tn) / (dot(weights, tn) + dot(weights, fp));
  }

  /** Pooled relative area error: (Σ predicted − Σ truth) / Σ truth, in mm². */
  get areaError(): Statistic {
    return this.#ratio('areaDifference', 'areaTruth');
  }

  patchMean(score: 'iou' | 'dice'): Statistic {
    return this.#ratio(score === 'iou' ? 'patchIou' : 'patchDice', 'patches');
  }

  imageMean(score: 'iou' | 'dice'): Statistic {
    return this.#ratio(score === 'iou' ? 'imageIou' : 'imageDice', 'images');
  }

  /** @param tolerance one of BOUNDARY_TOLERANCES */
  boundaryF1(tolerance: number): Statistic {
    const at = BOUNDARY_TOLERANCES.indexOf(tolerance);
    const sums = this.#boundary.map(images => images.map(counts => counts[at]!));
    const column = (name: keyof BoundaryCounts) =>
      Float64Array.from(sums, images => images.reduce((sum, counts) => sum + counts[name], 0));
    const [predicted, predictedMatched] = [column('predicted'), column('predictedMatched')];
    const [truth, truthMatched] = [column('truth'), column('truthMatched')];
    return weights =>
      boundaryF1({
        predicted: dot(weights, predicted),
        predictedMatched: dot(weights, predictedMatched),
        truth: dot(weights, truth),
        truthMatched: dot(weights, truthMatched),
      });
  }

  /** A statistic of the pooled histogram; undefined without probabilities. */
  ofHistogram(of: (histogram: ScoreHistogram) => number): Statistic | undefined {
    const histograms = this.#histograms;
    if (!histograms) return undefined;
    return weights => {
      const pooled = new ScoreHistogram();
      for (const [i, histogram] of histograms.entries()) if (weights[i]! > 0) pooled.merge(histogram, weights[i]);
      return of(pooled);
    };
  }

  #ratio(numerator: Column, denominator: Column): Statistic {
    const [a, b] = [this.#columns[numerator], this.#columns[denominator]];
    return weights => dot(weights, a) / dot(weights, b);
  }
}

const VALUE_OF = {
  tp: (tally: ImageTally) => tally.counts.tp,
  fp: (tally: ImageTally) => tally.counts.fp,
  fn: (tally: ImageTally) => tally.counts.fn,
  tn: (tally: ImageTally) => tally.counts.tn,
  patchIou: (tally: ImageTally) => tally.patchIou,
  patchDice: (tally: ImageTally) => tally.patchDice,
  patches: (tally: ImageTally) => tally.patches,
  imageIou: (tally: ImageTally) => orOne(iou(tally.counts)),
  imageDice: (tally: ImageTally) => orOne(dice(tally.counts)),
  images: () => 1,
  areaDifference: ({ counts, pixelArea }: ImageTally) => (counts.fp - counts.fn) * pixelArea,
  areaTruth: ({ counts, pixelArea }: ImageTally) => (counts.tp + counts.fn) * pixelArea,
} as const;
type Column = keyof typeof VALUE_OF;
const COLUMNS = Object.keys(VALUE_OF) as Column[];

const orOne = (score: number): number => (Number.isNaN(score) ? 1 : score);

function dot(weights: Uint32Array, values: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += weights[i]! * values[i]!;
  return sum;
}
