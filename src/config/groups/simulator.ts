import { SCAN_ORDERS, SCAN_WAYS } from '../../simulate/ways.js';
import type { OptionSpec } from '../option-spec.js';

/** The simulated scanner. */
export const SIMULATOR = {
  as: {
    type: 'choice',
    unit: 'way',
    default: 'rename',
    choices: SCAN_WAYS,
    group: 'simulator',
    help: `how the slide comes to disk: ${SCAN_WAYS.join(', ')}`,
  },
  order: {
    type: 'choice',
    unit: 'order',
    default: 'rows',
    choices: SCAN_ORDERS,
    group: 'simulator',
    help: `how the scanner moves: ${SCAN_ORDERS.join(', ')}`,
  },
  rate: {
    type: 'number',
    unit: 'tiles/s',
    default: 88,
    min: 0,
    group: 'simulator',
    help: 'pace of the scanner; 0 is as fast as the disk takes them, 88 of 256 px a fast scanner',
  },
  stall: {
    type: 'number',
    unit: 's',
    default: 0,
    min: 0,
    max: 86_400,
    group: 'simulator',
    help: 'silence when half of the tiles are written',
  },
  drop: {
    type: 'integer',
    unit: 'tiles',
    default: 0,
    min: 0,
    group: 'simulator',
    help: 'tiles of the finest level that are never written',
  },
  corrupt: {
    type: 'integer',
    unit: 'tiles',
    default: 0,
    min: 0,
    group: 'simulator',
    help: 'tiles of the finest level that are written damaged',
  },
  duplicate: {
    type: 'integer',
    unit: 'tiles',
    default: 0,
    min: 0,
    group: 'simulator',
    help: 'tiles of the finest level that are written twice',
  },
  preallocate: {
    type: 'boolean',
    default: false,
    group: 'simulator',
    help: 'reserve the final size first, as file servers do',
  },
  'late-manifest': {
    type: 'boolean',
    default: false,
    group: 'simulator',
    help: 'write the manifest of a tile folder last instead of first',
  },
  'part-tiles': {
    type: 'integer',
    unit: 'frames',
    default: 64,
    min: 0,
    group: 'simulator',
    help: 'DICOM levels are concatenations of parts of so many frames; 0 makes each level one instance',
  },
  sparse: {
    type: 'boolean',
    default: false,
    group: 'simulator',
    help: 'DICOM frames state their places (TILED_SPARSE), even where their order would do',
  },
} as const satisfies Record<string, OptionSpec>;
