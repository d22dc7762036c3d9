import { isMarked } from '../read/marks.js';
import type { PatchPlan } from '../read/patch.js';
import { BLOCK } from '../read/reduce.js';

/**
 * Stroma is a share of tissue, so nothing outside the tissue filter's blocks is stroma: neither a count nor a picture shows a model's
 * opinion of glass. What it predicted there is counted apart.
 */

/** Clears, in place, the blocks of a 1-bit mask that are no tissue. A block is a byte wide, because it is eight pixels. */
export function clearGlass(bits: Uint8Array, side: number, tissue: Uint8Array): void {
  const blocks = side / BLOCK;
  forGlass(blocks, tissue, (col, row) => {
    for (let y = 0, at = row * BLOCK * blocks + col; y < BLOCK; y++, at += blocks) bits[at] = 0;
  });
}

/** The same for the probabilities of a whole patch (patchSize² bytes), so that a threshold of them gives the mask. */
export function clearGlassProbabilities(
  probabilities: Uint8Array,
  { patchSize, margin, core }: Pick<PatchPlan, 'patchSize' | 'margin' | 'core'>,
  tissue: Uint8Array,
): void {
  forGlass(core / BLOCK, tissue, (col, row) => {
    const left = margin + col * BLOCK;
    for (let y = margin + row * BLOCK, end = y + BLOCK; y < end; y++) {
      const at = y * patchSize + left;
      probabilities.fill(0, at, at + BLOCK);
    }
  });
}

function forGlass(blocks: number, tissue: Uint8Array, clear: (col: number, row: number) => void): void {
  for (let row = 0, block = 0; row < blocks; row++)
    for (let col = 0; col < blocks; col++, block++) if (!isMarked(tissue, block)) clear(col, row);
}
