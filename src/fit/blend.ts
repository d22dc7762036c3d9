import type { NormMoments } from '../model/norm/statistics.js';

/** Statistics, and how many patches they stand for. */
export interface Weighed {
  readonly norms: readonly NormMoments[];
  readonly patches: number;
}

/** What earlier slides weigh when another one comes: of ten slides ago a tenth is left. */
export const DECAY = 0.8;

/**
 * Statistics of a scanner after another slide: earlier ones count `decay` of what they did. Means and mean squares are averaged, weighed by
 * patches, so that the variance is that of all their pixels together:
 *
 *     w = decay · past.patches,  m = (w · m₀ + n · m₁) / (w + n),  s likewise,  variance = s − m²
 */
export function blend(past: Weighed, next: Weighed, decay = DECAY): Weighed {
  const weight = decay * past.patches;
  const patches = weight + next.patches;
  const part = next.patches / patches;
  const earlier = new Map(past.norms.map(norm => [norm.name, norm]));
  const norms = next.norms.map(({ name, mean, variance }): NormMoments => {
    const before = earlier.get(name);
    if (before?.mean.length !== mean.length) throw new RangeError(`no earlier statistics of ${name}`);
    const mixed = mean.map((value, i) => before.mean[i]! + part * (value - before.mean[i]!));
    const spread = variance.map((value, i) => {
      const [m0, m1] = [before.mean[i]!, mean[i]!];
      const square = (1 - part) * (before.variance[i]! + m0 ** 2) + part * (value + m1 ** 2);
      return Math.max(0, square - ((1 - part) * m0 + part * m1) ** 2);
    });
    return { name, mean: mixed, variance: spread };
  });
  return { norms, patches };
}
