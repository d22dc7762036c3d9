import type { OptionSpec } from '../option-spec.js';

/** Labelled sets. */
export const LABELS = {
  positive: {
    type: 'string',
    unit: 'values',
    group: 'labels',
    help: "label values or classes of annotations that are the model's class, such as 2,6, 1-3 or Stroma",
  },
  ignore: { type: 'string', unit: 'values', group: 'labels', help: 'label values that are left out of every score' },
  negative: {
    type: 'string',
    unit: 'values',
    group: 'labels',
    help: 'label values of every other class; given, a value in none of the lists is a fault',
  },
  colours: {
    type: 'string',
    unit: 'table',
    group: 'labels',
    help: 'values of the colours of RGB masks, such as #ff0000=2,#00ff00=1',
  },
  labels: {
    type: 'path',
    unit: 'path',
    group: 'labels',
    help: "truth of the slide (mask or annotations), or a folder with one of each slide's name",
  },
  'labels-frame': {
    type: 'choice',
    unit: 'frame',
    choices: ['bounds', 'full'],
    group: 'labels',
    help: 'origin of labels where a slide states its scanned part: bounds, its corner as in QuPath, or full (default: bounds for GeoJSON, full for others)',
  },
  'labels-objects': {
    type: 'choice',
    unit: 'objects',
    choices: ['annotations', 'detections', 'all'],
    default: 'annotations',
    group: 'labels',
    help: "which of QuPath's objects are areas of a class; detections are cells and tiles too",
  },
  patient: {
    type: 'string',
    unit: 'pattern',
    group: 'labels',
    help: "regular expression whose first group is the patient in an image's name",
  },
  split: {
    type: 'string',
    unit: 'split',
    group: 'labels',
    help: 'patch or patient (80/10/10 by --seed), or a split file that was written before',
  },
  fractions: {
    type: 'string',
    unit: 'shares',
    group: 'labels',
    help: 'what train, validation and test get of a set that is split, such as 0.5,0,0.5 (default: 0.8,0.1,0.1)',
  },
  part: {
    type: 'choice',
    unit: 'part',
    choices: ['all', 'test'],
    default: 'all',
    group: 'labels',
    help: 'images of a split by patient that are run: all, or those of test alone, which is faster and chooses no threshold',
  },
  compare: {
    type: 'string',
    unit: 'bundles',
    group: 'labels',
    help: 'further models on the same patches, separated by commas, each compared with each; members of an ensemble with + between, #flips, #d4 or #plain behind',
  },
  strict: { type: 'boolean', default: false, group: 'labels', help: 'stop at the first fault of a labelled set' },
} as const satisfies Record<string, OptionSpec>;
