/**
 * How well measured stroma area agrees with annotated area, a slide or image each: what the TILs score inherits, for its
 * denominator is this area. Bland and Altman, Lancet 1986.
 */
export interface AreaPair {
  readonly id: string;
  readonly patient: string;
  /** mm² of labelled pixels. */
  readonly predicted: number;
  readonly truth: number;
}

/** Mean difference and the limits within which 95 % of the differences are expected: mean ± 1.96 SD. */
export interface Agreement {
  readonly n: number;
  readonly bias: number;
  readonly standardDeviation: number;
  readonly lower: number;
  readonly upper: number;
}

export interface AreaAgreement {
  /** Differences predicted − truth in mm². */
  readonly absolute: Agreement;
  /** Relative errors (predicted − truth) / truth, of images with annotated stroma. */
  readonly relative: Agreement;
  /** Quartiles of the relative errors and the median of their size: a few images with hardly any stroma do not sway them. */
  readonly relativeQuartiles: readonly [lower: number, median: number, upper: number];
  readonly medianAbsoluteRelative: number;
  /** (Σ predicted − Σ truth) / Σ truth. */
  readonly pooledRelative: number;
}

/** (predicted − truth) / truth; NaN where no stroma is annotated. */
export const relativeAreaError = ({ predicted, truth }: Pick<AreaPair, 'predicted' | 'truth'>): number =>
  truth > 0 ? (predicted - truth) / truth : Number.NaN;

export function areaAgreement(pairs: readonly AreaPair[]): AreaAgreement {
  const relative = pairs.map(relativeAreaError).filter(value => !Number.isNaN(value));
  const sorted = [...relative].sort((a, b) => a - b);
  const total = pairs.reduce(
    (sums, pair) => ({ predicted: sums.predicted + pair.predicted, truth: sums.truth + pair.truth }),
    { predicted: 0, truth: 0 },
  );
  return {
    absolute: agreement(pairs.map(pair => pair.predicted - pair.truth)),
    relative: agreement(relative),
    relativeQuartiles: [quantile(sorted, 0.25), quantile(sorted, 0.5), quantile(sorted, 0.75)],
    medianAbsoluteRelative: median(relative.map(Math.abs)),
    pooledRelative: relativeAreaError(total),
  };
}

/** Standard deviation with n − 1; 0 for a single value, NaN for none. */
export function agreement(differences: readonly number[]): Agreement {
  const n = differences.length;
  const bias = differences.reduce((sum, value) => sum + value, 0) / n;
  const squares = differences.reduce((sum, value) => sum + (value - bias) ** 2, 0);
  const standardDeviation = n > 1 ? Math.sqrt(squares / (n - 1)) : n === 1 ? 0 : Number.NaN;
  const reach = 1.96 * standardDeviation;
  return { n, bias, standardDeviation, lower: bias - reach, upper: bias + reach };
}

/** NaN for none. */
export function median(values: readonly number[]): number {
  return quantile(
    [...values].sort((a, b) => a - b),
    0.5,
  );
}

/** Linear interpolation between order statistics (Hyndman and Fan's type 7, NumPy's default); NaN for none. */
export function quantile(sorted: readonly number[], share: number): number {
  if (sorted.length === 0) return Number.NaN;
  const at = share * (sorted.length - 1);
  const low = sorted[Math.floor(at)]!;
  return low + (sorted[Math.ceil(at)]! - low) * (at - Math.floor(at));
}
