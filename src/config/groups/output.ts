import type { OptionSpec } from '../option-spec.js';

/** What is written, and where. */
export const OUTPUT = {
  out: {
    type: 'path',
    unit: 'folder',
    default: 'out',
    group: 'output',
    help: 'where results go: <out>/<slide>/',
  },
  fresh: {
    type: 'boolean',
    default: false,
    group: 'output',
    help: 'forget what the ledger says is done and start over',
  },
  zarr: {
    type: 'choice',
    choices: ['v2', 'v3'],
    default: 'v2',
    group: 'output',
    help: 'format of masks: v2 (OME-Zarr 0.4) or v3 (OME-Zarr 0.5); a slide that is gone on with keeps its own',
  },
  'mask-tiff': {
    type: 'boolean',
    default: false,
    group: 'output',
    help: 'write mask.tif too, a pyramidal TIFF with 2 where there is stroma: for ASAP, QuPath and TIGER',
  },
  probabilities: {
    type: 'boolean',
    default: false,
    group: 'output',
    help: 'keep what the model said before it was cut to a mask, as probability.ome.zarr: for the threshold in the viewer',
  },
  'dicom-seg': {
    type: 'choice',
    choices: ['auto', 'off'],
    default: 'auto',
    group: 'output',
    help: 'auto writes mask.dicom, DICOM segmentations, for slides that are DICOM',
  },
  'min-area': {
    type: 'number',
    unit: 'µm²',
    default: 25,
    min: 0,
    group: 'output',
    help: 'polygons smaller than this, below the size of a nucleus, are left out of mask.geojson and counted; masks and areas have them; 0 keeps all',
  },
  'min-hole': {
    type: 'number',
    unit: 'µm²',
    default: 25,
    min: 0,
    group: 'output',
    help: 'holes smaller than this are filled in mask.geojson and counted; 0 keeps all',
  },
  outlines: {
    type: 'choice',
    choices: ['auto', 'edges', 'smooth'],
    default: 'auto',
    group: 'output',
    help: 'outlines in mask.geojson: edges follow the pixels, smooth ones have a tenth of the corners and stay within half a pixel; auto takes smooth for masks of more than 2^28 pixels',
  },
} as const satisfies Record<string, OptionSpec>;
