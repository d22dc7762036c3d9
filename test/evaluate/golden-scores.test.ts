import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { type Counts, countPatch } from '#src/evaluate/counts.js';
import { parseLabelMap } from '#src/evaluate/labels.js';
import { packLabels } from '#src/evaluate/patch-labels.js';
import { dice, iou, precision, REDUCTIONS, recall, reduceAll } from '#src/evaluate/reductions.js';
import { TigerScorer } from '#src/evaluate/tiger-score.js';
import { bitsOf, goldenPair, SIDE } from './formula-masks.js';

type Scores = Record<'iou' | 'dice' | 'precision' | 'recall', Record<(typeof REDUCTIONS)[number], number | null>>;
type Tiger = { tumour: number | null; stroma: number | null; confusion: number[][] };
interface Golden {
  pairs: { counts: [number, number, number, number]; scores: Scores; tiger: Tiger }[];
  allBinary: Scores;
  allMulticlass: Scores;
  allTiger: Tiger;
}

const golden = JSON.parse(await readFile(new URL('../golden/evaluate-scores.json', import.meta.url), 'utf8')) as Golden;
const map = parseLabelMap({ positive: '2,6', ignore: '0' });
const metrics = { iou, dice, precision, recall };

function binaryCounts(index: number): Counts {
  const { truth, prediction } = goldenPair(index);
  return countPatch(bitsOf(prediction, [2, 6]), packLabels(truth, SIDE, SIDE, SIDE, map));
}

/** Seven classes, values 1–7, one against the rest; truth 0 and above 7 ignored; a prediction of 0 stands for class 1. */
function multiclassCounts(index: number): Counts[] {
  const { truth, prediction } = goldenPair(index);
  return Array.from({ length: 7 }, (_, k) => {
    const counts = { tp: 0, fp: 0, fn: 0, tn: 0 };
    truth.forEach((value, i) => {
      if (value === 0 || value > 7) return;
      const is = value === k + 1;
      const says = Math.max(1, prediction[i]!) === k + 1;
      counts[is ? (says ? 'tp' : 'fn') : says ? 'fp' : 'tn']++;
    });
    return counts;
  });
}

function expectScores(units: readonly (readonly Counts[])[], expected: Scores): void {
  for (const [name, metric] of Object.entries(metrics)) {
    const ours = reduceAll(units, metric);
    for (const reduction of REDUCTIONS) {
      const theirs = expected[name as keyof Scores][reduction];
      if (theirs === null) expect(ours[reduction], `${name} ${reduction}`).toBeNaN();
      else expect(Math.abs(ours[reduction] - theirs), `${name} ${reduction}`).toBeLessThanOrEqual(1e-9);
    }
  }
}

function expectTiger(scorer: TigerScorer, expected: Tiger): void {
  const { confusion, tumour, stroma } = scorer.score;
  expect(confusion).toEqual(expected.confusion);
  for (const [ours, theirs] of [
    [tumour, expected.tumour],
    [stroma, expected.stroma],
  ]) {
    if (theirs === null || theirs === undefined) expect(ours).toBeNull();
    else expect(Math.abs(ours! - theirs)).toBeLessThanOrEqual(1e-9);
  }
}

describe('scores against segmentation_models_pytorch and TIGER’s formula', () => {
  it('holds 200 pairs, edge cases among them', () => {
    expect(golden.pairs).toHaveLength(200);
    expect(golden.pairs.filter(pair => pair.tiger.stroma === null).length).toBeGreaterThan(2);
  });

  it('counts every pair to the pixel and scores it to 1e-9', () => {
    golden.pairs.forEach((pair, index) => {
      const { tp, fp, fn, tn } = binaryCounts(index);
      expect([tp, fp, fn, tn]).toEqual(pair.counts);
      expectScores([[binaryCounts(index)]], pair.scores);
    });
  });

  it('reduces all pairs together as smp does', () => {
    const indices = golden.pairs.map((_, index) => index);
    expectScores(
      indices.map(index => [binaryCounts(index)]),
      golden.allBinary,
    );
    expectScores(indices.map(multiclassCounts), golden.allMulticlass);
  });

  it('equals TIGER’s score, a pair alone and all in one confusion matrix', () => {
    const all = new TigerScorer();
    golden.pairs.forEach((pair, index) => {
      const { truth, prediction } = goldenPair(index);
      const one = new TigerScorer();
      one.add(truth, prediction);
      all.add(truth, prediction);
      expectTiger(one, pair.tiger);
    });
    expectTiger(all, golden.allTiger);
  });

  it('equals TIGER’s own self-test', () => {
    const truth = Uint8Array.from([0, 0, 0, 0, 0, 1, 1, 1, 2, 6, 3, 3, 4, 5]);
    const prediction = Uint8Array.from([0, 0, 0, 7, 0, 0, 1, 1, 9, 2, 6, 5, 1, 1]);
    const scorer = new TigerScorer();
    scorer.add(truth, prediction);
    expect(scorer.score.confusion).toEqual([
      [2, 0, 1],
      [0, 1, 1],
      [2, 1, 1],
    ]);
  });
});
