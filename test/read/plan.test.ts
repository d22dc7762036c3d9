import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { patchRef, patchRefs, planPatches, validSize } from '#src/read/plan.js';
import type { SlideInfo } from '#src/slide/slide.js';
import { failureOf } from '../slide/fixture.js';

function slide(width: number, height: number, mpp: number, downsamples: readonly number[] = [1]): SlideInfo {
  const levels = downsamples.map(downsample => ({
    width: Math.max(1, Math.floor(width / downsample)),
    height: Math.max(1, Math.floor(height / downsample)),
    downsample,
    mpp: mpp * downsample,
    tileWidth: 256,
    tileHeight: 256,
  }));
  return { id: 's', path: 's.svs', format: 'test', mpp, levels, fingerprint: 'f', properties: {} };
}

describe('planPatches', () => {
  it('reads a level within 7 % as it is, and keeps its own spacing', () => {
    const plan = planPatches(slide(2220, 2967, 0.499));
    expect(plan).toMatchObject({ level: 0, scale: 1, downsample: 1, mpp: 0.499, cols: 5, rows: 6, core: 512 });
    expect(planPatches(slide(1000, 1000, 0.5 * 1.0699)).scale).toBe(1);
  });

  it('takes the level whose spacing is nearest', () => {
    expect(planPatches(slide(40_000, 40_000, 0.25, [1, 2, 4]))).toMatchObject({ level: 1, scale: 1, downsample: 2 });
    expect(planPatches(slide(40_000, 40_000, 0.25, [1, 1.96, 2.01]))).toMatchObject({ level: 2, scale: 1 });
  });

  it.each([
    [0.2527, 2],
    [0.2325, 2],
    [0.1337, 4],
    [0.0625, 8],
  ])('halves a level of %s µm, as the slide could have stored it, by %s', (mpp, scale) => {
    const plan = planPatches(slide(40_001, 30_000, mpp, [1, 16.0001, 64]));
    expect(plan).toMatchObject({ level: 0, scale, downsample: scale, mpp: mpp * scale });
    expect(plan.width).toBe(Math.round(40_001 / scale));
  });

  it('resamples the next finer level to exactly the spacing wanted where no half of it fits', () => {
    for (const mpp of [0.33, 0.2324, 0.2689, 0.17]) {
      const plan = planPatches(slide(40_000, 30_000, mpp, [1, 16, 64]));
      expect(plan).toMatchObject({ level: 0, mpp: 0.5 });
      expect(plan.scale).toBe(0.5 / mpp);
      expect(plan.width).toBe(Math.round(40_000 / plan.scale));
    }
    expect(planPatches(slide(40_000, 30_000, 0.2527, [1, 4.0001, 16]), { spacing: 2 })).toMatchObject({
      level: 1,
      scale: 2,
      mpp: 0.2527 * 4.0001 * 2,
    });
  });

  it('refuses a slide that is coarser than wanted', async () => {
    const error = await failureOf(() => planPatches(slide(1000, 1000, 1)));
    expect(error.code).toBe('SLIDE_SPACING');
    expect(error.message).toContain('1.000 µm/px');
  });

  it.each([
    [{ patchSize: 100 }, 'patch size'],
    [{ patchSize: 0 }, 'patch size'],
    [{ patchSize: 512, margin: 256 }, 'margin'],
    [{ patchSize: 512, margin: 8 }, 'margin'],
    [{ margin: -16 }, 'margin'],
    [{ spacing: 0 }, 'spacing'],
    [{ tolerance: 1 }, 'tolerance'],
  ])('refuses %o', async (options, word) => {
    const error = await failureOf(() => planPatches(slide(1000, 1000, 0.5), options));
    expect(error.code).toBe('CONFIG_INVALID');
    expect(error.message).toContain(word);
  });

  it('covers every level-0 pixel once, whatever the slide', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1500 }),
        fc.integer({ min: 1, max: 1500 }),
        fc.double({ min: 0.1, max: 0.53, noNaN: true }),
        fc.constantFrom([1], [1, 2, 4], [1, 4.0003]),
        fc.constantFrom([512, 0], [256, 32], [64, 16], [32, 0]),
        (width, height, mpp, downsamples, [patchSize, margin]) => {
          const plan = planPatches(slide(width, height, mpp, downsamples), { patchSize: patchSize!, margin: margin! });
          const refs = [...patchRefs(plan)];
          expect(refs.length).toBe(plan.cols * plan.rows);
          for (const { x, y, width: w, height: h } of refs) {
            expect(Math.min(x, y)).toBeGreaterThanOrEqual(0);
            expect(x + w).toBeLessThanOrEqual(width);
            expect(y + h).toBeLessThanOrEqual(height);
          }
          const firstRow = refs.slice(0, plan.cols);
          for (const [i, ref] of firstRow.slice(1).entries()) expect(ref.x).toBe(firstRow[i]!.x + firstRow[i]!.width);
          const valid = refs.reduce((sum, { col, row }) => {
            const [w, h] = validSize(plan, col, row);
            expect(Math.min(w, h)).toBeGreaterThan(0);
            return sum + w * h;
          }, 0);
          expect(valid).toBe(plan.width * plan.height);
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('patchRefs', () => {
  it('goes row by row and makes refs only when asked', () => {
    const plan = planPatches(slide(10_000_000, 10_000_000, 0.5));
    const refs = patchRefs(plan);
    expect(refs.next().value).toMatchObject({ col: 0, row: 0, x: 0, y: 0 });
    expect(refs.next().value).toMatchObject({ col: 1, row: 0, x: 512, y: 0 });
  });

  it('clips the last column and row to the slide', () => {
    const plan = planPatches(slide(2220, 2967, 0.499));
    expect(patchRef(plan, 4, 5)).toEqual({
      slide: 's',
      level: 0,
      col: 4,
      row: 5,
      x: 2048,
      y: 2560,
      width: 172,
      height: 407,
    });
    expect(() => patchRef(plan, 5, 0)).toThrow(RangeError);
  });
});
