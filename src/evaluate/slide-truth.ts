import type { PatchPlan } from '../read/patch.js';
import type { SlideInfo } from '../slide/slide.js';
import { countPatch, intersectionUnion } from './counts.js';
import type { SlideTruth } from './evaluation.js';
import type { LabelFacts } from './label-facts.js';
import type { LabelReading } from './label-source.js';
import type { LabelMap } from './labels.js';
import { labelsAt } from './labels-at.js';
import { openLabels } from './open-item.js';
import { readPatchLabels, withoutPixels } from './patch-labels.js';

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
  reading: LabelReading = {},
): Promise<SlideTruth & { readonly facts: LabelFacts }> {
  const source = await openLabels({ labels: await labelsAt(labels) }, slide, map, reading);
  return {
    facts: source.facts,
    score: async (ref, mask, _probabilities, missing) => {
      const patch = withoutPixels(await readPatchLabels(source, plan, ref, map), missing);
      if (patch.labelledPixels === 0) return undefined;
      return intersectionUnion(countPatch(mask?.bits ?? new Uint8Array(patch.positive.length), patch));
    },
    close: () => source.close(),
  };
}
