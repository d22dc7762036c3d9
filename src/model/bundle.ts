import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { StromaflowError, shown } from '../errors.js';
import { type Architecture, parseArchitecture } from './architecture/config.js';
import { ENCODERS } from './architecture/encoder/encoders.js';
import { strangerAmong } from './architecture/encoder/strangers.js';
import { buildNetwork, leastSideOf } from './architecture/network.js';
import type { Scores } from './decision.js';
import { simplify } from './graph/simplify.js';
import { parseQuantisation, type Quantisation } from './int8/quantisation.js';
import { type Manifest, parseManifest } from './manifest.js';
import { graphOf } from './norm/network.js';
import { NORM_STATISTICS, type NormMode, type NormStatistics, readNormStatistics } from './norm/statistics.js';
import { type ReadyOnnx, readOnnx } from './onnx/ready.js';
import { SafetensorsFile } from './safetensors.js';
import { checkParameters } from './weights.js';

/** A model as a lab hands it over: facts only, no weights in memory; safe to send to another thread. */
export interface ModelBundle extends Manifest {
  /** Absolute path of the bundle: its folder, or its .onnx file. */
  readonly path: string;
  /**
   * `<author's version>+<first 8 hex digits of the content hash>`, and `.frozen` where its norms are, `.fitted` where they are by
   * statistics that are not the bundle's own: changes whenever a file of the bundle does, or the statistics.
   */
  readonly version: string;
  /** SHA-256, hex, over the names and bytes of the bundle's files. */
  readonly contentHash: string;
  readonly network: Network;
  /** How its output is read. */
  readonly scores: Scores;
  /** Output channels. */
  readonly outputs: number;
  /** Fields of stromaflow.json that were absent; the study's values stand in for them. */
  readonly assumed: readonly string[];
}

export type Network = SmpNetwork | OnnxNetwork;

/** config.json and model.safetensors, as smp's `save_pretrained` writes them. */
export interface SmpNetwork {
  readonly kind: 'smp';
  readonly architecture: Architecture;
  /** Side in pixels of the smallest image it can read. */
  readonly leastSide: number;
  /** Path of model.safetensors. */
  readonly weights: string;
  /** Of an int8 bundle: what quantisation.json says. */
  readonly quantisation?: Quantisation;
  /** Where its group and instance norms are frozen: the statistics they normalise by. */
  readonly norms?: NormStatistics;
}

/** A ready graph. */
export interface OnnxNetwork {
  readonly kind: 'onnx';
  readonly ready: ReadyOnnx;
}

export interface LoadOptions {
  /** Fields that replace those of stromaflow.json. */
  readonly given?: Partial<Manifest>;
  /** How group and instance norms are run; frozen where the bundle has statistics, unless given. */
  readonly norm?: NormMode | undefined;
  /** Statistics that norms are frozen by instead of the bundle's own: path of a file as readNormStatistics wants it. */
  readonly fitted?: string | undefined;
}

/** How a bundle was loaded, to load it so again. */
export const normModeOf = ({ network }: ModelBundle): NormMode => ('norms' in network ? 'frozen' : 'patch');

const CONFIG = 'config.json';
const WEIGHTS = 'model.safetensors';
export const MANIFEST = 'stromaflow.json';
export const QUANTISATION = 'quantisation.json';

/**
 * Reads and checks a bundle: a folder with config.json and model.safetensors as segmentation_models_pytorch's
 * `save_pretrained` writes them, or with one .onnx file (or that file itself); either with stromaflow.json. Every
 * tensor's name and shape is compared with the architecture.
 * Throws MODEL_NOT_FOUND, MODEL_INVALID, MODEL_TENSOR or MODEL_UNSUPPORTED, or the signal's reason.
 */
export async function loadBundle(path: string, signal?: AbortSignal, options: LoadOptions = {}): Promise<ModelBundle> {
  const { given, norm, fitted } = options;
  signal?.throwIfAborted();
  // Behind a link that is later turned to another bundle, this one can still be loaded again.
  const absolute = await realpath(path).catch(() => resolve(path));
  const onnx = await onnxFileOf(absolute);
  const folder = onnx ? dirname(onnx) : absolute;
  const manifestPath = join(folder, MANIFEST);
  const file = await readJson(manifestPath, 'optional');
  const stated = given && (file === undefined || isObject(file)) ? { ...file, ...given } : file;
  const opened = onnx
    ? await openOnnx(onnx, stated, manifestPath)
    : await openSmp(folder, stated, manifestPath, options);
  if (norm === 'frozen' && !('norms' in opened.network))
    throw new StromaflowError('MODEL_UNSUPPORTED', `${absolute} has no statistics to freeze its norms by`, {
      fix: 'make them with stromaflow model freeze, or use --norm patch',
    });

  const files = [...opened.files, ...(file === undefined ? [] : [manifestPath])];
  // Where statistics from elsewhere are kept is no part of the model.
  const nameOf = (path: string) => (path === fitted ? NORM_STATISTICS : relative(folder, path));
  const contentHash = await hashFiles(files, nameOf, signal);
  const { manifest, assumed, network, scores, outputs } = opened;
  const norms = 'norms' in network ? (fitted === undefined ? '.frozen' : '.fitted') : '';
  const version = `${manifest.version}+${contentHash.slice(0, 8)}${norms}`;
  return { ...manifest, path: absolute, version, contentHash, network, scores, outputs, assumed };
}

async function openSmp(folder: string, stated: unknown, manifestPath: string, { norm, fitted }: LoadOptions) {
  const config = join(folder, CONFIG);
  const architecture = parseArchitecture(await readJson(config), config);
  const { classes: outputs, activation, input } = architecture;
  const context = { outputs, name: basename(folder), path: manifestPath };
  const parsed = parseManifest(stated, { ...context, ...(input && { input }) });
  if (input === null && parsed.assumed.includes('input'))
    throw new StromaflowError(
      'MODEL_INVALID',
      `${config}: the weights of ${architecture.encoder} come in two kinds, and nobody says what images these want`,
      {
        fix: `say so in ${MANIFEST}: "input": { "range": [0, 1], "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225] }, or 0.5 for all six`,
      },
    );
  const leastSide = leastSideOf(architecture);
  if (parsed.manifest.patchSize < leastSide)
    throw new StromaflowError(
      'MODEL_INVALID',
      `${manifestPath}: patchSize is ${parsed.manifest.patchSize}, but ${architecture.decoder.type} reads nothing smaller than ${leastSide} pixels`,
      { fix: `state "patchSize": ${leastSide} or more` },
    );
  const graph = buildNetwork(architecture);
  const weights = await SafetensorsFile.open(join(folder, WEIGHTS));
  try {
    checkParameters(graph, weights);
    const { encoder } = architecture;
    const stranger = strangerAmong(weights.tensors.keys(), ENCODERS.get(encoder)!);
    if (stranger !== undefined)
      throw new StromaflowError('MODEL_TENSOR', `${weights.path}: tensor ${stranger} has no place in ${encoder}`, {
        fix: 'the weights are of a deeper network than config.json says; export both together',
      });
  } finally {
    await weights.close();
  }
  const ranges = join(folder, QUANTISATION);
  const file = await readJson(ranges, 'optional');
  const statistics = fitted ?? join(folder, NORM_STATISTICS);
  const frozen = fitted !== undefined || (await exists(statistics));
  if (frozen && norm === 'patch' && file !== undefined)
    throw new StromaflowError('MODEL_UNSUPPORTED', `${folder} is quantised with frozen norms`, {
      fix: 'leave --norm patch off, or take the bundle it was made of',
    });
  const norms = frozen && norm !== 'patch' ? await readNormStatistics(statistics, graph, weights.path) : undefined;
  const run = simplify(graphOf({ architecture, ...(norms && { norms }) }));
  const quantisation = file === undefined ? undefined : parseQuantisation(file, run, ranges);
  const beside = { ...(quantisation && { quantisation }), ...(norms && { norms }) };
  const network: Network = { kind: 'smp', architecture, leastSide, weights: weights.path, ...beside };
  const scores: Scores = { activation, of: 'logits' };
  const files = [config, weights.path, ...(quantisation ? [ranges] : []), ...(norms ? [statistics] : [])];
  return { ...parsed, network, scores, outputs, files };
}

async function openOnnx(path: string, stated: unknown, manifestPath: string) {
  const ready = await readOnnx(path);
  const { classes, activation, output } = (stated ?? {}) as Record<string, unknown>;
  const outputs = ready.outputs ?? (Array.isArray(classes) ? classes.length : 1);
  const name = basename(path, '.onnx');
  const patchSize = ready.fixedSide ?? 512;
  const parsed = parseManifest(stated, { outputs, name, path: manifestPath, patchSize });
  if (ready.fixedSide && parsed.manifest.patchSize !== ready.fixedSide)
    throw new StromaflowError(
      'MODEL_INVALID',
      `${manifestPath}: patchSize is ${parsed.manifest.patchSize}, but ${ready.input.name} of ${basename(path)} takes ${ready.fixedSide} pixels`,
    );
  if (ready.scalesItself && parsed.assumed.includes('input'))
    throw new StromaflowError('MODEL_INVALID', `${path} scales its image itself, and nobody says what it wants`, {
      fix: `say so in ${MANIFEST}, e.g. "input": { "range": [0, 1], "mean": [0, 0, 0], "std": [1, 1, 1] } for RGB from 0 to 1`,
    });
  const assumed = output === undefined && ready.activation === null ? [...parsed.assumed, 'output'] : parsed.assumed;
  const scores: Scores = {
    activation:
      oneOf(activation, ['sigmoid', 'softmax']) ?? ready.activation ?? (outputs === 1 ? 'sigmoid' : 'softmax'),
    of: oneOf(output, ['logits', 'probabilities']) ?? (ready.activation ? 'probabilities' : 'logits'),
  };
  const network = { kind: 'onnx', ready } as const;
  return { ...parsed, assumed, network, scores, outputs, files: [path, ...ready.external] };

  function oneOf<T extends string>(value: unknown, allowed: readonly T[]): T | undefined {
    if (value === undefined || allowed.includes(value as T)) return value as T | undefined;
    throw new StromaflowError('MODEL_INVALID', `${manifestPath}: ${shown(value)} is none of ${allowed.join(', ')}`);
  }
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

/** The .onnx file a path means; undefined for a folder of smp's. */
async function onnxFileOf(path: string): Promise<string | undefined> {
  const facts = await stat(path).catch(cause => {
    throw new StromaflowError('MODEL_NOT_FOUND', `${path} does not exist`, { cause });
  });
  if (facts.isDirectory()) {
    const names = await readdir(path);
    const found = names.filter(name => name.endsWith('.onnx'));
    if (names.includes(CONFIG) || found.length === 0) return undefined;
    if (found.length === 1) return join(path, found[0]!);
    throw new StromaflowError('MODEL_INVALID', `${path} holds several models: ${found.join(', ')}`, {
      fix: 'give the .onnx file itself with --model',
    });
  }
  if (path.endsWith('.onnx')) return path;
  if (/\.(pth|pt|ckpt|bin|tar)$/i.test(path))
    throw new StromaflowError('MODEL_UNSUPPORTED', `${path} is a PyTorch file, which can run code when it is opened`, {
      fix: conversionLine(path),
    });
  throw new StromaflowError('MODEL_NOT_FOUND', `${path} is neither a bundle folder nor an .onnx file`);
}

/** What turns a state dict into a bundle, to be typed where the model was trained. */
export function conversionLine(path: string): string {
  const model = "model = smp.FPN('resnet34', encoder_weights=None, classes=1)";
  const load = `model.load_state_dict(torch.load('${basename(path)}', map_location='cpu', weights_only=True))`;
  return `type: python -c "import torch, segmentation_models_pytorch as smp; ${model}; ${load}; model.save_pretrained('my-model')"`;
}

export async function readJson(path: string, need: 'needed' | 'optional' = 'needed'): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if (need === 'optional' && (cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new StromaflowError('MODEL_NOT_FOUND', `${path} cannot be read`, { cause });
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new StromaflowError('MODEL_INVALID', `${path}: not JSON`, { cause });
  }
}

async function hashFiles(
  paths: readonly string[],
  nameOf: (path: string) => string,
  signal?: AbortSignal,
): Promise<string> {
  const hash = createHash('sha256');
  for (const path of paths) {
    const { size } = await stat(path).catch(cause => {
      throw new StromaflowError('MODEL_NOT_FOUND', `${path} is missing`, { cause });
    });
    hash.update(`${nameOf(path)} ${size}\n`);
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20, ...(signal && { signal }) }))
      hash.update(chunk as Buffer);
  }
  return hash.digest('hex');
}
