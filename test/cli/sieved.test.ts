import { describe, expect, test } from 'vitest';
import { sievedLine } from '#src/cli/sieved.js';
import type { SlideSummary } from '#src/store/summary.js';

const told = (stromaMm2: number, droppedMm2: number, filledMm2: number): Pick<SlideSummary, 'area' | 'outputs'> =>
  ({
    area: { stromaMm2 },
    outputs: {
      polygons: {
        ...{ file: 'mask.geojson', polygons: 3, holes: 1, areaMm2: stromaMm2 - droppedMm2 + filledMm2 },
        ...{ dropped: droppedMm2 > 0 ? 16 : 0, droppedMm2, filled: filledMm2 > 0 ? 161 : 0, filledMm2 },
        ...{ minArea: 100, minHole: 50 },
      },
    },
  }) as unknown as Pick<SlideSummary, 'area' | 'outputs'>;

describe('polygons that have not the area of the mask', () => {
  test('are told of, with how much, why and what to do', () => {
    expect(sievedLine(told(7.824, 0.042, 0.762))).toBe(
      'mask.geojson has 8.544 mm² (+9.2 % of the mask): 161 holes below 50 µm² filled, 16 specks below 100 µm² left out; --min-hole 0 --min-area 0 keeps them',
    );
    expect(sievedLine(told(1, 0.02, 0))).toMatch(/0\.980 mm² \(−2\.0 % of the mask\): 16 specks/);
  });

  test.each([
    ['the same', 1, 0, 0],
    ['next to the same', 1, 0.005, 0.014],
    ['none, as the mask', 0, 0, 0],
  ])('that have %s are not worth a line', (_, ...mm2) => {
    expect(sievedLine(told(...mm2))).toBeUndefined();
  });

  test('nor are those of a summary that does not say', () => {
    const { area } = told(1, 0, 0);
    expect(sievedLine({ area })).toBeUndefined();
  });
});
