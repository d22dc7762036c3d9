import { type BootstrapOptions, pairedBootstrap } from './bootstrap.js';
import { type CountedImage, CountSums } from './count-sums.js';
import type { Evaluation } from './evaluation.js';
import type { Comparison, ScoreDifferences } from './metrics.js';

/** A model's counts and the name it goes by in the report. */
export interface NamedEvaluation {
  readonly name: string;
  readonly evaluation: Evaluation;
}

/**
 * Every pair of models on every split, on the images both have scored: the differences of their scores with intervals,
 * patients drawn once for both (paired bootstrap).
 */
export function compareModels(models: readonly NamedEvaluation[], options: BootstrapOptions): Comparison[] {
  const pairs = models.flatMap((a, i) => models.slice(i + 1).map(b => ({ a, b })));
  return pairs.flatMap(({ a, b }) =>
    [...a.evaluation.splits.keys()].flatMap(split => {
      const of = ({ evaluation }: NamedEvaluation) => evaluation.images.filter(image => image.split === split);
      const shared = sharedImages(of(a), of(b));
      if (shared.length === 0) return [];
      return [{ a: a.name, b: b.name, split, ...scoreDifferences(shared, options) }];
    }),
  );
}

/** One image as both scored it. */
export type ImagePair<Image extends CountedImage = CountedImage> = readonly [a: Image, b: Image];

/** Images that are in both lists. */
export function sharedImages<Image extends CountedImage>(
  a: readonly Image[],
  b: readonly Image[],
): readonly ImagePair<Image>[] {
  const others = new Map(b.map(image => [image.image, image]));
  return a.flatMap(image => {
    const other = others.get(image.image);
    return other ? [[image, other] as const] : [];
  });
}

/** Scores of the first of each pair minus those of the second, patients (as the first has them) drawn once for both. */
export function scoreDifferences(pairs: readonly ImagePair[], options: BootstrapOptions): ScoreDifferences {
  const patients = [...new Set(pairs.map(([{ patient }]) => patient))].sort();
  const a = new CountSums(
    pairs.map(([image]) => image),
    patients,
  );
  const b = new CountSums(
    pairs.map(([{ patient }, image]) => ({ ...picked(image), patient })),
    patients,
  );
  const paired = (score: Score) => pairedBootstrap(patients.length, a[score], b[score], options);
  const seamScore = pairs.every(([one, other]) => one.seams && other.seams) && paired('seamScore');
  return {
    ...{ iou: paired('iou'), dice: paired('dice'), precision: paired('precision') },
    ...{ recall: paired('recall'), areaError: paired('areaError') },
    ...(seamScore && !Number.isNaN(seamScore.value) && { seamScore }),
  };
}

type Score = keyof ScoreDifferences;

/** Of a tally its fields, not its methods. */
const picked = ({ image, counts, pixelArea, seams }: CountedImage) => ({ image, counts, pixelArea, seams });
