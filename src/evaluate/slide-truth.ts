import { StromaflowError } from '../errors.js';
import type { PatchPlan } from '../slide/patch.js';
import type { SlideInfo } from '../slide/slide.js';
import { countPatch, intersectionUnion } from './counts.js';
import type { SlideTruth } from './evaluation.js';
import type { LabelMap } from './labels.js';
import { labelLocation } from './layout-folder.js';
import { openLabels } from './open-item.js';
import { readPatchLabels } from './patch-labels.js';

/**
 * The truth of one slide outside a replay: a live or whole-slide run over a slide with labels reports its running IoU.
 * @param labels mask (TIFF, PNG, …) or annotations (ASAP XML, GeoJSON, Darwin JSON), told by its name
 * @throws LABELS_INVALID
 */
export async function openSlideTruth(
  labels: string,
  slide: SlideInfo,
  plan: PatchPlan,
  map: LabelMap,
): Promise<SlideTruth> {
  const location = labelLocation(labels);
  if (!location) throw new StromaflowError('LABELS_INVALID', `${labels}: neither a mask nor annotations by its name`);
  const source = await openLabels({ labels: location }, slide, map);
  return {
    score: async (ref, mask) => {
      const patch = await readPatchLabels(source, plan, ref, map);
      if (patch.labelledPixels === 0) return undefined;
      return intersectionUnion(countPatch(mask?.bits ?? new Uint8Array(patch.positive.length), patch));
    },
    close: () => source.close(),
  };
}
