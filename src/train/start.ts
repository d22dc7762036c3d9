import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { StromaflowError, shown } from '../errors.js';
import type { LabelClass } from '../evaluate/labels.js';
import { readSeen } from '../evaluate/seen.js';
import { type Architecture, parseArchitecture } from '../model/architecture/config.js';
import type { DecoderName } from '../model/architecture/decoder/decoders.js';
import { buildNetwork, leastSideOf } from '../model/architecture/network.js';
import { loadBundle } from '../model/bundle.js';
import type { Graph } from '../model/graph/graph.js';
import { IMAGENET } from '../model/manifest.js';
import { graphOf, openWeights } from '../model/norm/network.js';
import type { NormMode, NormStatistics } from '../model/norm/statistics.js';
import type { WeightSource } from '../model/weights.js';
import { TRAINED, type TrainedArchitecture } from './architectures.js';
import { withEncoder } from './encoder-weights.js';
import { randomWeights } from './initialise.js';
import type { TrainNetwork } from './port.js';

export interface StartOptions {
  /** Of a network that is begun anew. */
  readonly architecture: TrainedArchitecture;
  /** Bundle that is gone on from; then `architecture` and `encoderWeights` do not count. */
  readonly model?: string | undefined;
  readonly encoderWeights?: string | undefined;
  /** How the bundle's group and instance norms are run. */
  readonly norm?: NormMode | undefined;
  readonly seed: number;
}

/** The network that a run trains, and the weights it begins with. */
export interface Start extends TrainNetwork {
  readonly architecture: Architecture;
  /** config.json of its bundles. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Names that smp's network has: without statistics of frozen group norms. */
  readonly parameters: readonly string[];
  readonly norms?: NormStatistics;
  /** The bundle's, where one is gone on from. */
  readonly spacing?: number;
  readonly patchSize?: number;
  readonly labels?: readonly LabelClass[];
  /** What that bundle says of itself, which holds of whatever is made of it. */
  readonly made?: { readonly licence: string; readonly provenance: string; readonly seen: readonly string[] };
  /** What weights these are, for the run's config and for people. */
  readonly facts: Readonly<Record<string, unknown>>;
  readonly said: string;
  close(): Promise<void>;
}

/** Which option says how much is left out while the network learns, and smp's chance where config.json is silent. */
const DROPOUT: Partial<
  Record<DecoderName, { readonly option: string; readonly chance: number; readonly deep?: true }>
> = {
  FPN: { option: 'decoder_dropout', chance: 0.2 },
  PSPNet: { option: 'psp_dropout', chance: 0.2 },
  // Single values in the middle of the decoder, not channels in front of the head.
  DeepLabV3: { option: 'decoder_aspp_dropout', chance: 0.5, deep: true },
  DeepLabV3Plus: { option: 'decoder_aspp_dropout', chance: 0.5, deep: true },
};

/**
 * Chance that a channel in front of the head is left out while the network learns.
 * @throws MODEL_INVALID for one outside [0, 1), MODEL_UNSUPPORTED for dropout elsewhere
 */
export function dropoutOf({ architecture, config }: Pick<Start, 'architecture' | 'config'>): number {
  const { type } = architecture.decoder;
  const known = DROPOUT[type];
  if (!known) return 0;
  const { option, deep } = known;
  const chance = config[option] ?? known.chance;
  if (typeof chance !== 'number' || !(chance >= 0 && chance < 1))
    throw new StromaflowError('MODEL_INVALID', `${option} is ${shown(chance)}, but must be from 0 to below 1`);
  if (deep && chance > 0)
    throw new StromaflowError('MODEL_UNSUPPORTED', `${type} is not trained with ${option} ${chance}`, {
      fix: `state "${option}": 0 in config.json; masks do not depend on it`,
    });
  return chance;
}

/** @throws USAGE for patches that are too small for the network */
export function checkPatchSize({ architecture }: Pick<Start, 'architecture'>, patchSize: number): void {
  const least = leastSideOf(architecture);
  if (patchSize >= least) return;
  const message = `patches of ${patchSize} pixels are too small for ${architecture.decoder.type}`;
  throw new StromaflowError('USAGE', message, { fix: `give --patch-size ${least} or more` });
}

/** @throws USAGE, MODEL_UNSUPPORTED (several classes, int8, a ready graph), MODEL_TENSOR (weights of another encoder), what loadBundle throws */
export async function openStart(options: StartOptions, signal?: AbortSignal): Promise<Start> {
  const { model, encoderWeights } = options;
  if (model === undefined) return startAnew(options);
  if (encoderWeights === undefined) return startFrom(model, options, signal);
  throw new StromaflowError('USAGE', 'both --model and --encoder-weights say what training begins with', {
    fix: 'give one',
  });
}

async function startAnew({ architecture: name, encoderWeights, seed }: StartOptions): Promise<Start> {
  const config = TRAINED[name];
  const architecture = parseArchitecture(config, name);
  const graph = buildNetwork(architecture);
  const random = randomWeights(graph, seed);
  const common = {
    graph,
    architecture,
    config,
    parameters: [...graph.parameters.keys()],
    input: architecture.input ?? IMAGENET,
  };
  if (encoderWeights === undefined)
    return {
      ...common,
      source: random,
      facts: { architecture: name, encoder: 'random' },
      said: `${name}, random weights`,
      close: async () => undefined,
    };
  const source = await withEncoder(encoderWeights, graph, architecture.encoder, random);
  return {
    ...common,
    source,
    facts: { architecture: name, encoder: await hashOf(encoderWeights) },
    said: `${name}, encoder of ${basename(encoderWeights)}`,
    close: () => source.close(),
  };
}

async function startFrom(model: string, { norm }: StartOptions, signal?: AbortSignal): Promise<Start> {
  const bundle = await loadBundle(model, signal, { norm });
  const { network, path, spacing, patchSize, input, contentHash, labels } = bundle;
  if (network.kind !== 'smp') throw unsupported(path, 'a ready .onnx graph says nothing of how it learns');
  if (network.quantisation) throw unsupported(path, 'its weights are int8');
  if (bundle.outputs !== 1) throw unsupported(path, `it has ${bundle.outputs} classes`);
  const config = JSON.parse(await readFile(join(path, 'config.json'), 'utf8')) as Record<string, unknown>;
  const graph: Graph = graphOf(network);
  const source: WeightSource & { close(): Promise<void> } = await openWeights(network);
  const { architecture, norms } = network;
  return {
    graph,
    source,
    input,
    architecture,
    config,
    parameters: [...buildNetwork(architecture).parameters.keys()],
    ...(norms && { norms }),
    spacing,
    patchSize,
    ...(labels && { labels }),
    made: { licence: bundle.licence, provenance: bundle.provenance, seen: [...((await readSeen(path)) ?? [])] },
    facts: { bundle: contentHash, norms: norms ? 'frozen' : 'patch' },
    said: `${bundle.name} ${bundle.version}`,
    close: () => source.close(),
  };
}

const unsupported = (path: string, why: string): StromaflowError =>
  new StromaflowError('MODEL_UNSUPPORTED', `${path} cannot be trained: ${why}`, {
    fix: 'give a bundle of one class as smp or stromaflow train writes it',
  });

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
