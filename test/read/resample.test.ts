import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PixelMemory } from '#src/read/pixel-memory.js';
import type { Region } from '#src/read/region.js';
import { BoxResampler } from '#src/read/resample.js';
import { failureOf } from '../slide/fixture.js';
import { cut, type Picture } from '../slide/tiff-writer.js';

function noise(width: number, height: number, seed: number): Picture {
  const data = new Uint8Array(width * height * 3);
  for (let i = 0, value = seed + 1; i < data.length; i++) {
    value = (value * 1_103_515_245 + 12_345) & 0x7fffffff;
    data[i] = value >> 16;
  }
  return { width, height, samples: 3, data };
}

async function resample(level: Picture, region: Omit<Region, 'level' | 'nextTop'>): Promise<Uint8Array> {
  const memory = new PixelMemory();
  const into = memory.area('patch', region.width * region.height * 3);
  memory.bytes(into, region.width * region.height * 3).fill(123);
  await new BoxResampler(memory).run(
    { ...region, level: 0, nextTop: 0 },
    level.width,
    level.height,
    into,
    async (x, y, width, height, band) => {
      expect(Math.min(x, y)).toBeGreaterThanOrEqual(0);
      expect(x + width).toBeLessThanOrEqual(level.width);
      expect(y + height).toBeLessThanOrEqual(level.height);
      memory.bytes(band, width * height * 3).set(cut(level, x, y, width, height).data);
    },
  );
  return memory.bytes(into, region.width * region.height * 3).slice();
}

/** The definition: every output pixel is the mean of what it covers, weighted by area; zero outside the slide. */
function byDefinition(level: Picture, region: Omit<Region, 'level' | 'nextTop'>): Float64Array {
  const { x, y, width, height, scale, slideWidth, slideHeight } = region;
  const out = new Float64Array(width * height * 3);
  for (let row = 0; row < height; row++)
    for (let col = 0; col < width; col++) {
      if (x + col < 0 || x + col >= slideWidth || y + row < 0 || y + row >= slideHeight) continue;
      const [left, right] = covered(x + col, scale, level.width);
      const [top, bottom] = covered(y + row, scale, level.height);
      const sums = [0, 0, 0];
      for (let v = Math.floor(top); v < bottom; v++)
        for (let u = Math.floor(left); u < right; u++) {
          const area = (Math.min(u + 1, right) - Math.max(u, left)) * (Math.min(v + 1, bottom) - Math.max(v, top));
          for (let c = 0; c < 3; c++) sums[c] = sums[c]! + area * level.data[(v * level.width + u) * 3 + c]!;
        }
      for (let c = 0; c < 3; c++) out[(row * width + col) * 3 + c] = sums[c]! / ((right - left) * (bottom - top));
    }
  return out;
}

function covered(index: number, scale: number, size: number): [number, number] {
  const end = Math.min((index + 1) * scale, size);
  return [Math.min(index * scale, end - 1e-6), end];
}

describe('BoxResampler', () => {
  it('averages areas, whatever scale, place and size', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 60 }),
        fc.oneof(fc.constantFrom(2, 4, 8, 1.5, 1.02, 0.5), fc.double({ min: 0.3, max: 12, noNaN: true })),
        fc.integer({ min: -9, max: 30 }),
        fc.integer({ min: -9, max: 30 }),
        fc.integer({ min: 1, max: 24 }),
        fc.nat({ max: 1000 }),
        async (width, height, scale, x, y, side, seed) => {
          const level = noise(width, height, seed);
          const slide = {
            slideWidth: Math.max(1, Math.round(width / scale)),
            slideHeight: Math.max(1, Math.round(height / scale)),
          };
          const region = { scale, x, y, width: side, height: side, ...slide };
          const got = await resample(level, region);
          const wanted = byDefinition(level, region);
          for (let i = 0; i < got.length; i++) expect(Math.abs(got[i]! - wanted[i]!)).toBeLessThan(0.51);
        },
      ),
      { numRuns: 150 },
    );
  });

  it('halves in whole numbers, halves of a value rounded up, at every edge', () =>
    fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 40 }),
        fc.integer({ min: 2, max: 40 }),
        fc.integer({ min: -9, max: 25 }),
        fc.integer({ min: -9, max: 25 }),
        fc.nat({ max: 1000 }),
        async (width, height, x, y, seed) => {
          const level = noise(width, height, seed);
          const slide = {
            slideWidth: Math.round(width / 2),
            slideHeight: Math.round(height / 2),
          };
          const region = { scale: 2, x, y, width: 16, height: 12, ...slide };
          const got = await resample(level, region);
          expect([...got]).toEqual([...byDefinition(level, region)].map(Math.round));
        },
      ),
      { numRuns: 200 },
    ));

  it('gives numpy’s area means', async () => {
    const golden = JSON.parse(readFileSync(new URL('../golden/slide_resample.json', import.meta.url), 'utf8')) as {
      width: number;
      height: number;
      pixels: string;
      cases: { scale: number; side: [number, number]; means: string }[];
    };
    const { width, height } = golden;
    const level: Picture = { width, height, samples: 3, data: Buffer.from(golden.pixels, 'base64') };
    for (const { scale, side, means } of golden.cases) {
      const [w, h] = side;
      const got = await resample(level, { scale, x: 0, y: 0, width: w, height: h, slideWidth: w, slideHeight: h });
      const wanted = Buffer.from(means, 'base64');
      for (let i = 0; i < got.length; i++) expect(Math.abs(got[i]! - wanted[i]!)).toBeLessThanOrEqual(1);
    }
  });

  it('reads a large area in bands', async () => {
    // 64 output pixels of 64 level pixels each: 50 MB of level, of which 4 MB are held at a time.
    const memory = new PixelMemory();
    const into = memory.area('patch', 64 * 64 * 3);
    const bands: number[] = [];
    const region = {
      level: 0,
      scale: 64,
      x: 0,
      y: 0,
      width: 64,
      height: 64,
      slideWidth: 64,
      slideHeight: 64,
      nextTop: 0,
    };
    await new BoxResampler(memory).run(region, 4096, 4096, into, async (_x, y, width, height, band) => {
      bands.push(width * height * 3);
      memory.bytes(band, width * height * 3).fill(y === 0 ? 10 : 20);
    });
    expect(Math.max(...bands)).toBeLessThanOrEqual(4 * 2 ** 20);
    expect(bands.reduce((sum, bytes) => sum + bytes, 0)).toBe(4096 * 4096 * 3);
    expect(memory.bytes(into, 3)).toEqual(Uint8Array.of(10, 10, 10));
    expect(memory.bytes(into + 64 * 63 * 3, 3)).toEqual(Uint8Array.of(20, 20, 20));
  });

  it('refuses a reduction that no band can hold', async () => {
    const memory = new PixelMemory();
    const region = {
      level: 0,
      scale: 30_000,
      x: 0,
      y: 0,
      width: 64,
      height: 64,
      slideWidth: 64,
      slideHeight: 64,
      nextTop: 0,
    };
    const error = await failureOf(() => new BoxResampler(memory).run(region, 2_000_000, 2_000_000, 0, async () => {}));
    expect(error.code).toBe('SLIDE_SPACING');
  });
});
