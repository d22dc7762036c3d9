import jpegTurbo from '@julusian/jpeg-turbo';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countTissue, DEFAULT_TISSUE_RULE } from '#src/read/tissue.js';
import { encodeJpeg } from '../slide/tiff-writer.js';

const SIDE = 256;
const MIN = DEFAULT_TISSUE_RULE.minFraction;

type Shade = (x: number, y: number) => number;

/** Noise of a camera: the same every time, between −1 and 1. */
function noise(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return (state / 0x7fff_ffff) * 2 - 1;
  };
}

function draw(shade: Shade, width = SIDE, height = SIDE): Buffer {
  const data = Buffer.alloc(width * height * 3);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      data.fill(Math.min(255, Math.max(0, Math.round(shade(x, y)))), (y * width + x) * 3, (y * width + x) * 3 + 3);
  return data;
}

const jpeg = (data: Uint8Array, quality: number): Buffer =>
  jpegTurbo.decompressSync(encodeJpeg({ width: SIDE, height: SIDE, samples: 3, data }, quality), {
    format: jpegTurbo.FORMAT_RGB,
  }).data;

/** Part of a picture that is tissue. */
function tissue(data: Uint8Array, width = SIDE, height = SIDE, rule = DEFAULT_TISSUE_RULE): number {
  const cols = Math.ceil(width / 8);
  const sums = new Uint16Array(cols * Math.ceil(height / 8) * 3);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let c = 0; c < 3; c++) sums[((y >> 3) * cols + (x >> 3)) * 3 + c]! += data[(y * width + x) * 3 + c]!;
  return countTissue(sums, cols, width, height, rule) / (width * height);
}

/** Nuclei of 6 µm in a stroma of fibres, as a camera without colour shows them. */
const stroma: Shade = (x, y) => {
  const nucleus = ((x % 48) - 20) ** 2 + ((y % 56) - 30) ** 2 < 36;
  return nucleus ? 90 : 185 + 14 * Math.sin(x / 5 + Math.sin(y / 17) * 3);
};

describe('the tissue rule without colour', () => {
  it.each<[string, Shade, number]>([
    ['stroma with nuclei', stroma, 0.97],
    ['a section of half the patch', (x, y) => (x < SIDE / 2 ? stroma(x, y) : 238), 0.45],
    ['pale fibres', (x, y) => 218 - 22 * Math.abs(Math.sin((x + y) / 9)), 0.7],
    [
      'noise of a camera on an even grey of 120',
      (() => {
        const random = noise(3);
        return () => 120 + 20 * random();
      })(),
      0.9,
    ],
    ['smooth parts close to texture', (x, y) => (x % 32 < 8 ? 120 : 150 + 0 * y), 0.95],
  ])('takes %s for tissue', (_, shade, least) => {
    expect(tissue(draw(shade))).toBeGreaterThan(least);
    expect(tissue(jpeg(draw(shade), 85))).toBeGreaterThan(least - 0.05);
  });

  const random = noise(7);
  it.each<[string, Shade]>([
    ['white', () => 255],
    ['black that was never scanned', () => 0],
    ['black with JPEG’s traces', () => 3 + 3 * random()],
    ['one grey that fills an area', () => 128],
    ['glass', () => 236 + 3 * random()],
    ['darker glass', () => 205 + 4 * random()],
    ['a shadow', (x, y) => 225 - (35 * Math.hypot(x, y)) / SIDE + 3 * random()],
    ['the border of an unscanned area', (x, y) => (x + y / 3 < 150 ? 0 : 236)],
  ])('takes %s for none, at any quality', (_, shade) => {
    const data = draw(shade);
    expect(tissue(data)).toBeLessThan(MIN);
    for (const quality of [95, 85, 75, 60]) expect(tissue(jpeg(data, quality))).toBeLessThan(MIN);
  });

  it('counts texture alone where there is too little of it to keep the patch', () => {
    // One speck of dust on glass that is darker than the rule wants, as all of it would then be tissue.
    const speck = draw((x, y) => (x >> 3 === 5 && y >> 3 === 5 ? 120 : 215), 512, 512);
    expect(tissue(speck, 512, 512) * 512 * 512).toBe(9 * 64);
    expect(tissue(speck, 512, 512)).toBeLessThan(MIN);
  });

  it('judges a patch with colour anywhere by its colour', () => {
    const data = draw(stroma);
    expect(tissue(data)).toBeGreaterThan(0.9);
    for (let i = 0; i < 64; i++) data.set([225, 160, 190], ((i >> 3) * SIDE + (i & 7)) * 3);
    expect(tissue(data) * SIDE * SIDE).toBe(64);
  });

  it('is darkness alone where no saturation is wanted', () => {
    const rule = { ...DEFAULT_TISSUE_RULE, saturation: 0 };
    expect(
      tissue(
        draw(() => 128),
        SIDE,
        SIDE,
        rule,
      ),
    ).toBe(1);
    expect(
      tissue(
        draw(() => 240),
        SIDE,
        SIDE,
        rule,
      ),
    ).toBe(0);
  });

  it('never counts less for thresholds that are less strict, nor more than there is', () => {
    const shade = fc.record({
      base: fc.integer({ min: 0, max: 255 }),
      swing: fc.integer({ min: 0, max: 120 }),
      step: fc.integer({ min: 3, max: 40 }),
      seed: fc.nat(),
    });
    const size = fc.integer({ min: 1, max: 90 });
    fc.assert(
      fc.property(shade, size, size, ({ base, swing, step, seed }, width, height) => {
        const grain = noise(seed);
        const data = draw(
          (x, y) => base + swing * Math.sin(x / step) * Math.cos(y / step) + 4 * grain(),
          width,
          height,
        );
        const strict = tissue(data, width, height);
        const cautious = tissue(data, width, height, { ...DEFAULT_TISSUE_RULE, opticalDensity: 0.0375 });
        expect(strict).toBeLessThanOrEqual(1);
        expect(cautious).toBeGreaterThanOrEqual(strict);
      }),
      { numRuns: 200 },
    );
  });
});
