import { Random } from '../random.js';
import { quantile } from './area-agreement.js';

/**
 * Percentile bootstrap over patients (Efron and Tibshirani 1993): patches of one patient are alike, so patients are what is
 * drawn with replacement. A statistic gets how often each patient was drawn and adds up that patient's integer counts.
 */
export interface Interval {
  readonly value: number;
  /** 2.5 % and 97.5 % quantiles of the resampled values; NaN with fewer than two patients. */
  readonly lower: number;
  readonly upper: number;
}

export interface PairedDifference extends Interval {
  /** Two-sided: 2 min(P(d ≤ 0), P(d ≥ 0)) over the resamples, each with one added, at most 1. NaN with fewer than two patients. */
  readonly p: number;
}

export interface BootstrapOptions {
  readonly seed: number;
  /** Resamples; 2000 unless given. */
  readonly resamples?: number;
}

/** A statistic of a resample: weights[i] is how often patient i was drawn. */
export type Statistic = (weights: Uint32Array) => number;

export const DEFAULT_RESAMPLES = 2000;

/** The statistic of all patients once, and its 95 % interval. */
export function bootstrap(patients: number, statistic: Statistic, options: BootstrapOptions): Interval {
  const value = statistic(new Uint32Array(patients).fill(1));
  const draws = resample(patients, options, statistic);
  return { value, ...limits(draws) };
}

/** a − b on the same resamples. */
export function pairedBootstrap(
  patients: number,
  a: Statistic,
  b: Statistic,
  options: BootstrapOptions,
): PairedDifference {
  const difference: Statistic = weights => a(weights) - b(weights);
  const value = difference(new Uint32Array(patients).fill(1));
  const draws = resample(patients, options, difference);
  if (draws.length === 0) return { value, lower: Number.NaN, upper: Number.NaN, p: Number.NaN };
  const atMost = draws.filter(draw => draw <= 0).length;
  const atLeast = draws.filter(draw => draw >= 0).length;
  const p = Math.min(1, (2 * (Math.min(atMost, atLeast) + 1)) / (draws.length + 1));
  return { value, ...limits(draws), p };
}

/** Resampled values that are defined. */
function resample(
  patients: number,
  { seed, resamples = DEFAULT_RESAMPLES }: BootstrapOptions,
  statistic: Statistic,
): number[] {
  if (patients < 2) return [];
  const random = new Random(seed);
  const weights = new Uint32Array(patients);
  const draws: number[] = [];
  for (let r = 0; r < resamples; r++) {
    weights.fill(0);
    for (let i = 0; i < patients; i++) weights[random.below(patients)]!++;
    const draw = statistic(weights);
    if (!Number.isNaN(draw)) draws.push(draw);
  }
  return draws;
}

function limits(draws: readonly number[]): { lower: number; upper: number } {
  const sorted = [...draws].sort((x, y) => x - y);
  return { lower: quantile(sorted, 0.025), upper: quantile(sorted, 0.975) };
}
