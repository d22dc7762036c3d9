import type { OptionSpec } from '../option-spec.js';

/** A folder that is watched. */
export const WATCHING = {
  settle: {
    type: 'number',
    unit: 's',
    default: 2,
    min: 0,
    group: 'watching',
    help: 'time that a file must be seen to stand still to count as written; one that cannot be read then is reported as failed',
  },
  poll: {
    type: 'number',
    unit: 's',
    default: 1,
    min: 0.05,
    group: 'watching',
    help: 'time between two looks at the whole folder; file system events only make it faster',
  },
  'incomplete-after': {
    type: 'number',
    unit: 's',
    default: 600,
    min: 0.1,
    max: 604_800,
    group: 'watching',
    help: 'time without growth after which a slide that lacks tiles becomes incomplete; it goes on when it grows again',
  },
  'watch-mode': {
    type: 'choice',
    unit: 'mode',
    choices: ['auto', 'events', 'poll'],
    default: 'auto',
    group: 'watching',
    help: 'events, or poll alone; auto polls on network file systems, which give no events',
  },
  'ignore-names': {
    type: 'string',
    unit: 'patterns',
    group: 'watching',
    help: 'files and folders to leave out, such as qc_*,calibration; * is anything in a name, ** anything at all',
  },
  urgent: {
    type: 'string',
    unit: 'patterns',
    group: 'watching',
    help: 'slides that get four times the share of the others, such as frozen/**',
  },
} as const satisfies Record<string, OptionSpec>;
