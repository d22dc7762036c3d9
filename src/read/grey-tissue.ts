import { markBlock } from './marks.js';
import { BLOCK } from './reduce.js';

/** What of the tissue rule counts without colour. */
interface GreyRule {
  readonly opticalDensity: number;
  readonly minFraction: number;
  /** Of 255: what is darker was never scanned. */
  readonly black: number;
}

/** Least contrast of a grey block to one of its neighbours, as a part of the lighter one, for each unit of optical density wanted: 3 % for 0.05. */
const CONTRAST = 0.6;
const LEAST_CONTRAST = 0.005;
/** Blocks around one with texture that belong to the same tissue, if they are dark: smooth parts of it. */
const REACH = 2;

/** Means of red, green and blue that differ by less than this (of 255) in every block of a patch are no colour. */
const COLOUR = 1;

/** True when a patch has no colour at all: a grey slide's, or one of nothing but white or black. Parameters as of countTissue. */
export function isGrey(sums: Uint16Array, cols: number, width: number, height: number, areas?: Uint8Array): boolean {
  for (let y = 0, row = 0; y < height; y += BLOCK, row++) {
    const blockHeight = Math.min(BLOCK, height - y);
    for (let x = 0, at = row * cols * 3; x < width; x += BLOCK, at += 3) {
      const r = sums[at] as number;
      const g = sums[at + 1] as number;
      const b = sums[at + 2] as number;
      const area = areas ? (areas[at / 3] as number) : blockHeight * Math.min(BLOCK, width - x);
      if (area > 0 && Math.max(r, g, b) - Math.min(r, g, b) >= COLOUR * area) return false;
    }
  }
  return true;
}

/**
 * Pixels of tissue where there is no colour to tell it by. A block has texture when it is as dark as the rule wants and differs from one of
 * the eight around it: tissue does at this scale, glass, shadows and areas filled with one grey do not. What borders on black has none, because the
 * border of an unscanned area is no texture. Where enough of the patch has texture to keep it, dark blocks close by count as well,
 * else only those with texture. Nothing but the patch is looked at, so that the same pixels give the same result whenever they are
 * read. docs/tissue-filter.md says where the numbers come from.
 */
export function countGreyTissue(
  sums: Uint16Array,
  cols: number,
  width: number,
  height: number,
  { opticalDensity, minFraction, black }: GreyRule,
  present?: Uint8Array,
  marks?: Uint8Array,
): number {
  const darkest = 255 * 10 ** -opticalDensity;
  const contrast = Math.max(LEAST_CONTRAST, CONTRAST * opticalDensity);
  const across = Math.ceil(width / BLOCK);
  const down = Math.ceil(height / BLOCK);
  const areas = new Uint8Array(across * down);
  const means = new Float32Array(across * down);
  for (let row = 0, at = 0; row < down; row++)
    for (let col = 0; col < across; col++, at++) {
      const block = row * cols + col;
      areas[at] = present
        ? (present[block] as number)
        : Math.min(BLOCK, width - col * BLOCK) * Math.min(BLOCK, height - row * BLOCK);
      // A block none of whose pixels are there is as black: what borders on it has no texture by that.
      means[at] = areas[at] === 0 ? 0 : (sums[block * 3] as number) / (areas[at] as number);
    }
  const isDark = (mean: number) => mean <= darkest && mean >= black;
  const hasTexture = (col: number, row: number, own: number): boolean => {
    let most = 0;
    for (const at of around(col, row, 1, across, down)) {
      const other = means[at] as number;
      if (other < black) return false;
      most = Math.max(most, Math.abs(other - own) / Math.max(other, own));
    }
    return most >= contrast;
  };
  /** Bit 0: texture; bit 1: dark, and close to it. */
  const found = new Uint8Array(across * down);
  for (let row = 0, at = 0; row < down; row++)
    for (let col = 0; col < across; col++, at++) {
      const own = means[at] as number;
      if (!isDark(own) || !hasTexture(col, row, own)) continue;
      found[at] = (found[at] as number) | 1;
      for (const near of around(col, row, REACH, across, down))
        if (isDark(means[near] as number)) found[near] = (found[near] as number) | 2;
    }
  const pixelsOf = (bits: number) =>
    found.reduce((sum, each, at) => sum + (each & bits ? (areas[at] as number) : 0), 0);
  const textured = pixelsOf(1);
  const kept = textured > 0 && textured >= minFraction * areas.reduce((sum, area) => sum + area, 0) ? 2 : 1;
  if (marks)
    for (let row = 0, at = 0; row < down; row++)
      for (let col = 0; col < across; col++, at++) if ((found[at] as number) & kept) markBlock(marks, row * cols + col);
  return kept === 2 ? pixelsOf(2) : textured;
}

/** Places of the blocks up to `reach` away, in rows of `across`. */
function* around(col: number, row: number, reach: number, across: number, down: number): Generator<number> {
  for (let y = Math.max(0, row - reach); y <= Math.min(down - 1, row + reach); y++)
    for (let x = Math.max(0, col - reach); x <= Math.min(across - 1, col + reach); x++) yield y * across + x;
}
