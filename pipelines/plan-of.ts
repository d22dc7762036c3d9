import type { Config } from '../src/config/options.js';
import type { ModelBundle } from '../src/model/bundle.js';
import type { Padding, PatchPlan } from '../src/read/patch.js';
import { planPatches, usualMargin } from '../src/read/plan.js';
import type { SlideInfo } from '../src/slide/slide.js';

/** The grid of a slide under a model. Throws SLIDE_SPACING, CONFIG_INVALID. */
export function planOf(info: SlideInfo, config: Config, bundle: ModelBundle): PatchPlan {
  const patchSize = config['patch-size'] ?? bundle.patchSize;
  return planPatches(info, {
    spacing: config.spacing ?? bundle.spacing,
    patchSize,
    margin: config.margin ?? usualMargin(patchSize),
    padding: config.padding as Padding,
  });
}
