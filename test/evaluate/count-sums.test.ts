import { describe, expect, it } from 'vitest';
import { type CountedImage, CountSums } from '#src/evaluate/count-sums.js';
import { seamsOf } from '#src/mask/seams.js';

const of = (patient: string, [tp, fp, fn, tn]: readonly number[], rest: Partial<CountedImage> = {}): CountedImage => ({
  ...{ image: patient, patient, counts: { tp: tp!, fp: fp!, fn: fn!, tn: tn! }, pixelArea: 1 },
  ...rest,
});

describe('CountSums', () => {
  it('keeps to an order of patients it is given, also where a patient has nothing', () => {
    const sums = new CountSums([of('p2', [1, 1, 0, 0])], ['p1', 'p2']);
    expect(sums.patients).toEqual(['p1', 'p2']);
    expect(sums.iou(Uint32Array.of(1, 0))).toBeNaN();
    expect(sums.iou(Uint32Array.of(5, 1))).toBe(0.5);
  });

  it('weighs areas by the size of a pixel, and seams by their pairs', () => {
    const pairs = (across: number, inside: number) =>
      seamsOf({ pairs: 10, equal: across }, { pairs: 100, equal: inside });
    const sums = new CountSums([
      of('a', [10, 10, 0, 0], { pixelArea: 4, seams: pairs(5, 90) }),
      of('b', [10, 0, 0, 0], { seams: pairs(10, 100) }),
      of('c', [10, 0, 0, 0]),
    ]);
    expect(sums.areaError(Uint32Array.of(1, 1, 1))).toBeCloseTo(40 / 60, 12);
    expect(sums.seamScore(Uint32Array.of(1, 0, 0))).toBeCloseTo(0.5 / 0.9, 12);
    expect(sums.seamScore(Uint32Array.of(1, 2, 3))).toBeCloseTo(25 / 30 / (290 / 300), 12);
    expect(sums.seamScore(Uint32Array.of(0, 0, 1))).toBeNaN();
  });
});
