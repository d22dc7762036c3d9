import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addBoundary, type BoundaryCounts, boundaryF1, countBoundary, NO_BOUNDARY } from '#src/evaluate/boundary.js';
import { IGNORED, NEGATIVE, parseLabelMap } from '#src/evaluate/labels.js';
import { packLabels } from '#src/evaluate/patch-labels.js';
import { Random } from '#src/random.js';
import { bitsOf } from './formula-masks.js';

const golden = JSON.parse(await readFile(new URL('../golden/evaluate-curves.json', import.meta.url), 'utf8')) as {
  boundaries: [number, number, number, number][][];
};
const map = parseLabelMap({ positive: '1', ignore: '9', negative: '0' });
const SIDE = 96;

/** As discs in test/golden/evaluate_curves.py. */
function discs(seed: number, count: number, shift: number): Uint8Array {
  const place = new Random(seed);
  const move = new Random(seed + 1);
  const mask = new Uint8Array(SIDE * SIDE);
  for (let n = 0; n < count; n++) {
    let [cx, cy, r] = [place.next() % SIDE, place.next() % SIDE, 4 + (place.next() % 24)];
    if (shift) [cx, cy, r] = [cx + (move.next() % shift), cy + (move.next() % shift), r + (move.next() % shift)];
    for (let i = 0; i < mask.length; i++) {
      if (((i % SIDE) - cx) ** 2 + (Math.floor(i / SIDE) - cy) ** 2 <= r * r) mask[i] = 1;
    }
  }
  return mask;
}

describe('countBoundary', () => {
  it('equals SciPy’s distance transform on 40 pairs, ignored areas included', () => {
    golden.boundaries.forEach((expected, index) => {
      const values = discs(3000 + index, index % 6, 0);
      const prediction = discs(3000 + index, index % 9 ? 5 : 0, index % 10);
      discs(7000 + index, 2, 0).forEach((ignored, i) => {
        if (ignored) values[i] = 9;
      });
      const labels = packLabels(values, SIDE, SIDE, SIDE, map);
      const ours = countBoundary(bitsOf(prediction, [1]), labels).map(c => [
        c.predicted,
        c.predictedMatched,
        c.truth,
        c.truthMatched,
      ]);
      expect(ours, `pair ${index}`).toEqual(expected);
    });
    expect(golden.boundaries.filter(([two]) => two![1] < two![0]).length).toBeGreaterThan(20);
  });

  it('matches everything for equal masks, and sees no boundary at edges, padding and ignored areas', () => {
    fc.assert(
      fc.property(fc.infiniteStream(fc.constantFrom(0, 1, 9)), fc.nat(63), fc.nat(63), (stream, w, h) => {
        const [width, height] = [w + 1, h + 1];
        const values = new Uint8Array(64 * 64);
        for (let i = 0; i < values.length; i++) if (i % 64 < width && i < height * 64) values[i] = stream.next().value;
        const labels = packLabels(values, 64, width, height, map);
        for (const counts of countBoundary(labels.positive, labels)) {
          expect(counts.predictedMatched).toBe(counts.truth);
          expect(counts.truthMatched).toBe(counts.truth);
        }
        const full = packLabels(
          values.map(v => (map.meanings[v] === NEGATIVE ? 1 : v)),
          64,
          width,
          height,
          map,
        );
        expect(countBoundary(full.positive, full)[0]!.truth).toBe(0);
        expect(full.ignored.some(byte => byte !== 0) || width === 64).toBe(true);
        expect(map.meanings[9]).toBe(IGNORED);
      }),
      { numRuns: 40 },
    );
  });
});

describe('boundaryF1', () => {
  const counts = (
    predicted: number,
    predictedMatched: number,
    truth: number,
    truthMatched: number,
  ): BoundaryCounts => ({
    predicted,
    predictedMatched,
    truth,
    truthMatched,
  });

  it('is the harmonic mean, and defined at its edges', () => {
    expect(boundaryF1(counts(10, 5, 10, 10))).toBeCloseTo(2 / 3, 12);
    expect(boundaryF1(NO_BOUNDARY)).toBeNaN();
    expect(boundaryF1(counts(3, 0, 0, 0))).toBe(0);
    expect(boundaryF1(counts(3, 0, 3, 0))).toBe(0);
    expect(addBoundary(counts(1, 2, 3, 4), counts(1, 2, 3, 4))).toEqual(counts(2, 4, 6, 8));
  });
});
