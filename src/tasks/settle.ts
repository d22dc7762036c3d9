import { decodeMaskPng } from '../mask/png.js';
import type { CreditedPatch, SettledPatch } from '../stage/item.js';
import type { PatchResult } from './task.js';

/**
 * A patch that was handed out with what a worker made of it.
 *
 * @throws MASK_INVALID when the mask is no PNG of one bit a pixel.
 */
export function settle(patch: CreditedPatch, { record, png, failure }: PatchResult): SettledPatch {
  if (!png) return { ...patch, record, ...(failure ? { failure } : {}) };
  const { bits, width } = decodeMaskPng(png);
  return { ...patch, record, mask: { side: width, bits, stromaPixels: record.stromaPixels } };
}
