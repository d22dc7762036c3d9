import { StromaflowError } from '../errors.js';
import { planPatches } from '../read/plan.js';
import type { LabelledSet } from './labelled-set.js';
import { type OpenItemOptions, openItem } from './open-item.js';
import { makeSplit, type Split, type SplitCandidate, type SplitOptions, splitOf } from './split.js';

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

/**
 * The set without images that train or choose a model, which are not even opened.
 * @throws USAGE for a split by patch, whose images have patches of all parts
 */
export function testImages(set: LabelledSet, split: Split): LabelledSet {
  if (split.by === 'patch')
    throw new StromaflowError('USAGE', 'a split by patch has patches of test in every image', {
      fix: 'leave --part off, or split the set by patient',
    });
  const walk = async function* () {
    for await (const item of set) if (splitOf(split, item.id, 0, 0) === 'test') yield item;
  };
  return { ...set, [Symbol.asyncIterator]: walk };
}
