import { describe, expect, it } from 'vitest';
import { agreement, areaAgreement, median, quantile, relativeAreaError } from '#src/evaluate/area-agreement.js';
import { bootstrap, pairedBootstrap } from '#src/evaluate/bootstrap.js';
import { Random } from '#src/random.js';

const weightedMean = (values: readonly number[]) => (weights: Uint32Array) => {
  let [sum, n] = [0, 0];
  values.forEach((value, i) => {
    sum += value * weights[i]!;
    n += weights[i]!;
  });
  return sum / n;
};

const normal = (random: Random) =>
  Math.sqrt(-2 * Math.log(1 - random.float())) * Math.cos(2 * Math.PI * random.float());

describe('bootstrap', () => {
  it('covers the true mean about 95 times in 100', () => {
    const random = new Random(11);
    let covered = 0;
    for (let trial = 0; trial < 200; trial++) {
      const values = Array.from({ length: 60 }, () => 3 + normal(random));
      const { lower, upper } = bootstrap(60, weightedMean(values), { seed: trial, resamples: 400 });
      if (lower <= 3 && 3 <= upper) covered++;
    }
    expect(covered).toBeGreaterThanOrEqual(180);
    expect(covered).toBeLessThanOrEqual(199);
  });

  it('has the width the standard error asks for', () => {
    const values = Array.from({ length: 100 }, (_, i) => i);
    const { value, lower, upper } = bootstrap(100, weightedMean(values), { seed: 5, resamples: 4000 });
    expect(value).toBe(49.5);
    expect(upper - lower).toBeCloseTo((2 * 1.96 * 28.866) / 10, 0);
  });

  it('repeats by seed', () => {
    const statistic = weightedMean(Array.from({ length: 30 }, (_, i) => i * i));
    expect(bootstrap(30, statistic, { seed: 1 })).toEqual(bootstrap(30, statistic, { seed: 1 }));
    expect(bootstrap(30, statistic, { seed: 1 })).not.toEqual(bootstrap(30, statistic, { seed: 2 }));
  });

  it('gives no interval for one patient', () => {
    const { value, lower } = bootstrap(1, weightedMean([2]), { seed: 1 });
    expect(value).toBe(2);
    expect(lower).toBeNaN();
    expect(pairedBootstrap(1, weightedMean([2]), weightedMean([1]), { seed: 1 }).p).toBeNaN();
  });
});

describe('pairedBootstrap', () => {
  const base = Array.from({ length: 40 }, (_, i) => i);

  it('sees a small constant difference that unpaired intervals would hide', () => {
    const better = base.map((value, i) => value + 0.1 + (i % 2) * 0.1);
    const { value, lower, p } = pairedBootstrap(40, weightedMean(better), weightedMean(base), { seed: 3 });
    expect(value).toBeCloseTo(0.15, 9);
    expect(lower).toBeGreaterThan(0);
    expect(p).toBeLessThan(0.01);
  });

  it('finds none between equal models', () => {
    expect(pairedBootstrap(40, weightedMean(base), weightedMean(base), { seed: 3 })).toEqual({
      value: 0,
      lower: 0,
      upper: 0,
      p: 1,
    });
  });
});

describe('area agreement', () => {
  it('is Bland and Altman’s', () => {
    const { bias, standardDeviation, lower, upper, n } = agreement([1, 2, 3, 4]);
    expect([n, bias]).toEqual([4, 2.5]);
    expect(standardDeviation).toBeCloseTo(1.2909944487, 9);
    expect(lower).toBeCloseTo(2.5 - 1.96 * 1.2909944487, 9);
    expect(upper).toBeCloseTo(2.5 + 1.96 * 1.2909944487, 9);
    expect(agreement([]).bias).toBeNaN();
    expect(agreement([3])).toMatchObject({ bias: 3, standardDeviation: 0 });
  });

  it('leaves images without annotated stroma out of relative errors only', () => {
    const pair = (predicted: number, truth: number) => ({ id: 'i', patient: 'p', predicted, truth });
    const result = areaAgreement([pair(2, 1), pair(0.5, 1), pair(1, 0)]);
    expect(result.absolute.n).toBe(3);
    expect(result.relative).toMatchObject({ n: 2, bias: 0.25 });
    expect(result.medianAbsoluteRelative).toBe(0.75);
    expect(result.relativeQuartiles).toEqual([-0.125, 0.25, 0.625]);
    expect(result.pooledRelative).toBe(0.75);
    expect(relativeAreaError({ predicted: 1, truth: 0 })).toBeNaN();
  });

  it('interpolates quantiles as NumPy does', () => {
    expect(quantile([1, 2, 3, 4], 0.25)).toBe(1.75);
    expect(quantile([], 0.5)).toBeNaN();
    expect(median([3, 1, 2])).toBe(2);
  });
});
