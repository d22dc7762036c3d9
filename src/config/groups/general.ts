import type { OptionSpec } from '../option-spec.js';

/** Of every command. */
export const GENERAL = {
  seed: {
    type: 'integer',
    unit: 'number',
    default: 1,
    min: 0,
    max: 4_294_967_295,
    group: 'general',
    help: 'of all that is drawn at random (splits, intervals, faults of the simulator): the same number, the same draw',
  },
  config: {
    type: 'path',
    unit: 'file',
    group: 'general',
    help: 'YAML or JSON file with any of these options',
  },
  events: {
    type: 'boolean',
    default: false,
    group: 'general',
    help: 'print every event as a subscriber gets it',
  },
  json: {
    type: 'boolean',
    default: false,
    group: 'general',
    help: 'print JSON lines only: for each slide what summary.json has, and after several one over all of them',
  },
  verbose: {
    type: 'boolean',
    default: false,
    group: 'general',
    help: 'also print what lies beneath an error',
  },
} as const satisfies Record<string, OptionSpec>;
