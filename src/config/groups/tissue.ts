import type { OptionSpec } from '../option-spec.js';

/** Which patches are looked at. */
export const TISSUE = {
  'keep-empty': {
    type: 'boolean',
    default: false,
    group: 'tissue',
    help: 'segment every patch, also those without tissue',
  },
  'tissue-saturation': {
    type: 'number',
    unit: 'ratio',
    min: 0,
    max: 1,
    group: 'tissue',
    help: 'HSV saturation from which a pixel counts as tissue (see docs/tissue-filter.md)',
  },
  'tissue-od': {
    type: 'number',
    unit: 'OD',
    min: 0,
    max: 3,
    group: 'tissue',
    help: 'optical density from which a pixel counts as tissue (see docs/tissue-filter.md)',
  },
  'tissue-fraction': {
    type: 'number',
    unit: 'ratio',
    min: 0,
    max: 1,
    group: 'tissue',
    help: 'share of tissue pixels from which a patch is kept (see docs/tissue-filter.md)',
  },
} as const satisfies Record<string, OptionSpec>;
