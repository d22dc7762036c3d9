import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dice, iou, precision, REDUCTIONS, recall, reduceAll, specificity } from '#src/evaluate/reductions.js';
import {
  averagePrecision,
  bestLevel,
  calibrationError,
  levelOf,
  RELIABILITY_BINS,
  reliability,
  ScoreHistogram,
  thresholdCurve,
  thresholdOf,
} from '#src/evaluate/score-histogram.js';
import { expectEqual } from './expect-equal.js';

/** Pixels as a list: how probable, and whether they are stroma. */
type Pixel = readonly [q: number, positive: boolean];
const pixels = fc.array(fc.tuple(fc.oneof(fc.nat(255), fc.constantFrom(0, 17, 34, 127, 128, 255)), fc.boolean()), {
  maxLength: 60,
}) as fc.Arbitrary<Pixel[]>;

function histogramOf(list: readonly Pixel[]): ScoreHistogram {
  const histogram = new ScoreHistogram();
  for (const [q, positive] of list) (positive ? histogram.positive : histogram.negative)[q]!++;
  return histogram;
}
const countsOf = (list: readonly Pixel[], level: number) => {
  const count = (called: boolean, is: boolean) => list.filter(([q, p]) => q >= level === called && p === is).length;
  return { tp: count(true, true), fp: count(true, false), fn: count(false, true), tn: count(false, false) };
};

describe('threshold curve', () => {
  it('has at every level what its pixels give, recall never rising', () => {
    fc.assert(
      fc.property(pixels, list => {
        const curve = thresholdCurve(histogramOf(list));
        expect(curve.map(point => point.level)).toEqual(Array.from({ length: 255 }, (_, i) => i + 1));
        for (const { level, threshold, ...scores } of curve.filter((_, i) => i % 51 === 0 || i === 126 || i === 254)) {
          const counts = countsOf(list, level);
          expect(scores).toEqual({ iou: iou(counts), precision: precision(counts), recall: recall(counts) });
          expect(threshold * 255).toBeCloseTo(level, 9);
        }
        for (let i = 1; i < curve.length; i++) expect(curve[i]!.recall > curve[i - 1]!.recall).toBe(false);
      }),
    );
  });

  it('agrees with the mask: p ≥ t, which is q ≥ level, for every probability and threshold', () => {
    fc.assert(
      fc.property(fc.nat(255), fc.double({ min: 0, max: 1, noNaN: true }), (q, threshold) => {
        if (Math.abs(q / 255 - threshold) > 1e-9) expect(q >= levelOf(threshold)).toBe(q / 255 >= threshold);
        expect(levelOf(thresholdOf(q))).toBe(q);
      }),
    );
  });
});

describe('bestLevel', () => {
  it('is a level that no other beats', () => {
    fc.assert(
      fc.property(pixels, fc.constantFrom(iou, dice), (list, score) => {
        const best = score(countsOf(list, bestLevel(histogramOf(list), score)));
        for (let level = 1; level <= 255; level++) {
          const other = score(countsOf(list, level));
          if (!Number.isNaN(other)) expect(best).toBeGreaterThanOrEqual(other);
        }
      }),
      { numRuns: 30 },
    );
  });
});

describe('averagePrecision', () => {
  it('is the mean precision at the place of each positive, those of one probability taken together', () => {
    fc.assert(
      fc.property(pixels, list => {
        const positives = list.filter(([, positive]) => positive);
        const precisions = positives.map(([q]) => precision(countsOf(list, q)));
        const mean = precisions.reduce((sum, one) => sum + one, 0) / positives.length;
        expectEqual(averagePrecision(histogramOf(list)), mean, 'AUPRC');
        if (positives.length === list.length && list.length > 0) expect(mean).toBe(1);
      }),
    );
  });
});

describe('reliability', () => {
  it('has every pixel in the bin of its probability, the last of which holds 1 as well', () => {
    fc.assert(
      fc.property(pixels, list => {
        const bins = reliability(histogramOf(list));
        expect(bins).toHaveLength(RELIABILITY_BINS);
        for (const [i, { from, to, pixels: count, confidence, frequency }] of bins.entries()) {
          expect([from * 15, to * 15]).toEqual([expect.closeTo(i, 9), expect.closeTo(i + 1, 9)]);
          // In 255ths the borders are whole: a bin is 17 of them wide.
          const own = list.filter(([q]) => Math.min(14, Math.floor(q / 17)) === i);
          expect(count).toBe(own.length);
          const mean = own.reduce((sum, [q]) => sum + q / 255, 0) / own.length;
          expectEqual(confidence, mean, `bin ${i}`);
          expect(frequency).toBe(own.filter(([, positive]) => positive).length / own.length);
        }
      }),
    );
  });

  it('gives a calibration error of 0 to a model that means what it says, and of 1 to one that is wrong for certain', () => {
    const honest = histogramOf(Array.from({ length: 255 }, (_, i): Pixel => [51, i < 51]));
    expect(calibrationError(reliability(honest))).toBeCloseTo(0, 12);
    expect(
      calibrationError(
        reliability(
          histogramOf([
            [255, false],
            [0, true],
          ]),
        ),
      ),
    ).toBe(1);
    expect(
      calibrationError(
        reliability(
          histogramOf([
            [255, false],
            [0, false],
          ]),
        ),
      ),
    ).toBe(0.5);
  });
});

const counts = fc.record({ tp: fc.nat(9), fp: fc.nat(9), fn: fc.nat(9), tn: fc.nat(9) });

describe('reductions', () => {
  it('are one for a single image of a single class, whatever the score', () => {
    fc.assert(
      fc.property(counts, fc.constantFrom(iou, dice, precision, recall, specificity), (one, score) => {
        const value = score(one);
        const reduced = reduceAll([[one]], score, 0.25);
        for (const name of REDUCTIONS) {
          const undefinedAs = name === 'micro' ? Number.NaN : 0.25;
          expect(reduced[name]).toBe(Number.isNaN(value) ? undefinedAs : value);
        }
        if (!Number.isNaN(iou(one))) expect(dice(one)).toBeCloseTo((2 * iou(one)) / (1 + iou(one)), 12);
      }),
    );
    expect(reduceAll([], iou)).toEqual(Object.fromEntries(REDUCTIONS.map(name => [name, Number.NaN])));
  });

  it('do not depend on the order of images; micro is that of all pixels together', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(counts, counts), { minLength: 1, maxLength: 8 }), images => {
        const there = reduceAll(images, iou);
        const back = reduceAll([...images].reverse(), iou);
        for (const name of REDUCTIONS) expect(back[name]).toBeCloseTo(there[name], 12);
        const total = (key: 'tp' | 'fp' | 'fn') => images.flat().reduce((sum, one) => sum + one[key], 0);
        expect(there.micro).toBe(total('tp') / (total('tp') + total('fp') + total('fn')));
        const whole = images.map(([a, b]) => (a.tp + b.tp) / (a.tp + b.tp + a.fp + b.fp + a.fn + b.fn));
        const mean = whole.reduce((sum, one) => sum + (Number.isNaN(one) ? 1 : one), 0) / images.length;
        expect(there['micro-imagewise']).toBeCloseTo(mean, 12);
      }),
    );
  });
});
