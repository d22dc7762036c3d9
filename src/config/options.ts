/** Every option, once: the command line, the environment, the config file, the help and docs/options.md come from here. */

import { SCAN_ORDERS, SCAN_WAYS } from '../simulate/ways.js';

export type OptionType = 'string' | 'path' | 'integer' | 'number' | 'boolean' | 'choice';

export interface OptionSpec {
  readonly type: OptionType;
  /** Shown in the help as `--batch <patches>`. */
  readonly unit?: string;
  readonly default?: string | number | boolean;
  readonly min?: number;
  readonly max?: number;
  /** A whole number must be a multiple of it. */
  readonly multipleOf?: number;
  readonly choices?: readonly string[];
  readonly help: string;
  /** Heading in the help. */
  readonly group:
    | 'model'
    | 'patches'
    | 'tissue'
    | 'flow'
    | 'events'
    | 'status'
    | 'output'
    | 'watching'
    | 'labels'
    | 'simulator'
    | 'general';
}

export const OPTIONS = {
  model: {
    type: 'path',
    unit: 'bundle',
    group: 'model',
    help: 'folder with config.json, model.safetensors and stromaflow.json (default: the starter model shipped with the package)',
  },
  engine: {
    type: 'string',
    unit: 'name',
    default: 'auto',
    group: 'model',
    help: 'auto, cpu, webgpu, cuda, tensorrt, tfjs-…; stromaflow doctor lists what this machine has',
  },
  threads: {
    type: 'integer',
    unit: 'threads',
    default: 0,
    min: 0,
    group: 'model',
    help: 'threads of a CPU engine; 0 is one a core',
  },
  batch: {
    type: 'integer',
    unit: 'patches',
    default: 4,
    min: 1,
    max: 256,
    group: 'model',
    help: 'patches a batch; 16 or more suit a GPU',
  },
  'batch-delay': {
    type: 'number',
    unit: 'ms',
    default: 50,
    min: 0,
    group: 'model',
    help: 'longest wait of a part-filled batch when the engine is free',
  },
  devices: {
    type: 'string',
    unit: 'numbers',
    group: 'model',
    help: 'NVIDIA GPUs to use, such as 0,1 (default: the first)',
  },
  workers: {
    type: 'integer',
    unit: 'threads',
    default: 1,
    min: 1,
    max: 16,
    group: 'model',
    help: 'engine threads for each device',
  },
  isolation: {
    type: 'choice',
    unit: 'where',
    choices: ['process', 'thread'],
    default: 'process',
    group: 'model',
    help: 'native engines run in a process of their own, which a crash ends alone; thread saves two copies of the pixels',
  },
  'engine-timeout': {
    type: 'number',
    unit: 's',
    default: 600,
    min: 0,
    max: 86_400,
    group: 'model',
    help: 'longest time for one batch, after which its process counts as hung and is started again; 0 is no limit',
  },
  half: {
    type: 'boolean',
    default: false,
    group: 'model',
    help: 'float16: computing, on a GPU; storing, for model import',
  },
  norm: {
    type: 'choice',
    unit: 'how',
    choices: ['patch', 'frozen'],
    group: 'model',
    help: "statistics of group and instance norms: each patch's own, or the bundle's (default: the bundle's where it has them)",
  },
  image: { type: 'path', unit: 'file', group: 'model', help: 'picture for model run' },
  images: {
    type: 'path',
    unit: 'paths',
    group: 'model',
    help: 'pictures, slides or folders of them for model freeze and model quantise, as the model will meet them; commas between',
  },
  patches: {
    type: 'integer',
    unit: 'patches',
    min: 16,
    max: 10_000,
    group: 'model',
    help: 'patches that model freeze takes statistics from (default: until they stand still)',
  },
  logits: { type: 'path', unit: 'file', group: 'model', help: '.npy file that model run writes' },
  overwrite: { type: 'boolean', default: false, group: 'model', help: 'replace a bundle that is there' },
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
    default: 0,
    min: 0,
    max: 1024,
    multipleOf: 16,
    group: 'patches',
    help: 'context read around a patch and cropped from its mask; hides seams, costs speed',
  },
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
  readers: {
    type: 'integer',
    unit: 'threads',
    default: 0,
    min: 0,
    max: 64,
    group: 'flow',
    help: 'reader threads; 0 is one a core but one',
  },
  'batches-in-flight': {
    type: 'integer',
    unit: 'batches',
    min: 2,
    max: 256,
    group: 'flow',
    help: 'batches of patches in memory at once: those in the engine, and others filling (default: 2 others)',
  },
  nats: {
    type: 'string',
    unit: 'url',
    group: 'events',
    help: 'NATS server, such as nats://127.0.0.1:4222 (default: an in-process bus)',
  },
  'nats-creds': {
    type: 'path',
    unit: 'file',
    group: 'events',
    help: 'credentials file (JWT and nkey seed) for the NATS server',
  },
  'nats-ca': {
    type: 'path',
    unit: 'file',
    group: 'events',
    help: 'PEM file of the authority that signed the NATS server; insists on TLS',
  },
  'nats-cert': {
    type: 'path',
    unit: 'file',
    group: 'events',
    help: 'PEM file of the client certificate for the NATS server',
  },
  'nats-key': { type: 'path', unit: 'file', group: 'events', help: 'PEM file of the key of --nats-cert' },
  prefix: {
    type: 'string',
    unit: 'subject',
    default: 'stroma.v1',
    group: 'events',
    help: 'first tokens of every subject',
  },
  site: {
    type: 'string',
    unit: 'name',
    default: 'site',
    group: 'events',
    help: 'site, a token of every subject',
  },
  scanner: {
    type: 'string',
    unit: 'name',
    default: 'scanner',
    group: 'events',
    help: 'scanner, a token of every subject',
  },
  'aggregate-interval': {
    type: 'number',
    unit: 's',
    default: 1,
    min: 0.05,
    group: 'events',
    help: 'shortest time between two running aggregates of a slide',
  },
  host: {
    type: 'string',
    unit: 'address',
    default: '127.0.0.1',
    group: 'status',
    help: 'address of the status endpoint',
  },
  port: {
    type: 'integer',
    unit: 'port',
    min: 0,
    max: 65535,
    group: 'status',
    help: 'port of the status endpoint; 0 is a free one (default: 9464 for watch, none for the others)',
  },
  'token-file': {
    type: 'path',
    unit: 'file',
    group: 'status',
    help: 'file with the token that requests must bring (bearer, or password of basic auth); without it other machines see no slide',
  },
  'access-log': {
    type: 'path',
    unit: 'file',
    group: 'status',
    help: 'file that gets a line of JSON for each request to the status endpoint',
  },
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
  'dicom-seg': {
    type: 'choice',
    choices: ['auto', 'off'],
    default: 'auto',
    group: 'output',
    help: 'auto writes mask.dicom, DICOM segmentations, for slides that are DICOM',
  },
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
  compare: {
    type: 'string',
    unit: 'bundles',
    group: 'labels',
    help: 'further model bundles on the same patches, separated by commas, each compared with each',
  },
  strict: { type: 'boolean', default: false, group: 'labels', help: 'stop at the first fault of a labelled set' },
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
