import { areaAgreement, relativeAreaError } from './area-agreement.js';
import { type BootstrapOptions, bootstrap, DEFAULT_RESAMPLES, type Interval, type Statistic } from './bootstrap.js';
import { BOUNDARY_TOLERANCES } from './boundary.js';
import { addCounts, NO_COUNTS } from './counts.js';
import type { Evaluation } from './evaluation.js';
import { LABEL_MEANINGS, type LabelMap, labelName, POSITIVE } from './labels.js';
import type {
  ClassResult,
  ImageResult,
  ModelFacts,
  ModelResult,
  ProbabilityResult,
  ScoreSet,
  SplitResult,
  ThresholdChoice,
} from './metrics.js';
import { PatientSums } from './patient-sums.js';
import { dice, iou, REDUCTIONS, type ReductionSum } from './reductions.js';
import {
  averagePrecision,
  bestLevel,
  calibrationError,
  reliability,
  ScoreHistogram,
  thresholdCurve,
  thresholdOf,
} from './score-histogram.js';
import type { SplitName } from './split.js';
import type { ImageTally, SplitTally } from './tally.js';
import { TigerScorer } from './tiger-score.js';

export interface SummaryOptions extends BootstrapOptions {
  readonly map: LabelMap;
  /** Labels are TIGER's: its official score is given. */
  readonly tiger: boolean;
  readonly replaySeconds?: number;
}

/** Resamples of statistics that pool whole histograms: they cost a hundred times the others. */
export const HISTOGRAM_RESAMPLES = 500;

/** All results of one model, from its counts. */
export function summariseModel(facts: ModelFacts, evaluation: Evaluation, options: SummaryOptions): ModelResult {
  const splits: Partial<Record<SplitName, SplitResult>> = {};
  for (const [name, tally] of evaluation.splits) {
    const images = evaluation.images.filter(image => image.split === name);
    if (images.length > 0) splits[name] = summariseSplit(images, tally, options);
  }
  const choice = chooseThreshold(evaluation, options);
  return {
    ...facts,
    seconds: {
      metrics: evaluation.seconds,
      ...(options.replaySeconds !== undefined && { replay: options.replaySeconds }),
    },
    splits,
    seams: evaluation.seams,
    images: evaluation.images.map(imageResult),
    ...(choice && { chosenThreshold: choice }),
  };
}

function summariseSplit(images: readonly ImageTally[], tally: SplitTally, options: SummaryOptions): SplitResult {
  const sums = new PatientSums(images);
  const interval = (statistic: Statistic) => bootstrap(sums.patients.length, statistic, options);
  const scores = (name: 'iou' | 'dice', reductions: ReductionSum): ScoreSet => ({
    micro: interval(sums[name]),
    patchMean: interval(sums.patchMean(name)),
    imageMean: interval(sums.imageMean(name)),
    smp: Object.fromEntries(REDUCTIONS.map(reduction => [reduction, reductions.reduce(reduction)])) as ScoreSet['smp'],
  });
  const diceScores = scores('dice', tally.patchDice);
  const probability = summariseProbability(images, sums, options);
  return {
    images: images.length,
    patients: sums.patients.length,
    patches: {
      scored: tally.patchIou.units,
      removedEmpty: tally.empty,
      unlabelled: tally.unlabelled,
      positivePixelsInEmpty: tally.positiveInEmpty,
    },
    counts: images.reduce((sum, image) => addCounts(sum, image.counts), NO_COUNTS),
    iou: scores('iou', tally.patchIou),
    dice: diceScores,
    precision: interval(sums.precision),
    recall: interval(sums.recall),
    specificity: interval(sums.specificity),
    boundaryF1: Object.fromEntries(BOUNDARY_TOLERANCES.map(px => [String(px), interval(sums.boundaryF1(px))])),
    area: areaAgreement(images.map(areaPair)),
    areaError: interval(sums.areaError),
    classes: classResults(tally, options.map),
    ...(options.tiger && { tiger: { ...tigerScore(tally), stromaInterval: diceScores.micro } }),
    ...(probability && { probability }),
  };
}

function summariseProbability(
  images: readonly ImageTally[],
  sums: PatientSums,
  options: BootstrapOptions,
): ProbabilityResult | undefined {
  const pooled = pool(images);
  if (!pooled) return undefined;
  const resamples = Math.min(options.resamples ?? DEFAULT_RESAMPLES, HISTOGRAM_RESAMPLES);
  const interval = (of: (histogram: ScoreHistogram) => number): Interval =>
    bootstrap(sums.patients.length, sums.ofHistogram(of) ?? (() => Number.NaN), { ...options, resamples });
  return {
    averagePrecision: interval(averagePrecision),
    calibrationError: interval(histogram => calibrationError(reliability(histogram))),
    reliability: reliability(pooled),
    curve: thresholdCurve(pooled),
  };
}

/** The threshold with the best micro IoU on the validation split; undefined without one or without probabilities. */
function chooseThreshold(evaluation: Evaluation, options: BootstrapOptions): ThresholdChoice | undefined {
  const pooled = pool(evaluation.images.filter(image => image.split === 'validation'));
  if (!pooled || pooled.pixels === 0) return undefined;
  const level = bestLevel(pooled);
  const resamples = Math.min(options.resamples ?? DEFAULT_RESAMPLES, HISTOGRAM_RESAMPLES);
  const result: Partial<Record<SplitName, Interval>> = {};
  for (const name of evaluation.splits.keys()) {
    const sums = new PatientSums(evaluation.images.filter(image => image.split === name));
    const statistic = sums.ofHistogram(histogram => iou(histogram.countsAt(level)));
    if (statistic) result[name] = bootstrap(sums.patients.length, statistic, { ...options, resamples });
  }
  return { chosenOn: 'validation', threshold: thresholdOf(level), iou: result };
}

function pool(images: readonly ImageTally[]): ScoreHistogram | undefined {
  if (!images.some(image => image.histogram)) return undefined;
  const pooled = new ScoreHistogram();
  for (const { histogram } of images) if (histogram) pooled.merge(histogram);
  return pooled;
}

function classResults(tally: SplitTally, map: LabelMap): ClassResult[] {
  const { counts } = tally.values;
  const seen = [...counts.keys()].filter(value => value < 256 && counts[value]! > 0);
  return seen.map(value => ({
    value,
    name: labelName(map, value),
    meaning: LABEL_MEANINGS[map.meanings[value]!]!,
    pixels: counts[value]!,
    predictedPositive: counts[256 + value]!,
  }));
}

/** A positive pixel is stroma (2) to TIGER's scorer, any other is rest (7). */
function tigerScore(tally: SplitTally): ReturnType<() => TigerScorer['score']> {
  const scorer = new TigerScorer();
  const { counts } = tally.values;
  for (let value = 0; value < 256; value++) {
    scorer.addPixels(value, 2, counts[256 + value]!);
    scorer.addPixels(value, 7, counts[value]! - counts[256 + value]!);
  }
  return { ...scorer.score, tumour: null };
}

function areaPair({ image, patient, counts, pixelArea }: ImageTally) {
  const predicted = (counts.tp + counts.fp) * pixelArea;
  return { id: image, patient, predicted, truth: (counts.tp + counts.fn) * pixelArea };
}

function imageResult(tally: ImageTally): ImageResult {
  const { image, patient, subset, split, patches, counts, seams } = tally;
  const { predicted, truth } = areaPair(tally);
  return {
    image,
    patient,
    subset,
    split,
    patches,
    counts,
    iou: iou(counts),
    dice: dice(counts),
    predictedArea: predicted,
    annotatedArea: truth,
    areaError: relativeAreaError({ predicted, truth }),
    ...(seams && { seams }),
  };
}

/** Whether the map asks TIGER's question: stroma is 2 and 6, 0 is ignored. */
export function isTigerQuestion(map: LabelMap): boolean {
  const positive = [...map.meanings.keys()].filter(value => map.meanings[value] === POSITIVE);
  return positive.join() === '2,6' && LABEL_MEANINGS[map.meanings[0]!] === 'ignored';
}
