import type { Config } from '../src/config/options.js';
import type { ModelBundle } from '../src/model/bundle.js';
import type { PatchPlan } from '../src/read/patch.js';
import { planPatches } from '../src/read/plan.js';
import type { SlideInfo } from '../src/slide/slide.js';

/** The grid of a slide under a model. Throws SLIDE_SPACING, CONFIG_INVALID. */
export const planOf = (info: SlideInfo, config: Config, { spacing, patchSize }: ModelBundle): PatchPlan =>
  planPatches(info, {
    spacing: config.spacing ?? spacing,
    patchSize: config['patch-size'] ?? patchSize,
    margin: config.margin,
  });
