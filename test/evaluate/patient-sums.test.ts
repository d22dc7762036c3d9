import fc from 'fast-check';
import { describe, it } from 'vitest';
import { addBoundary, type BoundaryCounts, boundaryF1, NO_BOUNDARY } from '#src/evaluate/boundary.js';
import { addCounts, NO_COUNTS } from '#src/evaluate/counts.js';
import { PatientSums } from '#src/evaluate/patient-sums.js';
import { dice, iou, precision, recall, specificity } from '#src/evaluate/reductions.js';
import { averagePrecision } from '#src/evaluate/score-histogram.js';
import { ImageTally, type PatchScore } from '#src/evaluate/tally.js';
import { expectEqual } from './expect-equal.js';

const count = fc.nat(5000);
const boundaryCounts: fc.Arbitrary<BoundaryCounts> = fc.tuple(count, count, count, count).map(([a, b, c, d]) => ({
  predicted: a + b,
  predictedMatched: a,
  truth: c + d,
  truthMatched: c,
}));
const patch: fc.Arbitrary<PatchScore> = fc.record({
  col: fc.nat(5),
  row: fc.nat(5),
  split: fc.constant('all' as const),
  outcome: fc.constant('segmented' as const),
  counts: fc.record({ tp: count, fp: count, fn: count, tn: count }),
  boundary: fc.tuple(boundaryCounts, boundaryCounts),
});
const images = fc.array(
  fc.record({
    patient: fc.constantFrom('p1', 'p2', 'p3', 'p4'),
    patches: fc.array(patch, { minLength: 1, maxLength: 4 }),
  }),
  { minLength: 1, maxLength: 8 },
);
type Images = readonly { patient: string; patches: readonly PatchScore[] }[];

function talliesOf(list: Images): ImageTally[] {
  return list.map(({ patient, patches }, i) => {
    const tally = new ImageTally({ image: `i${i}`, patient, subset: '', split: 'all', pixelArea: 2 }, true);
    for (const one of patches) {
      tally.add(one);
      tally.histogram!.positive[200]! += one.counts.tp;
      tally.histogram!.positive[10]! += one.counts.fn;
      tally.histogram!.negative[200]! += one.counts.fp;
      tally.histogram!.negative[10]! += one.counts.tn;
    }
    return tally;
  });
}

/** The images of a resample, patients repeated as often as they were drawn. */
const drawn = (list: Images, patients: readonly string[], weights: Uint32Array): Images =>
  patients.flatMap((patient, i) =>
    Array.from({ length: weights[i]! }, () => list.filter(image => image.patient === patient)).flat(),
  );

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const orOne = (value: number) => (Number.isNaN(value) ? 1 : value);

describe('PatientSums', () => {
  it('gives for any resample what counting its patches anew gives', () => {
    fc.assert(
      fc.property(images, fc.array(fc.nat(3), { minLength: 4, maxLength: 4 }), (list, draws) => {
        const sums = new PatientSums(talliesOf(list));
        const weights = Uint32Array.from(sums.patients, (_, i) => draws[i]!);
        const sample = drawn(list, sums.patients, weights);
        if (sample.length === 0) return;
        const patches = sample.flatMap(image => image.patches);
        const all = patches.reduce((sum, one) => addCounts(sum, one.counts), NO_COUNTS);
        for (const [name, score] of Object.entries({ iou, dice, precision, recall, specificity })) {
          expectEqual(sums[name as 'iou'](weights), score(all), name);
        }
        for (const [name, score] of Object.entries({ iou, dice })) {
          const perPatch = patches.map(one => orOne(score(one.counts)));
          const perImage = sample.map(image =>
            orOne(score(image.patches.reduce((sum, one) => addCounts(sum, one.counts), NO_COUNTS))),
          );
          expectEqual(sums.patchMean(name as 'iou')(weights), mean(perPatch), `${name} of patches`);
          expectEqual(sums.imageMean(name as 'iou')(weights), mean(perImage), `${name} of images`);
        }
        for (const [i, tolerance] of [2, 5].entries()) {
          const boundary = patches.reduce((sum, one) => addBoundary(sum, one.boundary[i]!), NO_BOUNDARY);
          expectEqual(sums.boundaryF1(tolerance)(weights), boundaryF1(boundary), `boundary ${tolerance}`);
        }
        expectEqual(sums.areaError(weights), (all.fp - all.fn) / (all.tp + all.fn || Number.NaN), 'area');
        const [tally] = talliesOf([{ patient: 'x', patches }]);
        expectEqual(sums.ofHistogram(averagePrecision)!(weights), averagePrecision(tally!.histogram!), 'AUPRC');
      }),
    );
  });
});
