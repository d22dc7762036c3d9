import { availableParallelism } from 'node:os';
import { SHARE_ENV, Worker } from 'node:worker_threads';
import { fromWire, StromaflowError } from '../errors.js';
import type { NormMode } from '../model/norm/statistics.js';
import { defaultCacheFolder } from '../model/onnx/compile.js';
import type { LayerOutput } from './backend.js';
import { chooseEngine } from './choose.js';
import type { EngineReply, EngineRequest, EngineWorkerData } from './protocol.js';
import type { RgbImage } from './rgb-image.js';

export interface EvaluateOptions {
  /** 'auto', or an engine by name. */
  readonly engine?: string;
  /** Layers to give besides the logits; `stromaflow model inspect` lists them. */
  readonly layers?: readonly string[];
  readonly threads?: number;
  /** Compute the network in float16. */
  readonly half?: boolean;
  /** How the bundle's group and instance norms are run; frozen where it has statistics, unless given. */
  readonly norm?: NormMode | undefined;
  readonly cacheFolder?: string;
  readonly signal?: AbortSignal;
}

export interface Evaluation {
  /** 'logits' first, float32 [1, classes, height, width], then the layers asked for. */
  readonly outputs: readonly LayerOutput[];
  /** 'onnxruntime 1.30.0 (cpu)'. */
  readonly engine: string;
  readonly seconds: number;
}

/**
 * Runs a model on one image in an engine's thread and gives the numbers behind the mask, so that parity with PyTorch can
 * be checked. Throws what loadBundle throws, MODEL_UNSUPPORTED for an unknown layer, USAGE for a size that is no multiple of 32.
 */
export async function evaluateImage(
  model: string,
  image: RgbImage,
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  return (await evaluateImages(model, [image], options))[0]!;
}

/** The same for several images, one after the other, with the model loaded once. */
export async function evaluateImages(
  model: string,
  images: readonly RgbImage[],
  options: EvaluateOptions = {},
): Promise<Evaluation[]> {
  images.forEach(checkSize);
  const {
    layers = [],
    threads = availableParallelism(),
    cacheFolder = defaultCacheFolder(),
    half = false,
    norm,
    signal,
  } = options;
  const probing = { model, threads, cacheFolder, ...(signal && { signal }) };
  const { engine } = await chooseEngine(options.engine ?? 'auto', probing);
  const backend = {
    engine,
    model,
    modelVersion: null,
    cacheFolder,
    patchSize: 0,
    batch: 1,
    threads,
    device: 0,
    half,
    norm,
    layers,
    nullDelay: 0,
  };
  const workerData: EngineWorkerData = { arena: null, backend };
  signal?.throwIfAborted();
  const worker = new Worker(new URL('./engine.worker.js', import.meta.url), {
    workerData,
    name: 'engine',
    env: SHARE_ENV,
  });
  const settled = new AbortController();
  try {
    return await new Promise<Evaluation[]>((resolve, reject) => {
      let name = '';
      const done: Evaluation[] = [];
      const next = () => {
        const image = images[done.length];
        if (image) worker.postMessage({ type: 'evaluate', ...image } satisfies EngineRequest);
        else resolve(done);
      };
      worker.on('message', (message: EngineReply) => {
        if (message.type === 'ready') {
          name = `${message.name} ${message.version} (${message.device})`;
          next();
        } else if (message.type === 'layers') {
          done.push({ outputs: message.layers, engine: name, seconds: message.seconds });
          next();
        } else if (message.type === 'unusable') reject(fromWire(message.error));
      });
      worker.on('error', cause => reject(new StromaflowError('ENGINE_FAILED', 'the engine crashed', { cause })));
      worker.on('exit', code => reject(new StromaflowError('ENGINE_FAILED', `the engine's thread ended with ${code}`)));
      signal?.addEventListener('abort', () => reject(signal.reason), { signal: settled.signal });
    });
  } finally {
    settled.abort();
    await worker.terminate();
  }
}

function checkSize({ width, height, pixels }: RgbImage): void {
  if (width % 32 !== 0 || height % 32 !== 0 || width * height === 0)
    throw new StromaflowError('USAGE', `the image is ${width} × ${height} pixels`, {
      fix: 'cut it to multiples of 32; the encoder halves it five times',
    });
  if (pixels.length !== width * height * 3) throw new RangeError(`${pixels.length} bytes for ${width} × ${height} RGB`);
}
