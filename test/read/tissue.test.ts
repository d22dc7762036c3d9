import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countTissue, DEFAULT_TISSUE_RULE } from '#src/read/tissue.js';

type Colour = readonly [number, number, number];

/** Counts with one colour in every block of an area of `width` × `height` pixels. */
function count(colour: Colour, width = 64, height = 64, rule = DEFAULT_TISSUE_RULE): number {
  const cols = Math.ceil(width / 8);
  const rows = Math.ceil(height / 8);
  const sums = new Uint16Array(cols * rows * 3);
  for (let row = 0; row < rows; row++)
    for (let col = 0; col < cols; col++) {
      const area = Math.min(8, width - col * 8) * Math.min(8, height - row * 8);
      for (let c = 0; c < 3; c++) sums[(row * cols + col) * 3 + c] = colour[c]! * area;
    }
  return countTissue(sums, cols, width, height, rule);
}

describe('the tissue rule', () => {
  it.each<[string, Colour]>([
    ['stroma', [225, 160, 190]],
    ['pale stroma', [238, 215, 226]],
    ['very pale stroma', [242, 221, 233]],
    ['membranes of fat, a quarter of a block', [238, 218, 228]],
    ['nuclei', [90, 60, 130]],
    ['blood', [200, 60, 80]],
    ['a fold', [70, 30, 60]],
  ])('takes %s for tissue', (_, colour) => {
    expect(count(colour)).toBe(64 * 64);
  });

  it.each<[string, Colour]>([
    ['white', [255, 255, 255]],
    ['glass of the real slide', [243, 242, 243]],
    ['greyish glass', [225, 224, 228]],
    ['yellowish glass', [246, 244, 238]],
    ['a grey shadow', [200, 199, 198]],
    ['black that was never scanned', [0, 0, 0]],
    ['black with JPEG’s traces', [4, 1, 2]],
  ])('takes %s for none', (_, colour) => {
    expect(count(colour)).toBe(0);
  });

  it('counts whole and cut blocks by their pixels inside the slide', () => {
    expect(count([225, 160, 190], 20, 13)).toBe(20 * 13);
    expect(count([225, 160, 190], 1, 1)).toBe(1);
  });

  it('wants saturation and density both, each as adjusted', () => {
    const colour: Colour = [240, 220, 230];
    const rule = DEFAULT_TISSUE_RULE;
    expect(count(colour)).toBe(64 * 64);
    expect(count(colour, 64, 64, { ...rule, saturation: 0.09 })).toBe(0);
    expect(count(colour, 64, 64, { ...rule, opticalDensity: 0.07 })).toBe(0);
    expect(count([200, 199, 198], 64, 64, { ...rule, saturation: 0 })).toBe(64 * 64);
  });

  it('never counts less of a stronger stain', () => {
    // Beer and Lambert: a stain k times as strong has k times the optical density in every channel.
    const density = fc.double({ min: 0, max: 0.4, noNaN: true });
    fc.assert(
      fc.property(density, density, density, fc.double({ min: 1, max: 2, noNaN: true }), (r, g, b, k) => {
        const stained = (times: number): Colour => [r, g, b].map(od => 243 * 10 ** (-od * times)) as unknown as Colour;
        // Sums are whole numbers, so that a value on the edge may fall either way: a little stronger decides it.
        if (count(stained(1)) > 0) expect(count(stained(k * 1.02))).toBe(64 * 64);
      }),
      { numRuns: 500 },
    );
  });
});
