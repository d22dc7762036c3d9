import type { LoadedConfig } from '../config/load.js';
import type { Config, OptionName } from '../config/options.js';
import type { Terminal } from './terminal.js';

export interface CommandContext {
  readonly args: readonly string[];
  readonly config: Config;
  readonly loaded: LoadedConfig;
  readonly terminal: Terminal;
  /** Aborts on the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
}

/** One command of the command line. */
export interface Command {
  /** With its arguments, commander's way: 'segment <slide...>'. */
  readonly usage: string;
  readonly summary: string;
  /** Of a command of two words, on the first of them: what the first word is about. */
  readonly group?: string;
  /** Longer help, shown under the options. */
  readonly notes?: string;
  readonly options: readonly OptionName[];
  /** Its arguments may be addresses, http:// or https://. */
  readonly takesAddresses?: true;
  /** Resolves to the exit status: 0 done, 1 failed, 130 interrupted. Rejects with a StromaflowError. */
  run(context: CommandContext): Promise<number>;
}

/** Option groups that commands share. */
export const GENERAL: readonly OptionName[] = ['config', 'json', 'verbose'];
export const MODEL: readonly OptionName[] = [
  'model',
  'engine',
  'threads',
  'batch',
  'batch-delay',
  'devices',
  'workers',
  'isolation',
  'engine-timeout',
  'half',
  'norm',
  'tta',
];
/** Norms that are fitted to slides. */
export const FIT: readonly OptionName[] = ['fit-norm', 'patches'];
export const PATCHES: readonly OptionName[] = [
  'mpp',
  'spacing',
  'patch-size',
  'margin',
  'overlap',
  'open-area',
  'close-area',
  'padding',
];
export const TISSUE: readonly OptionName[] = ['keep-empty', 'tissue-saturation', 'tissue-od', 'tissue-fraction'];
export const FLOW: readonly OptionName[] = ['readers', 'batches-in-flight'];
/** Of one that hands out work. */
export const INGEST: readonly OptionName[] = [
  'role',
  'task-patches',
  'tasks-ahead',
  'task-timeout',
  'ship',
  'ship-bytes',
];
export const NATS: readonly OptionName[] = ['nats', 'nats-creds', 'nats-nkey', 'nats-ca', 'nats-cert', 'nats-key'];
export const STREAMS: readonly OptionName[] = ['stream-days', 'stream-bytes', 'stream-replicas', 'stream-storage'];
export const EVENTS: readonly OptionName[] = [...NATS, 'publish', 'prefix', 'site', 'scanner', 'aggregate-interval'];
export const STATUS: readonly OptionName[] = ['host', 'port', 'token-file', 'access-log', 'otlp'];
export const OUTPUT: readonly OptionName[] = [
  'out',
  'fresh',
  'zarr',
  'mask-tiff',
  'probabilities',
  'dicom-seg',
  'min-area',
  'min-hole',
  'outlines',
];
export const WATCHING: readonly OptionName[] = [
  'settle',
  'poll',
  'incomplete-after',
  'watch-mode',
  'ignore-names',
  'urgent',
];
/** What label values mean. */
export const LABEL_MAP: readonly OptionName[] = ['positive', 'ignore', 'negative', 'colours'];
/** How labels are taken where their files do not say. */
export const LABEL_READING: readonly OptionName[] = ['labels-frame', 'labels-objects'];
/** A labelled set. */
export const LABELS: readonly OptionName[] = [...LABEL_MAP, 'labels', ...LABEL_READING, 'patient'];
/** Labels beside slides that are segmented. */
export const TRUTH: readonly OptionName[] = [...LABEL_MAP, 'labels', ...LABEL_READING, 'strict'];
/** How a network is trained. */
export const TRAINING: readonly OptionName[] = [
  'runs',
  'name',
  'fresh',
  'architecture',
  'model',
  'norm',
  'encoder-weights',
  'frozen',
  'epochs',
  'learning-rate',
  'final-rate',
  'final-epochs',
  'effective-batch',
  'batch',
  'loss',
  'optimizer',
  'weight-decay',
  'norm-statistics',
  'augment',
  'balance',
  'patience',
  'unlabelled',
  'pseudo-threshold',
  'pseudo-weight',
  'pseudo-ramp',
  'teacher-decay',
  'pad-small',
  'checkpoint-interval',
  'data-licence',
  'engine',
  'threads',
  'readers',
];
export const GRAPH: readonly OptionName[] = [
  ...OUTPUT,
  ...MODEL,
  ...PATCHES,
  ...TISSUE,
  ...FLOW,
  ...EVENTS,
  ...STATUS,
  ...GENERAL,
];
