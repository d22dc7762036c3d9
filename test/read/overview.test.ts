import { describe, expect, it } from 'vitest';
import { createOverview, OverviewPainter } from '#src/read/overview.js';
import { planPatches } from '#src/read/plan.js';

function planOf(width: number, height: number, patchSize = 64, margin = 0) {
  const level = { width, height, downsample: 1, mpp: 0.5, tileWidth: 64, tileHeight: 64 };
  return planPatches(
    { id: 's', path: 's', format: 't', mpp: 0.5, levels: [level], fingerprint: 'f', properties: {} },
    { patchSize, margin },
  );
}

describe('createOverview', () => {
  it.each([
    [100, 60, 1],
    [2048, 2048, 1],
    [2049, 10, 2],
    [2220, 2967, 2],
    [8193, 100, 8],
    [100_000, 60_000, 64],
  ])('of %i × %i plan pixels halves %i times at most', (width, height, factor) => {
    const canvas = createOverview(planOf(width, height));
    expect(canvas.factor).toBe(factor);
    expect(Math.max(canvas.width, canvas.height)).toBeLessThanOrEqual(2048);
    expect(canvas.shared.byteLength).toBe(canvas.width * canvas.height * 3);
    expect(new Uint8Array(canvas.shared).every(value => value === 255)).toBe(true);
  });
});

describe('OverviewPainter', () => {
  /** Blocks of 8 × 8 whose mean is the block's place, cut at the slide's edge. */
  function paintAll(width: number, height: number, factor: number, patchSize = 64, margin = 0) {
    const plan = planOf(width, height, patchSize, margin);
    const canvas = {
      ...createOverview(plan),
      factor,
      width: Math.ceil(width / factor),
      height: Math.ceil(height / factor),
    };
    const shared = new SharedArrayBuffer(canvas.width * canvas.height * 3);
    const painted = { ...canvas, shared };
    const painter = new OverviewPainter(painted, plan);
    const blocks = plan.core / 8;
    for (let row = 0; row < plan.rows; row++)
      for (let col = 0; col < plan.cols; col++) {
        const sums = new Uint16Array(blocks * blocks * 3);
        for (let y = 0; y < blocks; y++)
          for (let x = 0; x < blocks; x++) {
            const px = col * plan.core + x * 8;
            const py = row * plan.core + y * 8;
            const area = Math.max(0, Math.min(8, width - px)) * Math.max(0, Math.min(8, height - py));
            sums.set([area * ((px / 8) % 200), area * ((py / 8) % 200), area * 50], (y * blocks + x) * 3);
          }
        painter.paint(col, row, sums);
      }
    return { ...painted, pixels: new Uint8Array(shared) };
  }

  it.each([8, 16, 32, 64])('paints every canvas pixel at factor %i, edges by what is there', factor => {
    const { pixels, width, height } = paintAll(500, 333, factor);
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) {
        const at = (y * width + x) * 3;
        // The mean place of the blocks under the pixel, weighted by what of them lies in the slide.
        expect(Math.abs(pixels[at]! - meanBlock(x, factor, 500))).toBeLessThanOrEqual(1);
        expect(Math.abs(pixels[at + 1]! - meanBlock(y, factor, 333))).toBeLessThanOrEqual(1);
        expect(pixels[at + 2]).toBe(50);
      }
  });

  it('paints blocks larger than canvas pixels in their colour', () => {
    const { pixels, width } = paintAll(100, 100, 2);
    expect(pixels[(0 * width + 0) * 3]).toBe(0);
    expect(pixels[(9 * width + 7) * 3]).toBe(1);
    expect(pixels[(9 * width + 49) * 3]).toBe(12);
    expect(pixels[(49 * width + 49) * 3 + 1]).toBe(12);
    expect(pixels[(49 * width + 49) * 3 + 2]).toBe(50);
  });

  it('leaves no gap where canvas pixels straddle patches', () => {
    // Cores of 96 and canvas pixels of 64: each belongs to the patch that has its upper left corner.
    const { pixels } = paintAll(500, 500, 64, 128, 16);
    for (let at = 2; at < pixels.length; at += 3) expect(pixels[at]).toBe(50);
  });

  it('copies pictures and makes their cut squares means over the slide alone', () => {
    const plan = planOf(67, 65);
    const shared = new SharedArrayBuffer(34 * 33 * 3);
    const painter = new OverviewPainter({ shared, width: 34, height: 33, factor: 2 }, plan);
    const full = new Uint8Array(32 * 32 * 3).fill(100);
    for (const [col, row] of [
      [0, 0],
      [1, 0],
      [0, 1],
      [1, 1],
    ] as const) {
      const picture = full.slice();
      // Padding is zero: squares cut by the edge have half or a quarter of their value.
      if (col === 1) for (let y = 0; y < 32; y++) picture.fill(50, (y * 32 + 1) * 3, (y * 32 + 2) * 3);
      if (row === 1) picture.fill(col === 1 ? 50 : 50, 0, 32 * 3);
      if (row === 1 && col === 1) picture.fill(25, 3, 6);
      painter.copy(
        col,
        row,
        Array.from({ length: 32 }, (_, y) => picture.subarray(y * 96, y * 96 + 96)),
      );
    }
    const pixels = new Uint8Array(shared);
    expect(Math.min(...pixels)).toBeGreaterThanOrEqual(99);
    expect(Math.max(...pixels)).toBeLessThanOrEqual(102);
  });
});

function meanBlock(index: number, factor: number, size: number): number {
  let sum = 0;
  let weight = 0;
  for (let px = index * factor; px < Math.min(size, (index + 1) * factor); px += 8) {
    const here = Math.min(8, size - px);
    sum += here * ((px / 8) % 200);
    weight += here;
  }
  return sum / weight;
}
