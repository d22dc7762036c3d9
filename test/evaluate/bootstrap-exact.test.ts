import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { agreement, areaAgreement, quantile } from '#src/evaluate/area-agreement.js';
import { bootstrap, DEFAULT_RESAMPLES, pairedBootstrap, type Statistic } from '#src/evaluate/bootstrap.js';

/** Every resample that a bootstrap has drawn, by a statistic that writes them down. */
function draws(patients: number, seed: number, resamples?: number): number[][] {
  const seen: number[][] = [];
  const statistic: Statistic = weights => seen.push([...weights]);
  bootstrap(patients, statistic, { seed, ...(resamples !== undefined && { resamples }) });
  return seen;
}

const first: Statistic = weights => weights[0]!;

describe('a resample', () => {
  it('draws as many patients as there are, with replacement; the value itself takes each once', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 30 }), fc.integer(), (patients, seed) => {
        const [whole, ...drawn] = draws(patients, seed, 20);
        expect(whole).toEqual(new Array(patients).fill(1));
        expect(drawn).toHaveLength(20);
        for (const weights of drawn) expect(weights.reduce((sum, one) => sum + one, 0)).toBe(patients);
      }),
    );
    expect(draws(2, 1)).toHaveLength(DEFAULT_RESAMPLES + 1);
    expect(draws(1, 1)).toEqual([[1]]);
    expect(draws(0, 1)).toEqual([[]]);
  });

  it('is drawn as often as chance has it: 1 : 2 : 1 for two patients, 1/27 each way for three equal ones', () => {
    const share = (list: number[][], ...weights: number[]) =>
      list.filter(one => one.join() === weights.join()).length / list.length;
    const two = draws(2, 9, 8000).slice(1);
    // Four standard errors of a share of 1/2 among 8000 are 0.022.
    for (const [weights, expected] of [
      [[2, 0], 0.25],
      [[1, 1], 0.5],
      [[0, 2], 0.25],
    ] as const)
      expect(Math.abs(share(two, ...weights) - expected)).toBeLessThan(0.022);
    const three = draws(3, 9, 8000).slice(1);
    expect(Math.abs(share(three, 3, 0, 0) - 1 / 27)).toBeLessThan(0.009);
    expect(Math.abs(share(three, 1, 1, 1) - 6 / 27)).toBeLessThan(0.019);
  });

  it('that leaves the statistic undefined is left out of the limits', () => {
    const undefinedHalf: Statistic = weights => (weights[0] === 1 ? Number.NaN : weights[0]!);
    expect(bootstrap(2, undefinedHalf, { seed: 1 })).toEqual({ value: Number.NaN, lower: 0, upper: 2 });
    const never: Statistic = () => Number.NaN;
    expect(bootstrap(5, never, { seed: 1 })).toEqual({ value: Number.NaN, lower: Number.NaN, upper: Number.NaN });
    expect(pairedBootstrap(5, never, first, { seed: 1 }).p).toBeNaN();
  });
});

describe('pairedBootstrap', () => {
  it('is the interval of the difference, its p the rarer side of zero twice, one resample added', () => {
    const scores = fc.array(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 9 })), {
      minLength: 2,
      maxLength: 12,
    });
    fc.assert(
      fc.property(scores, fc.integer(), (pairs, seed) => {
        const mean =
          (side: 0 | 1): Statistic =>
          weights =>
            pairs.reduce((sum, pair, i) => sum + pair[side] * weights[i]!, 0) / pairs.length;
        const [a, b] = [mean(0), mean(1)];
        const result = pairedBootstrap(pairs.length, a, b, { seed, resamples: 99 });
        expect(result).toMatchObject(bootstrap(pairs.length, w => a(w) - b(w), { seed, resamples: 99 }));
        const differences = draws(pairs.length, seed, 99)
          .slice(1)
          .map(weights => a(Uint32Array.from(weights)) - b(Uint32Array.from(weights)));
        const rarer = Math.min(differences.filter(d => d <= 0).length, differences.filter(d => d >= 0).length);
        expect(result.p).toBeCloseTo(Math.min(1, (rarer + 1) / 50), 12);
        // Which model is called a does not matter.
        const turned = pairedBootstrap(pairs.length, b, a, { seed, resamples: 99 });
        expect(turned.p).toBe(result.p);
        expect([turned.value, turned.lower, turned.upper].map(v => -v + 0)).toEqual([
          expect.closeTo(result.value, 12),
          expect.closeTo(result.upper, 12),
          expect.closeTo(result.lower, 12),
        ]);
      }),
    );
  });

  it('never says p = 0', () => {
    const { p } = pairedBootstrap(
      20,
      () => 2,
      () => 1,
      { seed: 1, resamples: 199 },
    );
    expect(p).toBe(2 / 200);
  });
});

// Without −0, which is another number to toEqual.
const number = fc.double({ min: -1e3, max: 1e3, noNaN: true }).map(value => value + 0);
const values = fc.array(number, { minLength: 1, maxLength: 40 });

describe('quantile', () => {
  it('takes the order statistics at their places and a straight line between them', () => {
    fc.assert(
      fc.property(values, fc.double({ min: 0, max: 1, noNaN: true }), (list, share) => {
        const sorted = [...list].sort((a, b) => a - b);
        sorted.forEach((value, k) => {
          if (sorted.length > 1) expect(quantile(sorted, k / (sorted.length - 1))).toBeCloseTo(value, 6);
        });
        const place = share * (sorted.length - 1);
        const weight = (k: number) => Math.max(0, 1 - Math.abs(place - k));
        expect(quantile(sorted, share)).toBeCloseTo(
          sorted.reduce((sum, value, k) => sum + value * weight(k), 0),
          6,
        );
        expect([quantile(sorted, 0), quantile(sorted, 1)]).toEqual([sorted[0], sorted.at(-1)]);
      }),
    );
  });
});

describe('agreement', () => {
  it('has the standard deviation of all pairs, and moves and grows with its values', () => {
    fc.assert(
      fc.property(values, fc.integer({ min: -50, max: 50 }), fc.constantFrom(-3, 0.5, 2), (list, shift, factor) => {
        const { n, bias, standardDeviation: deviation, lower, upper } = agreement(list);
        // The variance without a mean: half the mean square of the differences of all ordered pairs.
        let squares = 0;
        for (const a of list) for (const b of list) squares += (a - b) ** 2;
        const variance = n > 1 ? squares / (2 * n * (n - 1)) : 0;
        expect(deviation).toBeCloseTo(Math.sqrt(variance), 6);
        expect((lower + upper) / 2).toBeCloseTo(bias, 6);
        expect(upper - lower).toBeCloseTo(2 * 1.96 * deviation, 6);
        const other = agreement(list.map(value => value * factor + shift));
        expect(other.bias).toBeCloseTo(bias * factor + shift, 6);
        expect(other.standardDeviation).toBeCloseTo(deviation * Math.abs(factor), 6);
      }),
    );
    expect(agreement([])).toMatchObject({ n: 0, lower: Number.NaN, upper: Number.NaN });
  });
});

describe('areaAgreement', () => {
  it('does not depend on the unit of area but in its absolute part', () => {
    const pairs = fc.array(fc.tuple(fc.nat(50), fc.nat(50)), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(pairs, areas => {
        const of = (unit: number) =>
          areaAgreement(areas.map(([p, t]) => ({ id: '', patient: '', predicted: p * unit, truth: t * unit })));
        const [one, four] = [of(1), of(4)];
        expect({ ...four, absolute: 0 }).toEqual({ ...one, absolute: 0 });
        expect(four.absolute.bias).toBeCloseTo(one.absolute.bias * 4, 9);
        const annotated = areas.filter(([, truth]) => truth > 0);
        expect([one.absolute.n, one.relative.n]).toEqual([areas.length, annotated.length]);
        const truth = annotated.reduce((sum, area) => sum + area[1], 0);
        const predicted = areas.reduce((sum, area) => sum + area[0], 0);
        if (truth > 0) expect(one.pooledRelative).toBeCloseTo(predicted / truth - 1, 9);
        else expect(one).toMatchObject({ pooledRelative: Number.NaN, medianAbsoluteRelative: Number.NaN });
      }),
    );
  });
});
