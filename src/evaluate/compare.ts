import { type BootstrapOptions, pairedBootstrap } from './bootstrap.js';
import type { Evaluation } from './evaluation.js';
import type { Comparison } from './metrics.js';
import { PatientSums } from './patient-sums.js';

/** A model's counts and the name it goes by in the report. */
export interface NamedEvaluation {
  readonly name: string;
  readonly evaluation: Evaluation;
}

/**
 * Every pair of models on every split, on the images both have scored: the difference of micro IoU and Dice with its
 * interval, patients drawn once for both (paired bootstrap).
 */
export function compareModels(models: readonly NamedEvaluation[], options: BootstrapOptions): Comparison[] {
  const pairs = models.flatMap((a, i) => models.slice(i + 1).map(b => ({ a, b })));
  return pairs.flatMap(({ a, b }) =>
    [...a.evaluation.splits.keys()].flatMap(split => comparePair(a, b, split, options)),
  );
}

function comparePair(
  a: NamedEvaluation,
  b: NamedEvaluation,
  split: Comparison['split'],
  options: BootstrapOptions,
): Comparison[] {
  const of = (model: NamedEvaluation) => model.evaluation.images.filter(image => image.split === split);
  const inB = new Set(of(b).map(image => image.image));
  const shared = of(a).filter(image => inB.has(image.image));
  if (shared.length === 0) return [];
  const names = new Set(shared.map(image => image.image));
  const patients = [...new Set(shared.map(image => image.patient))].sort();
  const sumsA = new PatientSums(shared, patients);
  const sumsB = new PatientSums(
    of(b).filter(image => names.has(image.image)),
    patients,
  );
  const paired = (score: 'iou' | 'dice') => pairedBootstrap(patients.length, sumsA[score], sumsB[score], options);
  return [{ a: a.name, b: b.name, split, iou: paired('iou'), dice: paired('dice') }];
}
