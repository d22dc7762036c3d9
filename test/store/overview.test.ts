import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { MaskPyramid } from '#src/mask/reduce.js';
import { validSize } from '#src/read/plan.js';
import { renderOverview } from '#src/store/overview.js';
import { OverviewMask } from '#src/store/overview-mask.js';
import type { SlideSummary } from '#src/store/summary.js';
import { maskedSlide } from './slide-fixture.js';

type Pixels = { data: Buffer; width: number; at(x: number, y: number): [number, number, number] };

async function decode(png: Uint8Array): Promise<Pixels> {
  const { data, info } = await sharp(png).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return {
    data,
    width: info.width,
    at: (x, y) =>
      [...data.subarray((y * info.width + x) * 3, (y * info.width + x) * 3 + 3)] as [number, number, number],
  };
}

describe('the mask at the size of the overview', () => {
  it.each([
    [{ width: 500, height: 300 }, 1],
    [{ width: 5000, height: 200 }, 4],
    [{ width: 70_000, height: 130, core: 128 }, 64],
  ])('of %o sums to the stroma of the slide', (size, factor) => {
    const { plan, canvas, patches, pixels } = maskedSlide(size);
    expect(canvas.factor).toBe(factor);
    const mask = new OverviewMask(plan, canvas);
    for (const levels of [1, 3]) {
      mask.clear();
      const pyramid = new MaskPyramid(plan.core, levels);
      for (const { ref, mask: stroma } of patches) {
        if (!stroma) continue;
        pyramid.load(stroma.bits, ...validSize(plan, ref.col, ref.row));
        mask.add(ref.col, ref.row, pyramid, levels);
      }
      const expected = new Float64Array(canvas.width * canvas.height);
      for (const [i, pixel] of pixels.entries()) {
        const [x, y] = [i % plan.width, Math.floor(i / plan.width)];
        expected[Math.floor(y / factor) * canvas.width + Math.floor(x / factor)]! += pixel;
      }
      const coverage = mask.coverage();
      const rounded = expected.map((sum, i) => {
        const width = Math.min(factor, plan.width - (i % canvas.width) * factor);
        const height = Math.min(factor, plan.height - Math.floor(i / canvas.width) * factor);
        return Math.round((255 * sum) / (width * height));
      });
      expect(Buffer.compare(coverage, Uint8Array.from(rounded))).toBe(0);
    }
  });
});

describe('the overview', () => {
  const { canvas, summary, plan } = maskedSlide({ width: 1000, height: 800 });
  const pale = new Uint8Array(canvas.shared).fill(200);
  const coverage = new Uint8Array(canvas.width * canvas.height);
  for (let y = 300; y < 500; y++) coverage.fill(255, y * canvas.width + 300, y * canvas.width + 500);

  it('shows the slide as it is outside the mask, green inside, with a dark outline', async () => {
    const { png, width, height } = await renderOverview(canvas, coverage, summary, []);
    const { at } = await decode(png);
    expect([width, height > canvas.height]).toEqual([1000, true]);
    expect(at(100, 100)).toEqual([200, 200, 200]);
    const [r, g, b] = at(400, 400);
    expect(g).toBeGreaterThan(r + 30);
    expect(g).toBeGreaterThan(b);
    const line = at(300, 400);
    expect(Math.max(...line)).toBeLessThan(120);
    expect(at(299, 400)).toEqual([200, 200, 200]);
    expect(pale[0]).toBe(200);
  });

  it('keeps the texture under the tint', async () => {
    const dark = (400 * canvas.width + 400) * 3;
    pale.fill(60, dark, dark + 3);
    const { at } = await decode((await renderOverview(canvas, coverage, summary, [])).png);
    expect(at(400, 400)[1]).toBeLessThan(at(401, 400)[1] - 40);
    pale.fill(200);
  });

  it('has a scale bar of round length: 1, 2 or 5 × 10ⁿ µm, at most a quarter of the picture', async () => {
    for (const mpp of [0.05, 0.23, 0.5, 1.7, 40]) {
      const { at } = await decode((await renderOverview(canvas, coverage, { ...summary, mpp }, [])).png);
      // The longest dark run in the lower left is the bar.
      let longest = 0;
      for (let y = 700; y < 800; y++) {
        for (let x = 0, run = 0; x < 500; x++) {
          run = Math.max(...at(x, y)) < 90 ? run + 1 : 0;
          longest = Math.max(longest, run);
        }
      }
      expect(longest).toBeLessThanOrEqual(251);
      const exact = [1, 2, 5].flatMap(step => [1, 10, 100, 1000, 1e4].map(power => (step * power) / mpp));
      expect(Math.min(...exact.map(length => Math.abs(length - longest)))).toBeLessThanOrEqual(1.5);
    }
  });

  it('writes other figures when the areas differ', async () => {
    const strip = async (area: SlideSummary['area']): Promise<Buffer> => {
      const { png, width, height } = await renderOverview(canvas, coverage, { ...summary, area }, []);
      return sharp(png)
        .extract({ left: 0, top: canvas.height, width, height: height - canvas.height })
        .raw()
        .toBuffer();
    };
    const first = await strip({ stromaMm2: 0.315, tissueMm2: 1.31, stromaFraction: 0.24 });
    for (const area of [
      { stromaMm2: 0.316, tissueMm2: 1.31, stromaFraction: 0.24 },
      { stromaMm2: 0.315, tissueMm2: 1.32, stromaFraction: 0.24 },
      { stromaMm2: 0.315, tissueMm2: 1.31, stromaFraction: 0.25 },
      { stromaMm2: 0.0000315, tissueMm2: 131, stromaFraction: 0.24 },
    ]) {
      expect(Buffer.compare(first, await strip(area))).not.toBe(0);
    }
  });

  it('hatches what was not analysed and says how many patches are done', async () => {
    const partial = {
      ...summary,
      patches: { ...summary.patches, missing: 1, segmented: summary.patches.segmented - 1 },
    };
    const blank = { x: 64, y: 128, width: 64, height: 64 };
    const whole = await decode((await renderOverview(canvas, coverage, summary, [])).png);
    const hatched = await decode((await renderOverview(canvas, coverage, partial, [blank])).png);
    const changed = (x: number, y: number): boolean => `${whole.at(x, y)}` !== `${hatched.at(x, y)}`;
    expect(changed(96, 160)).toBe(true);
    expect(changed(60, 160)).toBe(false);
    const strip = [whole, hatched].map(({ data, width }) => data.subarray(width * canvas.height * 3));
    expect(Buffer.compare(strip[0]!, strip[1]!)).not.toBe(0);
    const amber = Array.from({ length: strip[1]!.length / 3 }, (_, i) => strip[1]!.subarray(i * 3, i * 3 + 3)).some(
      ([r, g, b]) => r! > 150 && g! < 110 && b! < 60,
    );
    expect(amber).toBe(true);
  });

  it('gives a narrow slide a strip wide enough for the figures', async () => {
    const narrow = maskedSlide({ width: 100, height: 900 });
    const none = new Uint8Array(narrow.canvas.width * narrow.canvas.height);
    const { width, height } = await renderOverview(narrow.canvas, none, narrow.summary, []);
    expect(width).toBeGreaterThanOrEqual(700);
    expect(height).toBeGreaterThan(900);
    expect(plan.width).toBe(1000);
  });
});
