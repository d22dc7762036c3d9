import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { parseLabelMap } from '#src/evaluate/labels.js';
import { packLabels } from '#src/evaluate/patch-labels.js';
import {
  averagePrecision,
  bestLevel,
  calibrationError,
  levelOf,
  reliability,
  ScoreHistogram,
  thresholdCurve,
} from '#src/evaluate/score-histogram.js';
import { Random } from '#src/random.js';
import { formulaMask, SIDE } from './formula-masks.js';

const golden = JSON.parse(await readFile(new URL('../golden/evaluate-curves.json', import.meta.url), 'utf8')) as {
  curves: { ap: number; ece: number }[];
};
const map = parseLabelMap({ positive: '2,6', ignore: '0' });

function scored(index: number) {
  const values = formulaMask(900 + index, SIDE, 8);
  const random = new Random(1900 + index);
  const q = values.map(value => {
    const noise = Math.floor((random.next() % 256) / 2);
    return Math.min(255, noise + (value === 2 || value === 6 ? 90 : 30));
  });
  return { labels: packLabels(values, SIDE, SIDE, SIDE, map), q, values };
}

function histogramOf(index: number): ScoreHistogram {
  const histogram = new ScoreHistogram();
  const { labels, q } = scored(index);
  histogram.add(q, labels);
  return histogram;
}

describe('ScoreHistogram', () => {
  it('gives scikit-learn’s average precision and the same calibration error', () => {
    golden.curves.forEach((expected, index) => {
      const histogram = histogramOf(index);
      expect(Math.abs(averagePrecision(histogram) - expected.ap)).toBeLessThanOrEqual(1e-9);
      expect(Math.abs(calibrationError(reliability(histogram)) - expected.ece)).toBeLessThanOrEqual(1e-9);
    });
  });

  it('counts at a threshold what a pixel loop counts', () => {
    const { labels, q, values } = scored(3);
    const histogram = new ScoreHistogram();
    histogram.add(q, labels);
    for (const level of [0, 1, 100, 128, 255, 256]) {
      const expected = { tp: 0, fp: 0, fn: 0, tn: 0 };
      values.forEach((value, i) => {
        if (value === 0) return;
        const is = value === 2 || value === 6;
        expected[is ? (q[i]! >= level ? 'tp' : 'fn') : q[i]! >= level ? 'fp' : 'tn']++;
      });
      expect(histogram.countsAt(level)).toEqual(expected);
    }
  });

  it('crops the margin and leaves padding out', () => {
    const labels = packLabels(new Uint8Array(32 * 32).fill(2), 32, 10, 4, map);
    const q = new Uint8Array(48 * 48).fill(9);
    for (let y = 8; y < 12; y++) q.fill(200, y * 48 + 8, y * 48 + 18);
    const histogram = new ScoreHistogram();
    histogram.add(q, labels, 8);
    expect(histogram.positive[200]).toBe(40);
    expect(histogram.pixels).toBe(40);
    expect(() => histogram.add(q, labels)).toThrow(RangeError);
  });

  it('puts patches without a mask at probability 0, and merges with weights', () => {
    const histogram = new ScoreHistogram();
    histogram.add(undefined, packLabels(Uint8Array.from([2, 6, 1, 0]), 2, 2, 2, map));
    expect([histogram.positive[0], histogram.negative[0]]).toEqual([2, 1]);
    histogram.merge(histogram, 2);
    expect(histogram.pixels).toBe(9);
  });

  it('finds the best threshold, the middle one of a plateau', () => {
    const histogram = new ScoreHistogram();
    histogram.positive[200] = 50;
    histogram.negative[100] = 50;
    const level = bestLevel(histogram);
    expect(level).toBe(150);
    expect(thresholdCurve(histogram)[level - 1]).toMatchObject({ iou: 1, precision: 1, recall: 1 });
    expect(bestLevel(new ScoreHistogram())).toBe(128);
  });

  it('knows the level of a threshold: p ≥ t is q ≥ level for representable p', () => {
    expect([0, 0.5, 1, 128 / 255].map(levelOf)).toEqual([0, 128, 255, 128]);
  });

  it('is undefined without positives', () => {
    expect(averagePrecision(new ScoreHistogram())).toBeNaN();
    expect(calibrationError(reliability(new ScoreHistogram()))).toBeNaN();
  });
});
