import type { Config } from '../src/config/options.js';
import type { ModelBundle } from '../src/model/bundle.js';
import type { Padding, PatchPlan } from '../src/read/patch.js';
import { checkPatch, planPatches } from '../src/read/plan.js';
import type { SlideInfo } from '../src/slide/slide.js';

/** Pixels of margin that take most of a seam away, and patches for which they are not too dear (docs/decisions/0026-margin.md). */
const USUAL_MARGIN = 32;
const LEAST_WITH_MARGIN = 256;

/** Margin where nobody states one, in pixels. Nothing is known of how a ready graph treats the border of a patch. */
const usualMargin = ({ network }: ModelBundle, patchSize: number): number =>
  network.kind === 'onnx' || patchSize < LEAST_WITH_MARGIN ? 0 : USUAL_MARGIN;

interface Shape {
  readonly patchSize: number;
  readonly margin: number;
}

function shapeOf(config: Config, bundle: ModelBundle): Shape {
  const patchSize = config['patch-size'] ?? bundle.patchSize;
  return { patchSize, margin: config.margin ?? usualMargin(bundle, patchSize) };
}

/** Patches that no slide can be cut into are refused before the first one comes. Throws CONFIG_INVALID. */
export function checkShape(config: Config, bundle: ModelBundle): void {
  const { patchSize, margin } = shapeOf(config, bundle);
  checkPatch(patchSize, margin);
}

/** The grid of a slide under a model. Throws SLIDE_SPACING, CONFIG_INVALID. */
export function planOf(info: SlideInfo, config: Config, bundle: ModelBundle): PatchPlan {
  return planPatches(info, {
    ...shapeOf(config, bundle),
    spacing: config.spacing ?? bundle.spacing,
    padding: config.padding as Padding,
  });
}
