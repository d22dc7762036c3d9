import { StromaflowError, shown } from '../errors.js';
import type { LabelClass } from '../evaluate/labels.js';
import { readClasses } from '../evaluate/labels-file.js';

/** What stromaflow.json says about a model: how to feed it, how to read it, where it comes from. */
export interface Manifest {
  readonly name: string;
  /** The author's version; the bundle's adds a content hash. */
  readonly version: string;
  /** Spacing the model was trained at, µm per pixel. */
  readonly spacing: number;
  /** Side of the patches it was trained on, pixels; a multiple of 32. */
  readonly patchSize: number;
  /** A pixel is positive when its probability is above this, in (0, 1). */
  readonly threshold: number;
  /** Meaning of each output channel, for people. */
  readonly classes: readonly string[];
  /** Output channels that count as stroma. */
  readonly positiveClasses: readonly number[];
  readonly input: InputNormalisation;
  readonly licence: string;
  readonly provenance: string;
  readonly metrics: readonly Metric[];
  /** What whoever looks at its masks must know: shown wherever they are. */
  readonly notice?: string;
  /** What label values mean in sets that do not say so themselves. */
  readonly labels?: readonly LabelClass[];
  /** What the statistics beside the weights were taken from. */
  readonly normStatistics?: NormSource;
}

/** Pictures that norms were frozen by; for people. */
export interface NormSource {
  readonly patches: number;
  /** Pictures and slides the patches are from. */
  readonly files: number;
  /** Folders or files as they were named, without where they are. */
  readonly from: readonly string[];
  readonly spacing: number;
  readonly patchSize: number;
}

/** Bytes become `byte / 255 × range[1]`, then `(x − mean) / std` a channel, RGB; smp's preprocessing. */
export interface InputNormalisation {
  readonly range: readonly [0, 1 | 255];
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

export interface Metric {
  readonly set: string;
  readonly metric: string;
  readonly value: number;
}

/** ImageNet's statistics, which most pretrained encoders were trained with. */
export const IMAGENET: InputNormalisation = {
  range: [0, 1],
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
};

/** A line or two wherever masks are shown. */
const MAX_NOTICE = 160;

/** A manifest and the names of the fields that were not given and are assumed. */
export interface ParsedManifest {
  readonly manifest: Manifest;
  readonly assumed: readonly string[];
}

/** What is known of the model besides its manifest. */
export interface ManifestContext {
  /** Output channels. */
  readonly outputs: number;
  /** Name where none is stated. */
  readonly name: string;
  /** Patch size where none is stated; the study's unless given. */
  readonly patchSize?: number;
  /** What the network wants where nothing is stated; IMAGENET unless given. */
  readonly input?: InputNormalisation;
  /** Of stromaflow.json, for messages. */
  readonly path: string;
}

/**
 * Checks stromaflow.json (undefined: there is none); the study's values stand in for absent fields.
 * Throws MODEL_INVALID, naming the field.
 */
export function parseManifest(json: unknown, context: ManifestContext): ParsedManifest {
  const { outputs, path } = context;
  if (json !== undefined && (typeof json !== 'object' || json === null || Array.isArray(json)))
    throw new StromaflowError('MODEL_INVALID', `${path}: not a JSON object`);
  const given = (json ?? {}) as Record<string, unknown>;
  const assumed: string[] = [];

  function field<T>(name: string, otherwise: T, needed: string, valid: (value: unknown) => boolean): T {
    const value = given[name];
    if (value === undefined) {
      // One class can only be the positive one; most models need no notice.
      if (name !== 'positiveClasses' && name !== 'notice') assumed.push(name);
      return otherwise;
    }
    if (!valid(value))
      throw new StromaflowError('MODEL_INVALID', `${path}: ${name} is ${shown(value)}, but must be ${needed}`, {
        fix: 'correct the file; docs/models.md lists its fields',
      });
    return value as T;
  }

  if (outputs > 1 && given['positiveClasses'] === undefined)
    throw new StromaflowError('MODEL_INVALID', `${path}: positiveClasses is needed, the model has ${outputs} classes`, {
      fix: 'list the output channels that are stroma, from 0, e.g. "positiveClasses": [1]',
    });
  const notice = field<string | undefined>('notice', undefined, `text of up to ${MAX_NOTICE} characters`, isNotice);
  const manifest: Manifest = {
    name: field('name', context.name, 'a name', isText),
    version: field('version', '0', 'a version such as "1.0.0"', isText),
    spacing: field(
      'spacing',
      0.5,
      'µm per pixel, above 0 and below 100',
      value => isNumber(value) && value > 0 && value < 100,
    ),
    patchSize: field('patchSize', context.patchSize ?? 512, 'a multiple of 32 from 32 to 4096', isPatchSize),
    threshold: field('threshold', 0.5, 'between 0 and 1', value => isNumber(value) && value > 0 && value < 1),
    classes: field('classes', outputs === 1 ? ['stroma'] : channelNames(outputs), `${outputs} names`, value =>
      isArray(value, isText, outputs),
    ),
    positiveClasses: field('positiveClasses', [0], `distinct channels from 0 to ${outputs - 1}`, value =>
      isChannels(value, outputs),
    ),
    input: field(
      'input',
      context.input ?? IMAGENET,
      '{ range: [0, 1] or [0, 255], mean: 3 numbers, std: 3 positive numbers }',
      isInput,
    ),
    licence: field('licence', 'not stated', 'text', isText),
    provenance: field('provenance', 'not stated', 'text', isText),
    metrics: field('metrics', [], 'a list of { set, metric, value }', value => isArray(value, isMetric)),
    ...(notice === undefined ? {} : { notice }),
  };
  const { labels, normStatistics } = given;
  const wrong = (what: string) => new StromaflowError('MODEL_INVALID', `${path}: ${what}`);
  if (normStatistics !== undefined && !isNormSource(normStatistics))
    throw wrong(`normStatistics is ${shown(normStatistics)}, but must say patches, files, from, spacing and patchSize`);
  if (labels !== undefined && !Array.isArray(labels)) throw wrong('labels is no list');
  const further = {
    ...(labels !== undefined && { labels: readClasses(labels, 'labels', wrong) }),
    ...(normStatistics !== undefined && { normStatistics }),
  };
  return { manifest: { ...manifest, ...further }, assumed };
}

const isText = (value: unknown): value is string => typeof value === 'string' && value.trim() !== '';
const isNotice = (value: unknown): boolean => isText(value) && value.length <= MAX_NOTICE;
const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);
const isPatchSize = (value: unknown) => isNumber(value) && value % 32 === 0 && value >= 32 && value <= 4096;
const isArray = (value: unknown, valid: (item: unknown) => boolean, length?: number): value is unknown[] =>
  Array.isArray(value) && value.every(valid) && (length === undefined || value.length === length);
const channelNames = (outputs: number) => Array.from({ length: outputs }, (_, i) => `class ${i}`);

function isChannels(value: unknown, outputs: number): boolean {
  const valid = (channel: unknown) => Number.isInteger(channel) && Number(channel) >= 0 && Number(channel) < outputs;
  return isArray(value, valid) && value.length > 0 && new Set(value).size === value.length;
}

function isInput(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { range, mean, std, ...rest } = value as Record<string, unknown>;
  const ranges = isArray(range, isNumber, 2) && range[0] === 0 && (range[1] === 1 || range[1] === 255);
  const positive = (item: unknown) => isNumber(item) && item > 0;
  return ranges && isArray(mean, isNumber, 3) && isArray(std, positive, 3) && Object.keys(rest).length === 0;
}

function isMetric(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { set, metric, value: figure } = value as Record<string, unknown>;
  return isText(set) && isText(metric) && isNumber(figure);
}

function isNormSource(value: unknown): value is NormSource {
  if (typeof value !== 'object' || value === null) return false;
  const { patches, files, from, spacing, patchSize } = value as Record<string, unknown>;
  return [patches, files, spacing, patchSize].every(number => isNumber(number) && number > 0) && isArray(from, isText);
}
