import { StromaflowError } from '../errors.js';
import { loadBundle, type ModelBundle } from '../model/bundle.js';
import { defaultCacheFolder } from '../model/onnx/compile.js';
import type { Arena } from '../stage/arena.js';
import { ENGINE_NAMES, type EngineName } from './catalogue.js';
import type { Segmenter } from './segmenter.js';
import { WorkerSegmenter } from './worker-segmenter.js';

export interface SegmenterOptions {
  /** 'auto', or an engine by name (see ENGINE_NAMES). */
  readonly engine: string;
  /** Bundle folder; the 'null' engine needs none. */
  readonly model: string;
  /** Where the patches are; its patch size is what the model is run at. */
  readonly arena: Arena;
  /** Most patches a call may carry. */
  readonly batch: number;
  /** Threads of a CPU engine, ≥ 1. */
  readonly threads: number;
  /** Where compiled models are kept; see defaultCacheFolder. */
  readonly cacheFolder?: string;
  /** Only for 'null': how long a batch takes, in ms; 0 unless given. */
  readonly nullDelay?: number;
  readonly signal?: AbortSignal;
}

async function loadFor(model: string, patchSize: number, signal?: AbortSignal): Promise<ModelBundle> {
  const bundle = await loadBundle(model, signal);
  const side = bundle.network.kind === 'onnx' ? bundle.network.ready.fixedSide : null;
  if (side === null || side === patchSize) return bundle;
  throw new StromaflowError(
    'MODEL_UNSUPPORTED',
    `${bundle.name} takes patches of ${side} pixels only, not ${patchSize}`,
    {
      fix: `leave --patch-size at ${side}, or export the model with dynamic height and width`,
    },
  );
}

/** Throws USAGE for a name that no engine has. */
export function engineNamed(wanted: string): EngineName {
  const engine = wanted === 'auto' ? AUTO[0] : ENGINE_NAMES.find(name => name === wanted);
  if (engine) return engine;
  throw new StromaflowError('USAGE', `there is no engine ${wanted}`, { fix: `use auto, ${ENGINE_NAMES.join(', ')}` });
}

const AUTO: readonly EngineName[] = ['cpu'];

/**
 * Starts an engine in its own thread, with the model loaded and warm. Throws what loadBundle throws, USAGE for an unknown
 * engine, ENGINE_UNAVAILABLE when the engine cannot run here.
 */
export async function createSegmenter(options: SegmenterOptions): Promise<Segmenter> {
  const { arena, batch, threads, signal, model, nullDelay = 0, cacheFolder = defaultCacheFolder() } = options;
  const { patchSize } = arena.shape;
  const engine = engineNamed(options.engine);
  if (patchSize % 32 !== 0)
    throw new StromaflowError('USAGE', `patches of ${patchSize} pixels are not a multiple of 32`);
  const facts = engine === 'null' ? { name: 'null', version: '0' } : await loadFor(model, patchSize, signal);
  return WorkerSegmenter.start(
    {
      arena: { shape: arena.shape, shared: arena.shared },
      backend: { engine, model, cacheFolder, patchSize, batch, threads, layers: [], nullDelay },
    },
    facts,
    signal,
  );
}
