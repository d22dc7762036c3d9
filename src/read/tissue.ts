import { countGreyTissue, isGrey } from './grey-tissue.js';
import { markBlock } from './marks.js';
import { BLOCK } from './reduce.js';

/** The tissue rule: which patches hold nothing but glass. docs/tissue-filter.md has its sources and its figures. */
export interface TissueRule {
  /** Least HSV saturation of a tissue pixel, 0 to 1. */
  readonly saturation: number;
  /** Least optical density of a tissue pixel in its darkest channel: −log10(intensity / 255). */
  readonly opticalDensity: number;
  /** Part of a patch's pixels inside the slide that must be tissue for the patch to be kept, 0 to 1. */
  readonly minFraction: number;
}

export const DEFAULT_TISSUE_RULE: TissueRule = { saturation: 0.05, opticalDensity: 0.05, minFraction: 0.003 };

/** What is darker than this in its brightest channel (of 255) was never stained: unscanned areas, black ink, padding. */
const BLACK = 25;

/**
 * Pixels of tissue among block means: a block counts with all its pixels inside the slide, or not at all. A patch without any colour is
 * judged by the rule for grey (grey-tissue.ts).
 *
 * @param sums RGB sums of each block's pixels inside the slide, rows of `cols` blocks.
 * @param width pixels inside the slide that the blocks cover; the last column and row may be cut.
 * @param areas pixels that each block has, where some have fewer: those are judged, and count, by these alone.
 * @param marks gets a bit for each block, set where it is tissue (marks.ts).
 */
export function countTissue(
  sums: Uint16Array,
  cols: number,
  width: number,
  height: number,
  rule: TissueRule,
  areas?: Uint8Array,
  marks?: Uint8Array,
): number {
  marks?.fill(0);
  // Where no saturation is wanted, darkness decides alone, with colour or without.
  if (rule.saturation > 0 && isGrey(sums, cols, width, height, areas))
    return countGreyTissue(sums, cols, width, height, { ...rule, black: BLACK }, areas, marks);
  const darkest = 255 * 10 ** -rule.opticalDensity;
  const { saturation } = rule;
  let pixels = 0;
  for (let y = 0, row = 0; y < height; y += BLOCK, row++) {
    const blockHeight = Math.min(BLOCK, height - y);
    for (let x = 0, at = row * cols * 3; x < width; x += BLOCK, at += 3) {
      const area = areas ? (areas[at / 3] as number) : blockHeight * Math.min(BLOCK, width - x);
      const r = sums[at] as number;
      const g = sums[at + 1] as number;
      const b = sums[at + 2] as number;
      const most = Math.max(r, g, b);
      const least = Math.min(r, g, b);
      if (least > darkest * area || most - least < saturation * most || most < BLACK * area) continue;
      pixels += area;
      if (marks) markBlock(marks, at / 3);
    }
  }
  return pixels;
}
