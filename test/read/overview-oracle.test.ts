import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createOverview, OverviewPainter } from '#src/read/overview.js';
import { planPatches } from '#src/read/plan.js';

function planOf(width: number, height: number, patchSize: number, margin: number) {
  const level = { width, height, downsample: 1, mpp: 0.5, tileWidth: 64, tileHeight: 64 };
  return planPatches(
    { id: 's', path: 's', format: 't', mpp: 0.5, levels: [level], fingerprint: 'f', properties: {} },
    { patchSize, margin },
  );
}

/** Any colour by place, the same for the slide's pixels of one block of 8 × 8. */
const colourAt = (x: number, y: number, channel: number, seed: number): number => {
  const mixed = Math.imul((x >> 3) * 73 + (y >> 3) * 179 + channel * 31 + seed, 0x9e37_79b1);
  return (mixed >>> 8) & 255;
};

describe('OverviewPainter', () => {
  it('paints each canvas pixel with the mean of what its patch has of it, in any order of patches', () => {
    const layout = fc.constantFrom([32, 0], [64, 0], [96, 16], [128, 16]);
    const size = fc.integer({ min: 1, max: 250 });
    fc.assert(
      fc.property(
        size,
        size,
        layout,
        fc.constantFrom(1, 2, 4, 8, 16, 32, 64),
        fc.nat({ max: 99 }),
        fc.boolean(),
        (width, height, [patchSize, margin], factor, seed, backwards) => {
          const plan = planOf(width, height, patchSize!, margin!);
          const { core } = plan;
          const canvas = { width: Math.ceil(width / factor), height: Math.ceil(height / factor), factor };
          const shared = new SharedArrayBuffer(canvas.width * canvas.height * 3);
          const painter = new OverviewPainter({ ...canvas, shared }, plan);
          const patches = Array.from({ length: plan.cols * plan.rows }, (_, i) => i);
          for (const patch of backwards ? patches.toReversed() : patches) {
            const [col, row] = [patch % plan.cols, Math.floor(patch / plan.cols)];
            const sums = new Uint16Array((core / 8) ** 2 * 3);
            for (let y = row * core; y < Math.min(height, row * core + core); y++)
              for (let x = col * core; x < Math.min(width, col * core + core); x++) {
                const at = (((y - row * core) >> 3) * (core / 8) + ((x - col * core) >> 3)) * 3;
                for (let channel = 0; channel < 3; channel++) sums[at + channel]! += colourAt(x, y, channel, seed);
              }
            painter.paint(col, row, sums);
          }
          const pixels = new Uint8Array(shared);
          for (let y = 0; y < canvas.height; y++)
            for (let x = 0; x < canvas.width; x++) {
              const right = Math.min(width, (Math.floor((x * factor) / core) + 1) * core, (x + 1) * factor);
              const bottom = Math.min(height, (Math.floor((y * factor) / core) + 1) * core, (y + 1) * factor);
              let sum = 0;
              let area = 0;
              for (let py = y * factor; py < bottom; py++)
                for (let px = x * factor; px < right; px++, area++) sum += colourAt(px, py, 1, seed);
              expect(pixels[(y * canvas.width + x) * 3 + 1], `(${x}, ${y})`).toBe(Math.floor(sum / area + 0.5));
            }
        },
      ),
      { numRuns: 30 },
    );
  });

  it('copies a picture into its place and touches nothing around it', () => {
    const size = fc.integer({ min: 1, max: 12 });
    fc.assert(
      fc.property(size, size, fc.constantFrom(1, 2, 4), fc.nat(), (across, down, factor, pick) => {
        // Whole squares only: what cut ones become is tested beside this.
        const [width, height] = [across * factor * 3, down * factor * 3];
        const plan = planOf(width, height, 32, 0);
        const canvas = createOverview(plan);
        const mine = { ...canvas, factor, width: across * 3, height: down * 3 };
        const painter = new OverviewPainter(mine, plan);
        const pixels = new Uint8Array(canvas.shared);
        const [col, row] = [pick % plan.cols, (pick >> 8) % plan.rows];
        const side = 32 / factor;
        const lines = Array.from({ length: side }, (_, y) => new Uint8Array(side * 3).map((_, i) => (y * 7 + i) % 255));
        painter.copy(col, row, lines);
        const wanted = new Uint8Array(pixels.length).fill(255);
        const [left, top] = [col * side * 3, row * side];
        const bytes = Math.min(side * 3, mine.width * 3 - left);
        for (let y = top; y < Math.min(mine.height, top + side); y++)
          wanted.set(lines[y - top]!.subarray(0, bytes), y * mine.width * 3 + left);
        expect(Buffer.compare(pixels, wanted)).toBe(0);
      }),
      { numRuns: 60 },
    );
  });
});

describe('createOverview', () => {
  it('takes the least power of two with which the longer side is at most 2048', () => {
    const size = fc.integer({ min: 1, max: 200_000 });
    fc.assert(
      fc.property(size, size, (width, height) => {
        const { factor, ...canvas } = createOverview(planOf(width, height, 512, 0));
        expect(Math.log2(factor) % 1).toBe(0);
        expect([canvas.width, canvas.height]).toEqual([Math.ceil(width / factor), Math.ceil(height / factor)]);
        expect(Math.max(canvas.width, canvas.height)).toBeLessThanOrEqual(2048);
        if (factor > 1) expect(Math.max(width, height) / (factor / 2)).toBeGreaterThan(2048);
      }),
      { numRuns: 40 },
    );
  });
});
