import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Arena } from '../src/arena.js';
import type { Config } from '../src/config/options.js';
import type { Isolation } from '../src/engine/backend.js';
import type { EngineName } from '../src/engine/catalogue.js';
import { createSegmenter } from '../src/engine/create.js';
import { type LoadModel, ModelSwitch } from '../src/engine/model-switch.js';
import type { EngineEvent } from '../src/engine/pool.js';
import type { EngineInfo, Segmenter } from '../src/engine/segmenter.js';
import { StromaflowError } from '../src/errors.js';
import { loadModel, type Model } from '../src/model/model.js';
import type { NormMode } from '../src/model/norm/statistics.js';
import type { Tta } from '../src/model/views.js';
import { SPACING_TOLERANCE } from '../src/slide/image/image-source.js';
import { VERSION } from '../src/version.js';

/** The starter bundle that is shipped with the package. */
export const STARTER_MODEL = fileURLToPath(new URL('../../models/stroma-fpn-resnet34-starter', import.meta.url));

export const modelPath = (config: Config): string => config.model ?? STARTER_MODEL;

/** `--norm`, whose values the options have checked. */
export const normOf = ({ norm }: Pick<Config, 'norm'>): NormMode | undefined => norm as NormMode | undefined;

/** `--tta`, whose values the options have checked. */
export const ttaOf = ({ tta }: Pick<Config, 'tta'>): Tta | undefined => tta as Tta | undefined;

/** The model of a configuration. Throws what loadModel throws, and CONFIG_INVALID for members that do not go together. */
export async function modelOf(config: Config, signal?: AbortSignal): Promise<Model> {
  const model = await loadModel(modelPath(config), signal, { norm: normOf(config), tta: ttaOf(config) });
  checkTogether(model, config);
  return model;
}

/** Members see the same patches: where they were made for others, somebody has to say which. Throws CONFIG_INVALID. */
export function checkTogether(
  { members }: Pick<Model, 'members'>,
  { spacing, 'patch-size': patchSize }: Pick<Config, 'spacing' | 'patch-size'>,
): void {
  const [first] = members as [Model['members'][number]];
  const apart = (what: string, fix: string) =>
    new StromaflowError('CONFIG_INVALID', `in the ensemble ${what}`, { fix });
  for (const { name, ...other } of members) {
    if (spacing === undefined && Math.abs(other.spacing / first.spacing - 1) > SPACING_TOLERANCE)
      throw apart(
        `${name} is made for ${other.spacing} µm/px, ${first.name} for ${first.spacing}`,
        'state with --spacing at which one all of them are to run',
      );
    if (patchSize === undefined && other.patchSize !== first.patchSize)
      throw apart(
        `${name} is made for patches of ${other.patchSize} px, ${first.name} of ${first.patchSize}`,
        'state with --patch-size which ones all of them are to run on',
      );
  }
}

export interface ModelSetup {
  readonly config: Config;
  /** The model at modelPath, as it was when the arena was made for its patches. */
  readonly model: Model;
  readonly arena: Arena;
  readonly probabilities: boolean;
  readonly onEvent: (event: EngineEvent) => void;
}

/**
 * The model of a configuration, on its engine. Loaded anew, it goes on with the engine that was chosen first, and must take
 * patches of the same size: memory was laid out for them.
 */
export function openModels(setup: ModelSetup): Promise<ModelSwitch> {
  const { config, model: first, arena } = setup;
  const load: LoadModel = async (present, signal) => {
    const model = present ? await modelOf(config, signal) : first;
    if (model.version === present?.model.version) return undefined;
    checkPatchSize(model, config, arena);
    const segmenter = await startEngine(model, setup, { engine: present?.segmenter.info.engine, signal });
    return { model, segmenter };
  };
  return ModelSwitch.open(load);
}

interface EngineStart {
  /** What serves already; as the configuration says unless given. */
  readonly engine?: EngineName | undefined;
  /** Statistics that the model's norms are fitted by, and where the model is compiled then. */
  readonly fitted?: { readonly path: string; readonly cacheFolder: string };
  readonly signal?: AbortSignal | undefined;
}

/** The engine of a configuration, warm, with a model that it has loaded. */
export function startEngine(
  model: Model,
  { config, arena, probabilities, onEvent }: Omit<ModelSetup, 'model'>,
  { engine, fitted, signal }: EngineStart,
): Promise<Segmenter> {
  const { batch, workers, half } = config;
  return createSegmenter({
    engine: engine ?? config.engine,
    model: model.source,
    tta: model.tta,
    ...(fitted && { fitted: fitted.path, cacheFolder: fitted.cacheFolder }),
    arena,
    batch,
    threads: config.threads || availableParallelism(),
    workers,
    devices: devicesOf(config),
    half,
    isolation: config.isolation as Isolation,
    runSeconds: config['engine-timeout'],
    probabilities,
    scores: config.overlap !== undefined,
    onEvent,
    ...(signal && { signal }),
  });
}

/** The model as workers run it: what names it, and nothing that runs it here. */
export function openModelOfWorkers(first: Model, config: Config): Promise<ModelSwitch> {
  const load: LoadModel = async present => {
    const model = present ? await modelOf(config) : first;
    if (model.version === present?.model.version) return undefined;
    const { name, version, threshold } = model;
    const info: EngineInfo = {
      ...{ engine: 'null' as const, name: 'workers', version: VERSION, device: 'elsewhere' },
      ...{ model: name, modelVersion: version, threshold, batch: config.batch, lanes: 1, loadSeconds: 0 },
    };
    const refuse = () => Promise.reject(new StromaflowError('INTERNAL', 'patches are segmented by workers'));
    return { model, segmenter: { info, segment: refuse, close: async () => undefined } };
  };
  return ModelSwitch.open(load);
}

/** Batches the engine runs at the same time. */
export const engineLanes = (config: Config): number => devicesOf(config).length * config.workers;

function checkPatchSize({ name, version, patchSize }: Model, config: Config, { shape }: Arena): void {
  if (config['patch-size'] !== undefined || patchSize === shape.patchSize) return;
  const message = `${name} ${version} takes patches of ${patchSize} pixels; this process was started for ${shape.patchSize}`;
  throw new StromaflowError('MODEL_UNSUPPORTED', message, { fix: 'restart with the new model' });
}

/** `--devices`: numbers of GPUs, the first unless given. Throws CONFIG_INVALID. */
export function devicesOf({ devices: list = '0' }: Pick<Config, 'devices'>): number[] {
  const names = list.split(',').map(name => name.trim());
  const devices = names.map(Number);
  // Batches of one GPU several times over are what --workers asks for.
  if (names.some(name => !/^\d{1,3}$/.test(name)) || new Set(devices).size < devices.length) {
    throw new StromaflowError(
      'CONFIG_INVALID',
      `devices: expected different numbers of GPUs such as 0,1, got ${JSON.stringify(list)}`,
    );
  }
  return devices;
}
