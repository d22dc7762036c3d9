import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countTissue, DEFAULT_TISSUE_RULE, type TissueRule } from '#src/read/tissue.js';

/**
 * The rule as docs/tissue-filter.md has it, one pixel after the other: HSV saturation and optical density of the mean of the
 * 8 × 8 block that a pixel lies in.
 */
function naive(
  means: readonly (readonly number[])[],
  cols: number,
  width: number,
  height: number,
  rule: TissueRule,
): number {
  let pixels = 0;
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const mean = means[Math.floor(y / 8) * cols + Math.floor(x / 8)]!;
      const value = Math.max(...mean);
      const saturation = value === 0 ? 0 : (value - Math.min(...mean)) / value;
      const density = Math.max(...mean.map(channel => -Math.log10(channel / 255)));
      if (saturation >= rule.saturation && density >= rule.opticalDensity && value >= 25) pixels++;
    }
  return pixels;
}

const area = fc.record({
  width: fc.integer({ min: 1, max: 40 }),
  height: fc.integer({ min: 1, max: 40 }),
  /** Blocks beyond the slide in each row, as at the right edge of a slide. */
  beyond: fc.nat({ max: 3 }),
});
/** From black over stains to glass. */
const colour = fc.oneof(
  fc.tuple(fc.nat({ max: 255 }), fc.nat({ max: 255 }), fc.nat({ max: 255 })),
  fc
    .nat({ max: 255 })
    .chain(grey => fc.tuple(...[0, 1, 2].map(() => fc.integer({ min: Math.max(0, grey - 14), max: grey })))),
);

describe('countTissue', () => {
  it('counts what a plain loop over pixels counts, on areas of any size', () => {
    // Not on the rule's very edge, where a division and a product may fall on either side.
    const rule = fc.constantFrom<TissueRule>(
      { ...DEFAULT_TISSUE_RULE, saturation: 0.050_001, opticalDensity: 0.050_001 },
      { ...DEFAULT_TISSUE_RULE, saturation: 0.120_001, opticalDensity: 0.2 },
      { ...DEFAULT_TISSUE_RULE, saturation: 0, opticalDensity: 0 },
    );
    fc.assert(
      fc.property(
        area,
        fc.array(colour, { minLength: 64, maxLength: 64 }),
        rule,
        ({ width, height, beyond }, colours, chosen) => {
          const cols = Math.ceil(width / 8) + beyond;
          const rows = Math.ceil(height / 8);
          const means = Array.from({ length: cols * rows }, (_, i) => colours[i % 64]!);
          const sums = Uint16Array.from({ length: cols * rows * 3 }, (_, i) => {
            const block = Math.floor(i / 3);
            const across = Math.max(0, Math.min(8, width - (block % cols) * 8));
            const down = Math.min(8, height - Math.floor(block / cols) * 8);
            return means[block]![i % 3]! * across * down;
          });
          expect(countTissue(sums, cols, width, height, chosen)).toBe(naive(means, cols, width, height, chosen));
        },
      ),
      { numRuns: 400 },
    );
  });

  it.each([
    ['darkest black that counts', [25, 20, 20], 64],
    ['a shade below it', [24, 19, 19], 0],
    ['saturation of one twentieth', [200, 190, 195], 64],
    ['a shade less', [200, 191, 195], 0],
    ['optical density of 0.05 (227.3)', [240, 227, 235], 64],
    ['a shade lighter', [241, 228, 235], 0],
  ])('draws its lines at %s', (_, mean, pixels) => {
    expect(
      countTissue(
        Uint16Array.from(mean, value => value * 64),
        1,
        8,
        8,
        DEFAULT_TISSUE_RULE,
      ),
    ).toBe(pixels);
  });
});
