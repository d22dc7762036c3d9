import { fileURLToPath } from 'node:url';
import { Evaluation, type EvaluationOptions } from '#src/evaluate/evaluation.js';
import type { LabelledImage } from '#src/evaluate/labelled-item.js';
import { type LabelledSet, openLabelledSet } from '#src/evaluate/labelled-set.js';
import { openItem, openLabels } from '#src/evaluate/open-item.js';
import { type PatchLabels, readPatchLabels } from '#src/evaluate/patch-labels.js';
import type { PatchPlan } from '#src/read/patch.js';
import { patchRefs, planPatches } from '#src/read/plan.js';
import { openSlide } from '#src/slide/open.js';

/** The graph without its model: TIGER's fixture walked through an evaluation, masks made from the truth by formula. */
export const TIGER = fileURLToPath(new URL('../fixtures/tiger', import.meta.url));
export const OPEN = { spacing: 0.5, openSlide };
const PATCH = { patchSize: 64 };

export const openTiger = (): Promise<LabelledSet> => openLabelledSet(TIGER);

/** A mask of a patch, or undefined when the tissue filter drops it. */
export type Predict = (labels: PatchLabels, item: LabelledImage, col: number, row: number) => Uint8Array | undefined;

/** The truth moved `shift` pixels to the right. */
export function moved(shift: number): Predict {
  return ({ positive, side }) => {
    const bits = new Uint8Array(positive.length);
    const stride = side >> 3;
    for (let y = 0; y < side; y++) {
      for (let x = shift; x < side; x++) {
        const from = x - shift;
        if (positive[y * stride + (from >> 3)]! & (128 >> (from & 7))) bits[y * stride + (x >> 3)]! |= 128 >> (x & 7);
      }
    }
    return bits;
  };
}

/** q = 200 where the mask is set, 40 elsewhere. */
export function probabilitiesOf(bits: Uint8Array, side: number): Uint8Array {
  return Uint8Array.from({ length: side * side }, (_, i) => (bits[i >> 3]! & (128 >> (i & 7)) ? 200 : 40));
}

export async function walkSet(
  set: LabelledSet,
  options: Omit<EvaluationOptions, 'map'>,
  predict: Predict,
  visit: (item: LabelledImage, plan: PatchPlan, labels: PatchLabels, mask: Uint8Array | undefined) => void = () => {},
): Promise<Evaluation> {
  const evaluation = new Evaluation({ map: set.map, ...options });
  for await (const item of set) {
    const slide = await openItem(item, OPEN);
    const plan = planPatches(slide.info, PATCH);
    const source = await openLabels(item, slide.info, set.map);
    const truth = evaluation.truth(item, plan, source);
    for (const ref of patchRefs(plan)) {
      const labels = await readPatchLabels(source, plan, ref, set.map);
      const bits = predict(labels, item, ref.col, ref.row);
      const mask = bits && { side: plan.core, bits, stromaPixels: 0 };
      await truth.score(ref, mask, bits && options.probabilities ? probabilitiesOf(bits, plan.core) : undefined);
      visit(item, plan, labels, bits);
    }
    await truth.close();
  }
  return evaluation;
}
