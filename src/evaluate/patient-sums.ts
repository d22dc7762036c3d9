import type { Statistic } from './bootstrap.js';
import { BOUNDARY_TOLERANCES, type BoundaryCounts, boundaryF1 } from './boundary.js';
import { type Columns, CountSums, columnsOf, dot, ratioOf } from './count-sums.js';
import { dice, iou } from './reductions.js';
import { ScoreHistogram } from './score-histogram.js';
import type { ImageTally } from './tally.js';

/**
 * Per-patient sums of a split, and the statistics drawn from them. Every score is a ratio of sums over patients, so a
 * resample is a weighted sum: nothing is counted again.
 */
export class PatientSums extends CountSums {
  readonly #columns: Columns<keyof typeof VALUE_OF>;
  readonly #boundary: readonly (readonly BoundaryCounts[])[][];
  readonly #histograms: readonly ScoreHistogram[] | undefined;

  constructor(tallies: readonly ImageTally[]) {
    super(tallies);
    const index = new Map(this.patients.map((patient, i) => [patient, i]));
    const boundary: (readonly BoundaryCounts[])[][] = this.patients.map(() => []);
    const histograms = tallies.some(tally => tally.histogram)
      ? this.patients.map(() => new ScoreHistogram())
      : undefined;
    for (const tally of tallies) {
      const i = index.get(tally.patient)!;
      boundary[i]!.push(tally.boundary);
      if (tally.histogram) histograms?.[i]?.merge(tally.histogram);
    }
    this.#columns = columnsOf(VALUE_OF, tallies, this.patients);
    this.#boundary = boundary;
    this.#histograms = histograms;
  }

  patchMean(score: 'iou' | 'dice'): Statistic {
    return ratioOf(this.#columns[score === 'iou' ? 'patchIou' : 'patchDice'], this.#columns.patches);
  }

  imageMean(score: 'iou' | 'dice'): Statistic {
    return ratioOf(this.#columns[score === 'iou' ? 'imageIou' : 'imageDice'], this.#columns.images);
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
}

const VALUE_OF = {
  patchIou: (tally: ImageTally) => tally.patchIou,
  patchDice: (tally: ImageTally) => tally.patchDice,
  patches: (tally: ImageTally) => tally.patches,
  imageIou: (tally: ImageTally) => orOne(iou(tally.counts)),
  imageDice: (tally: ImageTally) => orOne(dice(tally.counts)),
  images: () => 1,
} as const;

const orOne = (score: number): number => (Number.isNaN(score) ? 1 : score);
