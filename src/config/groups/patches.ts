import type { OptionSpec } from '../option-spec.js';

/** How a slide is cut into patches. */
export const PATCHES = {
  mpp: {
    type: 'number',
    unit: 'µm/px',
    min: 0.01,
    max: 100,
    group: 'patches',
    help: 'spacing of the finest level, for slides that do not state it (overrides what they state)',
  },
  spacing: {
    type: 'number',
    unit: 'µm/px',
    min: 0.05,
    max: 100,
    group: 'patches',
    help: 'spacing of the patches (default: what the model was trained at)',
  },
  'patch-size': {
    type: 'integer',
    unit: 'px',
    min: 64,
    max: 4096,
    multipleOf: 32,
    group: 'patches',
    help: 'side of a patch (default: what the model was trained at)',
  },
  margin: {
    type: 'integer',
    unit: 'px',
    min: 0,
    max: 1024,
    multipleOf: 16,
    group: 'patches',
    help: 'context read around a patch and cropped from its mask: takes seams away, costs speed (default: 32; 0 for patches below 256, ready .onnx, and labelled sets)',
  },
  overlap: {
    type: 'number',
    unit: 'part or px',
    min: 0.01,
    max: 2048,
    group: 'patches',
    help: 'patches overlap by this part of their side, up to 0.5, or by so many pixels, a multiple of 32, and what they say of a pixel is blended; instead of --margin (default: no overlap)',
  },
  padding: {
    type: 'choice',
    unit: 'what',
    choices: ['zero', 'mirror'],
    default: 'zero',
    group: 'patches',
    help: "what the model sees past the slide's edge: nothing (black), or the mirror image of what lies inside",
  },
} as const satisfies Record<string, OptionSpec>;
