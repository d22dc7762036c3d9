import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MaskPyramid } from '#src/mask/reduce.js';
import type { OverviewCanvas } from '#src/read/overview.js';
import { validSize } from '#src/read/plan.js';
import { OverviewMask } from '#src/store/overview-mask.js';
import { storedLevels } from '#src/store/zarr-metadata.js';
import { type MaskedSlide, maskedSlide } from './slide-fixture.js';

const canvasOf = ({ plan }: MaskedSlide, factor: number): OverviewCanvas => {
  const [width, height] = [Math.ceil(plan.width / factor), Math.ceil(plan.height / factor)];
  return { width, height, factor, shared: new SharedArrayBuffer(0) };
};

/** Every patch of a slide through one pyramid of so many levels. */
function summed(slide: MaskedSlide, factor: number, levels: number): OverviewMask {
  const mask = new OverviewMask(slide.plan, canvasOf(slide, factor));
  const pyramid = new MaskPyramid(slide.plan.core, levels);
  for (const { ref, mask: own } of slide.patches) {
    if (!own) continue;
    pyramid.load(own.bits, ...validSize(slide.plan, ref.col, ref.row));
    mask.add(ref.col, ref.row, pyramid, levels);
  }
  return mask;
}

describe('the mask of the overview', () => {
  const cases = fc.record({
    width: fc.integer({ min: 1, max: 300 }),
    height: fc.integer({ min: 1, max: 200 }),
    seed: fc.nat(99),
    factor: fc.constantFrom(1, 2, 4, 8, 64, 128),
    levels: fc.integer({ min: 1, max: 7 }),
  });

  it('covers each canvas pixel by its share of stroma, however coarse, also where a pixel hangs over the slide', () => {
    fc.assert(
      fc.property(cases, ({ factor, levels, ...size }) => {
        const slide = maskedSlide(size);
        const mask = summed(slide, factor, levels);
        const { plan, pixels } = slide;
        const expected = Array.from({ length: mask.width * mask.height }, (_, i) => {
          const [x0, y0] = [(i % mask.width) * factor, Math.floor(i / mask.width) * factor];
          let [set, all] = [0, 0];
          for (let y = y0; y < Math.min(plan.height, y0 + factor); y++)
            for (let x = x0; x < Math.min(plan.width, x0 + factor); x++, all++) set += pixels[y * plan.width + x]!;
          return Math.round((255 * set) / all);
        });
        expect([...mask.coverage()]).toEqual(expected);
        mask.clear();
        expect(mask.coverage().every(value => value === 0)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('refuses a factor whose canvas pixels a block could straddle', () => {
    const slide = maskedSlide({ width: 100, height: 100 });
    for (const factor of [3, 0, 1.5, 6])
      expect(() => new OverviewMask(slide.plan, canvasOf(slide, factor))).toThrow(RangeError);
  });
});

describe('the stored resolutions of a mask', () => {
  const plans = fc.record({
    width: fc.integer({ min: 1, max: 200_000 }),
    height: fc.integer({ min: 1, max: 200_000 }),
    core: fc.integer({ min: 1, max: 128 }).map(n => n * 32),
  });

  it('halve until the picture fits a screen or a patch would be no whole chunk, and every patch is one chunk', () => {
    fc.assert(
      fc.property(plans, ({ width, height, core }) => {
        const { plan } = maskedSlide({ width: 64, height: 64 });
        const cols = Math.ceil(width / core);
        const levels = storedLevels({ ...plan, width, height, core, cols });
        expect(levels.map(level => level.path)).toEqual(levels.map((_, i) => String(i)));
        for (const [i, level] of levels.entries()) {
          expect(level).toMatchObject({ factor: 2 ** i, chunk: core / 2 ** i });
          expect(level.chunk).toBeGreaterThanOrEqual(32);
          expect([level.width, level.height]).toEqual([Math.ceil(width / 2 ** i), Math.ceil(height / 2 ** i)]);
          // No chunk without a patch, no patch without a chunk.
          expect(Math.ceil(level.width / level.chunk)).toBe(cols);
          if (i > 0) expect(Math.max(levels[i - 1]!.width, levels[i - 1]!.height)).toBeGreaterThan(1024);
        }
        const last = levels.at(-1)!;
        const small = Math.max(last.width, last.height) <= 1024;
        expect(small || last.chunk % 2 === 1 || last.chunk < 64).toBe(true);
        // More the pyramid's counts do not hold.
        expect(levels.length).toBeLessThanOrEqual(8);
      }),
    );
  });
});
