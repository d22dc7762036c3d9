import { describe, expect, it } from 'vitest';
import { compareModels } from '#src/evaluate/compare.js';
import { addCounts, type Counts, countPatch, NO_COUNTS } from '#src/evaluate/counts.js';
import { Evaluation } from '#src/evaluate/evaluation.js';
import { NO_FACTS } from '#src/evaluate/label-facts.js';
import type { ModelFacts } from '#src/evaluate/metrics.js';
import { dice, iou } from '#src/evaluate/reductions.js';
import { makeSplit, SPLITS } from '#src/evaluate/split.js';
import { summariseModel } from '#src/evaluate/summarise.js';
import { TigerScorer } from '#src/evaluate/tiger-score.js';
import { moved, openTiger, walkSet } from './replayed-fixture.js';

const FACTS: ModelFacts = { name: 'm', version: '1', architecture: 'FPN', encoder: 'resnet34', threshold: 0.5 };
const SEEDED = { seed: 1, resamples: 200, tiger: true };

describe('Evaluation', () => {
  it('adds up to what one comparison of everything gives, patch size and order notwithstanding', async () => {
    const set = await openTiger();
    let expected: Counts = NO_COUNTS;
    const perImage = new Map<string, Counts>();
    const tiger = new TigerScorer();
    const evaluation = await walkSet(set, {}, moved(3), (item, _plan, labels, mask) => {
      const counts = countPatch(mask!, labels);
      expected = addCounts(expected, counts);
      perImage.set(item.id, addCounts(perImage.get(item.id) ?? NO_COUNTS, counts));
      for (let y = 0; y < labels.height; y++) {
        for (let x = 0; x < labels.width; x++) {
          const says = mask![y * (labels.side / 8) + (x >> 3)]! & (128 >> (x & 7));
          tiger.addPixels(labels.values[y * labels.side + x]!, says ? 2 : 7, 1);
        }
      }
    });
    const result = summariseModel(FACTS, evaluation, { ...SEEDED, map: set.map });
    const all = result.splits.all!;
    expect(all.counts).toEqual(expected);
    expect(all.iou.micro.value).toBeCloseTo(iou(expected), 12);
    expect(all.iou.smp.micro).toBeCloseTo(iou(expected), 12);
    expect(all.dice.micro.value).toBeCloseTo(dice(expected), 12);
    expect(all.iou.micro.lower).toBeLessThanOrEqual(all.iou.micro.value);
    expect(all.iou.micro.upper).toBeGreaterThanOrEqual(all.iou.micro.value);
    expect(result.images.map(image => image.counts)).toEqual([...perImage.values()]);
    expect([all.images, all.patients]).toEqual([5, 4]);
    expect(all.tiger!.stroma).toBeCloseTo(tiger.score.stroma!, 12);
    expect(all.tiger!.confusion).toEqual(tiger.score.confusion);
    expect(all.tiger!.tumour).toBeNull();
    // A two-class model's TIGER score is the Dice of its positive class.
    expect(all.tiger!.stroma).toBeCloseTo(all.dice.micro.value, 12);
    const mm2 = ((expected.tp + expected.fp - expected.tp - expected.fn) * 0.0005 ** 2) / 5;
    expect(all.area.absolute.bias).toBeCloseTo(mm2, 12);
    expect(all.classes.find(item => item.value === 0)?.meaning).toBe('ignored');
  });

  it('is perfect for the truth itself', async () => {
    const set = await openTiger();
    const evaluation = await walkSet(set, {}, labels => labels.positive);
    const { all } = summariseModel(FACTS, evaluation, { ...SEEDED, map: set.map }).splits;
    for (const interval of [
      all!.iou.micro,
      all!.iou.patchMean,
      all!.iou.imageMean,
      all!.precision,
      all!.boundaryF1['2']!,
    ]) {
      expect(interval).toEqual({ value: 1, lower: 1, upper: 1 });
    }
    expect(all!.areaError.value).toBe(0);
    expect(evaluation.seconds).toBeGreaterThan(0);
  });

  it('removes empty patches, but counts stroma in them as missed', async () => {
    const set = await openTiger();
    let [dropped, positive, removed] = [0, 0, 0];
    const evaluation = await walkSet(
      set,
      {},
      (labels, _item, col) => (col === 1 ? undefined : labels.positive),
      (_item, _plan, labels, mask) => {
        if (mask || labels.labelledPixels === 0) return;
        dropped++;
        positive += labels.positivePixels;
        if (labels.positivePixels === 0) removed++;
      },
    );
    const { all } = summariseModel(FACTS, evaluation, { ...SEEDED, map: set.map }).splits;
    expect(dropped).toBeGreaterThan(removed);
    expect(all!.patches).toMatchObject({ removedEmpty: removed, positivePixelsInEmpty: positive });
    expect(all!.counts).toMatchObject({ fn: positive, fp: 0 });
  });

  it('says what the running IoU adds, and nothing where nothing is labelled', async () => {
    const set = await openTiger();
    const evaluation = await walkSet(set, {}, labels => labels.positive);
    const [slide] = evaluation.slides.values();
    const truth = evaluation.truth(slide!.item, slide!.plan, {
      facts: NO_FACTS,
      read: async (window, into) => {
        into.fill(window.x === 0 ? 2 : 0);
        return [];
      },
      close: async () => {},
    });
    const mask = { side: 64, bits: new Uint8Array(512).fill(0xf0), stromaPixels: 2048 };
    expect(await truth.score({ col: 0, row: 0 }, mask)).toEqual({ intersection: 2048, union: 4096 });
    expect(await truth.score({ col: 1, row: 0 }, mask)).toBeUndefined();
  });

  it('counts seams between masks, of images that are open and of those that are closed', async () => {
    const set = await openTiger();
    const walked = await walkSet(set, {}, labels => labels.positive);
    const [slide] = walked.slides.values();
    const evaluation = new Evaluation({ map: set.map });
    // Two patches of 64 px beside each other, one all stroma, one without.
    const plan = { ...slide!.plan, cols: 2, rows: 1, core: 64, width: 128, height: 64 };
    const source = { facts: NO_FACTS, read: async () => [], close: async () => undefined };
    const full = { side: 64, bits: new Uint8Array(512).fill(0xff), stromaPixels: 4096 };
    const clear = { side: 64, bits: new Uint8Array(512), stromaPixels: 0 };
    for (const close of [true, false]) {
      const truth = evaluation.truth(slide!.item, plan, source);
      await truth.score({ col: 0, row: 0 }, full);
      await truth.score({ col: 1, row: 0 }, close ? clear : full);
      if (close) await truth.close();
    }
    const inside = 4 * 2 * 64 * 63;
    const { seams } = summariseModel(FACTS, evaluation, { ...SEEDED, map: set.map });
    expect(seams).toEqual({
      across: { pairs: 128, equal: 64 },
      inside: { pairs: inside, equal: inside },
      score: 0.5,
    });
  });

  it('names an undeclared value once an image, and does not score its pixels', async () => {
    const set = await openTiger();
    const walked = await walkSet(set, {}, labels => labels.positive);
    const [slide] = walked.slides.values();
    const met: [string, number][] = [];
    const evaluation = new Evaluation({ map: set.map, onUnknown: (image, value) => met.push([image, value]) });
    const truth = evaluation.truth(slide!.item, slide!.plan, {
      facts: NO_FACTS,
      read: async (_window, into) => {
        into.fill(2).fill(99, 0, 640);
        return [];
      },
      close: async () => {},
    });
    for (const col of [0, 1, 2]) await truth.score({ col, row: 0 }, undefined);
    expect(met).toEqual([[slide!.item.id, 99]]);
    expect(evaluation.images[0]!.counts.fn).toBeLessThan(160 * 64);
    expect(evaluation.images[0]!.counts.tp).toBe(0);
  });

  it('scores splits apart and chooses the threshold on validation alone', async () => {
    const set = await openTiger();
    const split = makeSplit(
      [...(await walkSet(set, {}, labels => labels.positive)).slides.values()].map(({ item, plan }) => ({
        id: item.id,
        patient: item.patient,
        cols: plan.cols,
        rows: plan.rows,
      })),
      { by: 'patch', seed: 2, spacing: 0.5, patchSize: 64, fractions: { train: 0.4, validation: 0.3, test: 0.3 } },
    );
    const evaluation = await walkSet(set, { split, probabilities: true }, moved(4));
    const result = summariseModel(FACTS, evaluation, { ...SEEDED, map: set.map });
    expect(Object.keys(result.splits).sort()).toEqual([...SPLITS].sort());
    const { test, validation } = result.splits;
    // Probabilities are 40 and 200: any threshold between gives the masks, and the middle of the plateau is chosen.
    expect(result.chosenThreshold!.threshold).toBeCloseTo(120 / 255, 12);
    expect(result.chosenThreshold!.iou.test!.value).toBeCloseTo(test!.iou.micro.value, 12);
    expect(result.chosenThreshold!.iou.validation!.value).toBeCloseTo(validation!.iou.micro.value, 12);
    expect(test!.probability!.curve).toHaveLength(255);
    expect(test!.probability!.reliability.filter(bin => bin.pixels > 0)).toHaveLength(2);
  });

  it('compares models on the patients both have', async () => {
    const set = await openTiger();
    const [a, b] = [await walkSet(set, {}, moved(1)), await walkSet(set, {}, moved(6))];
    const [comparison, ...others] = compareModels(
      [
        { name: 'a', evaluation: a },
        { name: 'b', evaluation: b },
      ],
      { seed: 1, resamples: 300 },
    );
    expect(others).toEqual([]);
    expect(comparison).toMatchObject({ a: 'a', b: 'b', split: 'all' });
    expect(comparison!.iou.value).toBeGreaterThan(0);
    expect(comparison!.iou.lower).toBeGreaterThan(0);
    expect(comparison!.iou.p).toBeLessThan(0.05);
    expect(compareModels([{ name: 'a', evaluation: a }], { seed: 1 })).toEqual([]);
  });
});
