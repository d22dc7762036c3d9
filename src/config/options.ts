import { EVENTS } from './groups/events.js';
import { FLOW } from './groups/flow.js';
import { GENERAL } from './groups/general.js';
import { LABELS } from './groups/labels.js';
import { MODEL } from './groups/model.js';
import { OUTPUT } from './groups/output.js';
import { PATCHES } from './groups/patches.js';
import { SIMULATOR } from './groups/simulator.js';
import { STATUS } from './groups/status.js';
import { TISSUE } from './groups/tissue.js';
import { TRAINING } from './groups/training.js';
import { WATCHING } from './groups/watching.js';
import type { OptionSpec, OptionType } from './option-spec.js';

export type { OptionSpec, OptionType };

/** Every option, once: the command line, the environment, the config file, the help and docs/options.md come from here. */
export const OPTIONS = {
  ...MODEL,
  ...PATCHES,
  ...TISSUE,
  ...FLOW,
  ...EVENTS,
  ...STATUS,
  ...OUTPUT,
  ...WATCHING,
  ...LABELS,
  ...TRAINING,
  ...SIMULATOR,
  ...GENERAL,
} as const satisfies Record<string, OptionSpec>;

export type OptionName = keyof typeof OPTIONS;

type ValueOf<T extends OptionType> = T extends 'boolean' ? boolean : T extends 'integer' | 'number' ? number : string;

/** Effective values: always there where the option has a default, else maybe undefined. */
export type Config = {
  readonly [K in OptionName]:
    | ValueOf<(typeof OPTIONS)[K]['type']>
    | ((typeof OPTIONS)[K] extends { readonly default: unknown } ? never : undefined);
};

/** `batch-delay` → `STROMAFLOW_BATCH_DELAY`. */
export const environmentName = (option: string): string => `STROMAFLOW_${option.toUpperCase().replaceAll('-', '_')}`;
