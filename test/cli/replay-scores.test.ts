import { describe, expect, it } from 'vitest';
import { scoreLines } from '#src/cli/replay-scores.js';
import type { EvaluationReport } from '#src/evaluate/metrics.js';

const sure = (value: number, lower = value - 0.01, upper = value + 0.01) => ({ value, lower, upper });
const alone = (value: number) => sure(value, Number.NaN, Number.NaN);

/** A model's results on one split, as far as a terminal shows them. */
const split = (change: object = {}) => ({
  iou: { micro: sure(0.8), imageMean: alone(0.75) },
  dice: { micro: alone(0.88889) },
  precision: alone(0.9),
  recall: alone(Number.NaN),
  areaError: alone(-0.034),
  patches: { scored: 40, removedEmpty: 3, unlabelled: 2 },
  images: 5,
  patients: 4,
  ...change,
});
const image = (name: string, iou: number, on = 'all') => ({
  image: name,
  split: on,
  iou,
  dice: iou / 2,
  counts: { tp: 1, fp: 22, fn: 333, tn: 4444 },
});
function linesOf(models: object[], comparisons: object[] = []): string[] {
  const named = models.map(model => ({ name: 'm', images: [], splits: { all: split() }, ...model }));
  return scoreLines({ models: named, comparisons } as unknown as EvaluationReport);
}

describe('the lines of a model', () => {
  it('give scores with their intervals, where there are any, and a dash where there is no score', () => {
    expect(linesOf([{}])).toEqual([
      'm: IoU 0.8000 (0.7900 to 0.8100), mean of images 0.7500, Dice 0.8889',
      '  precision 0.9000, recall –, stroma area −3.4 %',
      '  40 patches of 5 images of 4 patients; left out: 3 empty, 2 unlabelled',
    ]);
  });

  it('say on which split, and what the threshold that was chosen gives there', () => {
    const chosenThreshold = { threshold: 0.35, iou: { test: sure(0.81, 0.8, 0.82) } };
    const lines = linesOf([{ splits: { test: split(), train: split() }, chosenThreshold }]);
    expect(lines[0]).toMatch(/^m on the test split: IoU/);
    expect(lines[2]).toBe('  threshold 0.3500, chosen on the validation split: IoU 0.8100 (0.8000 to 0.8200)');
  });

  it('have a line for probabilities only where there were any', () => {
    const probability = { averagePrecision: alone(0.91), calibrationError: alone(0.02) };
    expect(linesOf([{ splits: { all: split({ probability }) } }])).toContain('  AUPRC 0.9100, ECE 0.0200');
    const pairs = { pairs: 4, equal: 3 };
    const seams = { across: pairs, inside: { pairs: 4, equal: 4 }, score: 0.75 };
    const line = '  seam score 0.7500 (1 is a mask without seams)';
    expect(linesOf([{ splits: { all: split({}) }, seams }])).toContain(line);
    const none = { ...seams, score: null };
    expect(linesOf([{ splits: { all: split({}) }, seams: none }]).join()).not.toMatch(/seam/);
  });

  it.each([
    [0.034, '+3.4 %'],
    [0, '+0.0 %'],
    [Number.NaN, '–'],
  ])('write an area error of %s as %s', (value, text) => {
    expect(linesOf([{ splits: { all: split({ areaError: alone(value) }) } }])[1]).toMatch(
      new RegExp(`stroma area ${text.replace('+', '\\+')}$`),
    );
  });

  it('of which nothing was scored say that', () => {
    expect(linesOf([{ splits: {} }])).toEqual(['m: nothing was scored']);
  });
});

describe('comparisons', () => {
  it('are shown on the split that is reported, with their p', () => {
    const of = (on: string, p: number) => {
      const same = { ...sure(0.02), p };
      const scores = { iou: same, dice: same, precision: { ...alone(-0.1), p: Number.NaN }, recall: same };
      return { a: 'x', b: 'y', split: on, ...scores, areaError: { ...sure(-0.05), p } };
    };
    const seamScore = { ...sure(0.02), p: 0.5 };
    expect(linesOf([{}], [of('train', 0.2), of('all', 0.001), { ...of('all', 0.0009), seamScore }]).slice(3)).toEqual([
      'compared   x − y',
      '  IoU         +0.0200 (+0.0100 to +0.0300), p 0.0010',
      '  Dice        +0.0200 (+0.0100 to +0.0300), p 0.0010',
      '  precision   −0.1000',
      '  recall      +0.0200 (+0.0100 to +0.0300), p 0.0010',
      '  stroma area −5.0 (−6.0 to −4.0) percentage points, p 0.0010',
      'compared   x − y',
      '  IoU         +0.0200 (+0.0100 to +0.0300), p < 0.001',
      '  Dice        +0.0200 (+0.0100 to +0.0300), p < 0.001',
      '  precision   −0.1000',
      '  recall      +0.0200 (+0.0100 to +0.0300), p < 0.001',
      '  stroma area −5.0 (−6.0 to −4.0) percentage points, p < 0.001',
      '  seam score  +0.0200 (+0.0100 to +0.0300), p 0.5000',
    ]);
  });
});

describe('the table of images', () => {
  it('has the first model’s ten worst, those without a score last, in columns', () => {
    const images = [
      image('none', Number.NaN),
      ...Array.from({ length: 11 }, (_, i) => image(`image-${i}`, (11 - i) / 20)),
    ];
    const table = linesOf([{ images }, { images: [image('of another', 0)] }]).slice(6);
    expect(table).toHaveLength(11);
    expect(table[0]).toMatch(/^image {8} {0,3}IoU {4}Dice .*tn \(the worst 10 of 12\)$/);
    expect(table.slice(1).map(line => line.split(/\s+/)[0])).toEqual(
      Array.from({ length: 10 }, (_, i) => `image-${10 - i}`),
    );
    expect(new Set(table.slice(1).map(line => line.length)).size).toBe(1);
    expect(table[1]).toMatch(/^image-10 {2}0\.0500 {2}0\.0250 {11}1 {10}22 {9}333 {8}4444$/);
  });

  it('leaves images of other splits out, and is not there without any', () => {
    const lines = linesOf([{ images: [image('a', 0.5, 'train'), image('b', Number.NaN)] }]);
    expect(lines.slice(4)).toEqual([expect.stringMatching(/^b {6}.*– /)]);
    expect(linesOf([{ images: [image('a', 0.5, 'train')] }])).toHaveLength(3);
  });
});
