import type { Arena } from '../arena.js';
import { StromaflowError } from '../errors.js';
import { loadModel, type Model } from '../model/model.js';
import type { NormMode } from '../model/norm/statistics.js';
import { defaultCacheFolder } from '../model/onnx/compile.js';
import { checkSides } from '../model/sides.js';
import type { Tta } from '../model/views.js';
import type { Isolation } from './backend.js';
import { entryOf } from './catalogue.js';
import { chooseEngine } from './choose.js';
import { NULL_THRESHOLD } from './null-backend.js';
import { type EngineEvent, EnginePool } from './pool.js';
import type { Segmenter } from './segmenter.js';

export interface SegmenterOptions {
  /** 'auto', or an engine by name (see catalogue.ts). */
  readonly engine: string;
  /** Bundle, or several with commas between them: see loadModel; the 'null' engine needs none. */
  readonly model: string;
  /** How the bundle's group and instance norms are run; frozen where it has statistics, unless given. */
  readonly norm?: NormMode | undefined;
  /** Statistics that they are frozen by instead of the bundle's own: path of the file. */
  readonly fitted?: string | undefined;
  /** Views that are run of each patch; the patch alone unless given. */
  readonly tta?: Tta | undefined;
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
  /** Give the same as floats; false unless given. */
  readonly scores?: boolean;
  /** Compute the network in float16, for GPUs that are faster then; false unless given. */
  readonly half?: boolean;
  /**
   * 'process' runs native libraries in a process of their own, so that a crash of theirs is a failed batch; what is
   * WebAssembly or JavaScript stays in a thread. 'thread' unless given.
   */
  readonly isolation?: Isolation;
  /** In a process of its own: longest time for a batch in seconds, after which it counts as hung; no limit unless given. */
  readonly runSeconds?: number;
  /** Only for 'null': how long a batch takes, in ms; 0 unless given. */
  readonly nullDelay?: number;
  /** Told about restarts, lowered batches, quarantined patches and the end. */
  readonly onEvent?: (event: EngineEvent) => void;
  readonly signal?: AbortSignal;
}

/**
 * Starts an engine (or several), with the model loaded and warm. Throws what loadModel throws, USAGE for an unknown
 * engine, ENGINE_UNAVAILABLE when the engine cannot run here, or the signal's reason.
 */
export async function createSegmenter(options: SegmenterOptions): Promise<Segmenter> {
  const { arena, batch, signal, model, norm, fitted, tta, workers = 1, devices = [0], onEvent } = options;
  const { cacheFolder = defaultCacheFolder(), probabilities = false, scores = false, half = false } = options;
  const { shape, shared } = arena;
  const { patchSize } = shape;
  if (patchSize % 32 !== 0)
    throw new StromaflowError('USAGE', `patches of ${patchSize} pixels are not a multiple of 32`);
  const threads = Math.max(1, Math.floor(options.threads / workers));
  const probing = { model, threads, cacheFolder, ...(signal && { signal }) };
  const { engine, line } = await chooseEngine(options.engine, probing);
  const { name, version, threshold } = engine === 'null' ? NO_MODEL : await loadFor(options);

  const isolation = options.isolation === 'process' && entryOf(engine).native ? 'process' : 'thread';
  const where = { engine, model, norm, fitted, tta, modelVersion: engine === 'null' ? null : version, cacheFolder };
  const how = { batch, threads, half, isolation, runSeconds: options.runSeconds ?? 0 } as const;
  const backend = { ...where, ...how, nullDelay: options.nullDelay ?? 0, patchSize, layers: [], probabilities, scores };
  return EnginePool.start({
    crew: {
      model: { name, version, threshold },
      threads: devices.flatMap(device =>
        Array.from({ length: workers }, () => ({ arena: { shape, shared }, backend: { ...backend, device } })),
      ),
    },
    ...(line !== undefined && { choice: line }),
    ...(onEvent && { onEvent }),
    ...(signal && { signal }),
  });
}

const NO_MODEL = { name: 'null', version: '0', threshold: NULL_THRESHOLD };

async function loadFor({ model: source, norm, fitted, tta, arena, signal }: SegmenterOptions): Promise<Model> {
  const { patchSize } = arena.shape;
  const model = await loadModel(source, signal, { norm, fitted, tta });
  for (const member of model.members) checkSides(member, patchSize, patchSize);
  return model;
}
