import { planPatches } from '../read/plan.js';
import type { LabelledSet } from './labelled-set.js';
import { type OpenItemOptions, openItem } from './open-item.js';
import { makeSplit, type Split, type SplitCandidate, type SplitOptions } from './split.js';

export interface SplitSetOptions extends Omit<OpenItemOptions, 'spacing'>, SplitOptions {
  /** Context cropped from a patch on every side, in pixels. */
  readonly margin?: number;
}

/**
 * Splits a labelled set on the patch grid that a replay with the same spacing, patch size and margin walks. Empty patches
 * have a place in the split too: which are empty is known only when they are read.
 * @throws what opening the set's items throws
 */
export async function splitSet(set: LabelledSet, options: SplitSetOptions): Promise<Split> {
  const { spacing, patchSize, margin = 0 } = options;
  const candidates: SplitCandidate[] = [];
  for await (const item of set) {
    const { info } = await openItem(item, options);
    const { cols, rows } = planPatches(info, { spacing, patchSize, margin });
    candidates.push({ id: item.id, patient: item.patient, cols, rows });
  }
  return makeSplit(candidates, options);
}
