import type { Config } from '../src/config/options.js';
import type { Model } from '../src/model/model.js';
import type { Padding, PatchPlan } from '../src/read/patch.js';
import { checkPatch, type PatchShape, planPatches } from '../src/read/plan.js';
import type { SlideInfo } from '../src/slide/slide.js';

/** Pixels of margin that take most of a seam away, and patches for which they are not too dear (docs/decisions/0026-margin.md). */
const USUAL_MARGIN = 32;
const LEAST_WITH_MARGIN = 256;

/** Margin where nobody states one, in pixels. Nothing is known of how a ready graph treats the border of a patch. */
const usualMargin = ({ members }: Model, patchSize: number): number =>
  members.some(({ network }) => network.kind === 'onnx') || patchSize < LEAST_WITH_MARGIN ? 0 : USUAL_MARGIN;

/** Overlaps are whole steps of 32 px, so that what is published of a patch is. */
const OVERLAP_STEP = 32;

/** Pixels of `--overlap`, the nearest step; undefined where there is none. */
export function overlapOf({ overlap }: Pick<Config, 'overlap'>, patchSize: number): number | undefined {
  if (overlap === undefined) return undefined;
  const pixels = overlap < 1 ? overlap * patchSize : overlap;
  return Math.max(OVERLAP_STEP, Math.round(pixels / OVERLAP_STEP) * OVERLAP_STEP);
}

function shapeOf(config: Config, model: Model): PatchShape {
  const patchSize = config['patch-size'] ?? model.patchSize;
  const overlap = overlapOf(config, patchSize);
  if (overlap !== undefined) return { patchSize, margin: overlap / 2, blended: true };
  return { patchSize, margin: config.margin ?? usualMargin(model, patchSize) };
}

/** Patches that no slide can be cut into are refused before the first one comes. Throws CONFIG_INVALID. */
export function checkShape(config: Config, model: Model): void {
  checkPatch(shapeOf(config, model));
}

/** The grid of a slide under a model. Throws SLIDE_SPACING, CONFIG_INVALID. */
export function planOf(info: SlideInfo, config: Config, model: Model): PatchPlan {
  return planPatches(info, {
    ...shapeOf(config, model),
    spacing: config.spacing ?? model.spacing,
    padding: config.padding as Padding,
    openArea: config['open-area'],
    closeArea: config['close-area'],
  });
}
