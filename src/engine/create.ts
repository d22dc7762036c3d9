import { StromaflowError } from '../errors.js';
import { loadBundle, type ModelBundle } from '../model/bundle.js';
import { defaultCacheFolder } from '../model/onnx/compile.js';
import type { Arena } from '../stage/arena.js';
import { chooseEngine } from './choose.js';
import { type Crew, type EngineEvent, EnginePool } from './pool.js';
import type { EngineInfo, Segmenter } from './segmenter.js';

export interface SegmenterOptions {
  /** 'auto', or an engine by name (see catalogue.ts). */
  readonly engine: string;
  /** Bundle; the 'null' engine needs none. */
  readonly model: string;
  /** Where the patches are; its patch size is what the model is run at. */
  readonly arena: Arena;
  /** Most patches a call may carry. */
  readonly batch: number;
  /** Threads of a CPU engine, ≥ 1, shared out among its workers. */
  readonly threads: number;
  /** Engine threads for each device; 1 unless given. */
  readonly workers?: number;
  /** Numbers of the NVIDIA GPUs to use; the first unless given. */
  readonly devices?: readonly number[];
  /** Where compiled models are kept; see defaultCacheFolder. */
  readonly cacheFolder?: string;
  /** Give probabilities beside the masks; false unless given. */
  readonly probabilities?: boolean;
  /** Compute the network in float16, for GPUs that are faster then; false unless given. */
  readonly half?: boolean;
  /** Only for 'null': how long a batch takes, in ms; 0 unless given. */
  readonly nullDelay?: number;
  /** Told about restarts, lowered batches and quarantined patches. */
  readonly onEvent?: (event: EngineEvent) => void;
  readonly signal?: AbortSignal;
}

/** A segmenter whose model can be changed while it works. */
export interface ReloadableSegmenter extends Segmenter {
  /**
   * Goes over to the bundle at this path (the present one, if its files have changed): calls made afterwards are
   * answered by it, and `info` names it. Rejects, and keeps the present model, when the bundle cannot be used.
   */
  reload(model: string, signal?: AbortSignal): Promise<EngineInfo>;
}

/**
 * Starts an engine in its own thread (or several), with the model loaded and warm. Throws what loadBundle throws, USAGE
 * for an unknown engine, ENGINE_UNAVAILABLE when the engine cannot run here, or the signal's reason.
 */
export async function createSegmenter(options: SegmenterOptions): Promise<ReloadableSegmenter> {
  const { arena, batch, signal, nullDelay = 0, workers = 1, devices = [0], onEvent } = options;
  const { cacheFolder = defaultCacheFolder(), probabilities = false, half = false } = options;
  const { shape, shared } = arena;
  const { patchSize } = shape;
  if (patchSize % 32 !== 0)
    throw new StromaflowError('USAGE', `patches of ${patchSize} pixels are not a multiple of 32`);
  const threads = Math.max(1, Math.floor(options.threads / workers));
  const probing = { model: options.model, threads, cacheFolder, ...(signal && { signal }) };
  const { engine, line } = await chooseEngine(options.engine, probing);

  const crewOf = async (model: string, signal?: AbortSignal): Promise<Crew> => {
    const facts = engine === 'null' ? { name: 'null', version: '0' } : await loadFor(model, patchSize, signal);
    const modelVersion = engine === 'null' ? null : facts.version;
    const run = { patchSize, batch, threads, layers: [], probabilities, half, nullDelay };
    const common = { engine, model, modelVersion, cacheFolder, ...run };
    const { name, version } = facts;
    return {
      model: { name, version },
      threads: devices.flatMap(device =>
        Array.from({ length: workers }, () => ({ arena: { shape, shared }, backend: { ...common, device } })),
      ),
    };
  };
  const pool = await EnginePool.start({
    crew: await crewOf(options.model, signal),
    ...(line !== undefined && { choice: line }),
    ...(onEvent && { onEvent }),
    ...(signal && { signal }),
  });
  return {
    get info() {
      return pool.info;
    },
    segment: (slots, signal) => pool.segment(slots, signal),
    async reload(model, signal) {
      await pool.replace(await crewOf(model, signal), signal);
      return pool.info;
    },
    close: () => pool.close(),
  };
}

async function loadFor(model: string, patchSize: number, signal?: AbortSignal): Promise<ModelBundle> {
  const bundle = await loadBundle(model, signal);
  const side = bundle.network.kind === 'onnx' ? bundle.network.ready.fixedSide : null;
  if (side === null || side === patchSize) return bundle;
  const message = `${bundle.name} takes patches of ${side} pixels only, not ${patchSize}`;
  throw new StromaflowError('MODEL_UNSUPPORTED', message, {
    fix: `leave --patch-size at ${side}, or export the model with dynamic height and width`,
  });
}
