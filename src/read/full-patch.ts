import type { PatchPlan, PatchRef } from './patch.js';
import { BLOCK } from './reduce.js';
import { countTissue, DEFAULT_TISSUE_RULE, type TissueRule } from './tissue.js';

/** Patches that statistics are taken from: wholly inside the slide, and tissue throughout. Padding and glass would shape them. */

/** Part of a full patch that is tissue by the tissue rule; what is left is the rule's doubt, not glass. */
const FULL = 0.9;

/** True of a patch that is read without padding, its margin included. */
export function isWhole({ core, margin, patchSize, width, height }: PatchPlan, { col, row }: PatchRef): boolean {
  const [left, top] = [col * core - margin, row * core - margin];
  return left >= 0 && top >= 0 && left + patchSize <= width && top + patchSize <= height;
}

/** True of pixels (side × side × 3 bytes RGB) that are tissue throughout: of the whole patch, where a reader counts in its core only. */
export function isFull(patch: Uint8Array, side: number, rule: TissueRule = DEFAULT_TISSUE_RULE): boolean {
  const blocks = side / BLOCK;
  const sums = new Uint16Array(blocks * blocks * 3);
  for (let y = 0, at = 0; y < side; y++)
    for (let x = 0; x < side; x++) {
      const block = (Math.floor(y / BLOCK) * blocks + Math.floor(x / BLOCK)) * 3;
      for (let c = 0; c < 3; c++) sums[block + c]! += patch[at++]!;
    }
  return countTissue(sums, blocks, side, side, rule) / side ** 2 >= FULL;
}
