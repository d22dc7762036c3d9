import { describe, expect, test } from 'vitest';
import { isFull, isWhole } from '#src/read/full-patch.js';
import { patchRefs, planPatches } from '#src/read/plan.js';
import type { SlideInfo } from '#src/slide/slide.js';

const SIDE = 64;

/** Pink tissue, the first `glass` rows white. */
function patch(glass: number): Uint8Array {
  const pixels = new Uint8Array(SIDE * SIDE * 3);
  for (let i = 0; i < pixels.length; i += 3) pixels.set(i < glass * SIDE * 3 ? [250, 250, 250] : [200, 90, 160], i);
  return pixels;
}

describe('a full patch', () => {
  test('is tissue but for a tenth at most', () => {
    expect(isFull(patch(0), SIDE)).toBe(true);
    // Rows of blocks of eight pixels: 8 of 64 are an eighth.
    expect(isFull(patch(8), SIDE)).toBe(false);
    expect(isFull(patch(SIDE), SIDE)).toBe(false);
  });

  test('is judged by the rule it is given', () => {
    const strict = { saturation: 0.9, opticalDensity: 2, minFraction: 0 };
    expect(isFull(patch(0), SIDE, strict)).toBe(false);
  });

  test('is read without padding, its margin included', () => {
    const level = { width: 200, height: 130, tileWidth: 64, tileHeight: 64, mpp: 0.5, downsample: 1 };
    const info = { id: 'a', path: 'a', mpp: 0.5, levels: [level] } as unknown as SlideInfo;
    const whole = (margin: number) => {
      const plan = planPatches(info, { patchSize: SIDE, margin });
      return [...patchRefs(plan)].filter(ref => isWhole(plan, ref)).map(({ col, row }) => `${col},${row}`);
    };
    expect(whole(0)).toEqual(['0,0', '1,0', '2,0', '0,1', '1,1', '2,1']);
    // Cores of 32 pixels from 16 before each: the first column and row begin outside.
    expect(whole(16)).toEqual(['1,1', '2,1', '3,1', '4,1', '1,2', '2,2', '3,2', '4,2']);
  });
});
