import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countPatch, ValueTable } from '#src/evaluate/counts.js';
import { parseLabelMap } from '#src/evaluate/labels.js';
import { maskImageSource } from '#src/evaluate/mask-image.js';
import { readPatchLabels, withoutPixels } from '#src/evaluate/patch-labels.js';
import type { PatchPlan } from '#src/read/patch.js';
import { maskOf } from './set-builder.js';

const map = parseLabelMap({ positive: '2,6', ignore: '0', negative: '1,7' });

function planOf(width: number, height: number, core = 32, downsample = 1): PatchPlan {
  const [w, h] = [width / downsample, height / downsample];
  return {
    slide: 's',
    level: 0,
    scale: 1,
    downsample,
    mpp: 0.5,
    patchSize: core,
    margin: 0,
    padding: 'zero',
    core,
    cols: Math.ceil(w / core),
    rows: Math.ceil(h / core),
    width: w,
    height: h,
    slideWidth: width,
    slideHeight: height,
  };
}

describe('readPatchLabels', () => {
  it('pads the edge with ignored pixels', async () => {
    const mask = maskOf(40, 20, new Uint8Array(800).fill(2));
    const source = maskImageSource(mask, { width: 40, height: 20 });
    const edge = await readPatchLabels(source, planOf(40, 20), { col: 1, row: 0 }, map);
    expect(edge).toMatchObject({ width: 8, height: 20, labelledPixels: 160, positivePixels: 160, unknownValue: -1 });
    expect(edge.ignored[0]).toBe(0);
    expect(edge.ignored[1]).toBe(255);
    expect(edge.ignored[20 * 4]).toBe(255);
  });

  it('samples a mask of another size at pixel centres', async () => {
    const mask = maskOf(
      4,
      4,
      Uint8Array.from({ length: 16 }, (_, i) => (i % 4 < 2 ? 1 : 2)),
    );
    const source = maskImageSource(mask, { width: 64, height: 64 });
    const labels = await readPatchLabels(source, planOf(64, 64, 32, 2), { col: 0, row: 0 }, map);
    expect([...labels.values.subarray(14, 18)]).toEqual([1, 1, 2, 2]);
  });

  it('reports an undeclared value and does not count it', async () => {
    const source = maskImageSource(maskOf(8, 8, new Uint8Array(64).fill(9, 0, 10).fill(2, 10)), {
      width: 8,
      height: 8,
    });
    const labels = await readPatchLabels(source, planOf(8, 8, 8), { col: 0, row: 0 }, map);
    expect(labels).toMatchObject({ unknownValue: 9, labelledPixels: 54 });
  });

  it('leaves out what the slide does not store, and only that', async () => {
    const values = Uint8Array.from({ length: 32 * 32 }, (_, i) => [0, 1, 2, 6, 7][(i * 7) % 5]!);
    const whole = await readPatchLabels(
      maskImageSource(maskOf(32, 32, values), { width: 32, height: 32 }),
      planOf(32, 32),
      { col: 0, row: 0 },
      map,
    );
    expect(withoutPixels(whole, undefined)).toBe(whole);
    const side = fc.integer({ min: 0, max: 40 });
    fc.assert(
      fc.property(fc.array(fc.record({ x: side, y: side, width: side, height: side })), rectangles => {
        const left = withoutPixels(whole, rectangles);
        const isMissing = (px: number, py: number) =>
          rectangles.some(({ x, y, width, height }) => px >= x && px < x + width && py >= y && py < y + height);
        const kept = [...values.keys()].filter(i => values[i] !== 0 && !isMissing(i % 32, i >> 5));
        const positives = kept.filter(i => values[i] === 2 || values[i] === 6);
        expect([left.labelledPixels, left.positivePixels]).toEqual([kept.length, positives.length]);
        const counts = countPatch(new Uint8Array(128), left);
        expect([counts.fn, counts.tn]).toEqual([positives.length, kept.length - positives.length]);
      }),
    );
    expect(whole.labelledPixels).toBe(values.filter(value => value !== 0).length);
  });

  it('counts what a pixel loop counts, whatever the sizes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 70 }),
        fc.integer({ min: 1, max: 70 }),
        fc.infiniteStream(fc.constantFrom(0, 1, 2, 6, 7)),
        fc.infiniteStream(fc.boolean()),
        async (width, height, labelStream, maskStream) => {
          const values = Uint8Array.from({ length: width * height }, () => labelStream.next().value);
          const predicted = Array.from({ length: width * height }, () => maskStream.next().value as boolean);
          const plan = planOf(width, height);
          const source = maskImageSource(maskOf(width, height, values), { width, height });
          const sum = { tp: 0, fp: 0, fn: 0, tn: 0 };
          const table = new ValueTable();
          for (let row = 0; row < plan.rows; row++) {
            for (let col = 0; col < plan.cols; col++) {
              // Padding is predicted positive, which must not matter.
              const bits = new Uint8Array(128).fill(255);
              for (let y = 0; y < 32; y++) {
                for (let x = 0; x < 32; x++) {
                  const [X, Y] = [col * 32 + x, row * 32 + y];
                  if (X < width && Y < height && !predicted[Y * width + X])
                    bits[y * 4 + (x >> 3)]! &= ~(128 >> (x & 7));
                }
              }
              const labels = await readPatchLabels(source, plan, { col, row }, map);
              const counts = countPatch(bits, labels);
              for (const key of ['tp', 'fp', 'fn', 'tn'] as const) sum[key] += counts[key];
              table.add(bits, labels);
            }
          }
          const expected = { tp: 0, fp: 0, fn: 0, tn: 0 };
          values.forEach((value, i) => {
            if (value === 0) return;
            const is = value === 2 || value === 6;
            expected[is ? (predicted[i] ? 'tp' : 'fn') : predicted[i] ? 'fp' : 'tn']++;
          });
          expect(sum).toEqual(expected);
          expect(table.counts[256 + 2]! + table.counts[256 + 6]!).toBe(expected.tp);
          expect(table.counts.slice(0, 256).reduce((a, b) => a + b)).toBe(width * height);
        },
      ),
      { numRuns: 60 },
    );
  });
});
