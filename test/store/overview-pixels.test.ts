import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { OverviewCanvas } from '#src/read/overview.js';
import { OverviewPixels } from '#src/store/overview-pixels.js';
import { failureOf } from '../slide/fixture.js';
import { maskedSlide, temporaryFolder } from './slide-fixture.js';

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

const kept = (): string => join(folder.path, '.partial', 'overview.rgb');

/** A canvas of a pixel a `factor` plan pixels, filled with what tells each pixel from the others. */
function canvasOf(width: number, height: number, factor: number, blank = false): OverviewCanvas {
  const size = { width: Math.ceil(width / factor), height: Math.ceil(height / factor), factor };
  const shared = new SharedArrayBuffer(size.width * size.height * 3);
  new Uint8Array(shared).forEach((_, i, all) => {
    all[i] = blank ? 255 : (i * 7919) % 251;
  });
  return { ...size, shared };
}

const bytes = ({ shared }: OverviewCanvas): Uint8Array => new Uint8Array(shared).slice();

describe('OverviewPixels', () => {
  it('gives back every pixel of the patches that were kept, and leaves all others alone', () => {
    const sides = fc.integer({ min: 1, max: 150 });
    fc.assert(
      fc.property(
        sides,
        sides,
        fc.constantFrom(1, 8, 64, 128, 128),
        fc.infiniteStream(fc.boolean()),
        (w, h, factor, coins) => {
          const { plan } = maskedSlide({ width: w, height: h });
          const canvas = canvasOf(plan.width, plan.height, factor);
          const before = new OverviewPixels(folder.path, plan, canvas, true);
          const expected = new Uint8Array(canvas.shared.byteLength).fill(255);
          const places = Array.from(
            { length: plan.cols * plan.rows },
            (_, i) => [i % plan.cols, Math.floor(i / plan.cols)] as const,
          );
          const saved = places.map(([col, row]) => {
            const keeps = coins.next().value!;
            if (keeps) before.save(col, row);
            return keeps;
          });
          before.close();
          // A canvas pixel is of the patch that has its upper left plan pixel.
          for (let y = 0; y < canvas.height; y++)
            for (let x = 0; x < canvas.width; x++) {
              const [col, row] = [Math.floor((x * factor) / plan.core), Math.floor((y * factor) / plan.core)];
              if (!saved[row * plan.cols + col]) continue;
              const at = (y * canvas.width + x) * 3;
              expected.set(bytes(canvas).subarray(at, at + 3), at);
            }
          const fresh = canvasOf(plan.width, plan.height, factor, true);
          const after = new OverviewPixels(folder.path, plan, fresh, false);
          for (const [index, [col, row]] of places.entries()) expect(after.restore(col, row)).toBe(saved[index]);
          after.close();
          expect(bytes(fresh)).toEqual(expected);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('forgets what was kept when it starts fresh', () => {
    const { plan } = maskedSlide({ width: 100, height: 100 });
    const canvas = canvasOf(100, 100, 2);
    for (const fresh of [true, false, true]) {
      const pixels = new OverviewPixels(folder.path, plan, canvas, fresh);
      expect(pixels.restore(0, 0)).toBe(!fresh);
      pixels.save(0, 0);
      pixels.close();
    }
  });

  it('has nothing of a patch whose part was cut off, as by a full disk', () => {
    const { plan } = maskedSlide({ width: 100, height: 100 });
    const pixels = new OverviewPixels(folder.path, plan, canvasOf(100, 100, 2), true);
    pixels.save(1, 1);
    const { length } = readFileSync(kept());
    for (const size of [length - 1, length - 50, 0]) {
      truncateSync(kept(), size);
      expect(pixels.restore(1, 1), `${size}`).toBe(false);
    }
    pixels.close();
  });

  it('names its file when it cannot be written', async () => {
    const { plan } = maskedSlide({ width: 100, height: 100 });
    writeFileSync(join(folder.path, 'file'), '');
    const error = await failureOf(() => new OverviewPixels(join(folder.path, 'file'), plan, canvasOf(9, 9, 1), true));
    expect([error.code, error.message]).toEqual(['OUTPUT_FAILED', expect.stringContaining('overview.rgb')]);
    // It can be closed however often, and opens its file again.
    const pixels = new OverviewPixels(folder.path, plan, canvasOf(100, 100, 2), true);
    pixels.save(0, 0);
    pixels.close();
    pixels.close();
    expect(pixels.restore(0, 0)).toBe(true);
    pixels.close();
  });
});
