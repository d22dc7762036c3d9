import { join } from 'node:path';
import type { InferenceSession } from 'onnxruntime-node';
import { StromaflowError } from '../errors.js';
import { compileBundle } from '../model/onnx/compile.js';
import { PORTS } from '../model/onnx/surround.js';
import { checkSides } from '../model/sides.js';
import { viewsOf } from '../model/views.js';
import type { BackendOptions, EngineBackend } from './backend.js';
import type { EngineName } from './catalogue.js';
import { firstLine } from './first-line.js';
import { gather } from './gather.js';
import { inBatches } from './in-batches.js';
import { loadExactBundle } from './load-exact.js';
import { notFinitePlaces } from './not-finite.js';
import { loadOnnxruntime } from './onnxruntime.js';
import { refusedGraph, tryReady } from './ready-trial.js';

/** onnxruntime, loaded here only: inside the engine's thread, when it is asked for. */
export async function createOrtBackend(options: BackendOptions): Promise<EngineBackend> {
  const { engine, cacheFolder, patchSize, layers, probabilities = false, scores = false, half = false, tta } = options;
  const { ort, version } = loadOnnxruntime();
  const bundle = await loadExactBundle(options);
  const { network } = bundle;
  const fixed = network.kind === 'onnx' ? network.ready : { fixedBatch: null };
  const extras = { probabilities, scores, tta };
  const path = await compileBundle(bundle, { cacheFolder, layers, ...extras, half, keepNaN: engine !== 'cpu' });
  const asked = [...(probabilities ? [PORTS.probabilities] : []), ...(scores ? [PORTS.scores] : [])];
  const ports = [PORTS.mask, PORTS.counts, PORTS.sums, ...asked];
  const session = await ort.InferenceSession.create(path, sessionOptions(options)).catch(cause => {
    if (network.kind === 'onnx' && engine === 'cpu') throw refusedGraph(bundle, cause);
    const message = `onnxruntime cannot run ${bundle.name} on ${engine}: ${firstLine(cause)}`;
    throw new StromaflowError('ENGINE_UNAVAILABLE', message, { cause });
  });
  const feed = (pixels: Uint8Array, shape: readonly number[]) => ({
    [PORTS.patches]: new ort.Tensor('uint8', pixels, shape),
  });

  const views = viewsOf(tta).length;
  // onnxruntime refuses tensors over shared memory.
  const input = new Uint8Array(Math.max(options.batch, fixed.fixedBatch ?? 1) * patchSize * patchSize * 3);

  const run: EngineBackend['run'] = async patches => {
    const shape = [patches.length, patchSize, patchSize, 3];
    const results = await session.run(feed(gather(patches, input), shape), ports);
    return {
      mask: results[PORTS.mask]!.data as Uint8Array,
      counts: results[PORTS.counts]!.data as Int32Array,
      notFinite: notFinitePlaces(results[PORTS.sums]!.data as Float32Array),
      ...(probabilities && { probabilities: results[PORTS.probabilities]!.data as Uint8Array }),
      ...(scores && { scores: results[PORTS.scores]!.data as Float32Array }),
    };
  };
  const evaluate: EngineBackend['evaluate'] = async (pixels, height, width) => {
    const { fixedBatch } = fixed;
    checkSides(bundle, height, width);
    const images = fixedBatch === null ? 1 : fixedBatch / views;
    const batch = new Uint8Array(pixels.length * images);
    batch.set(pixels);
    const results = await session.run(feed(batch, [images, height, width, 3]), [PORTS.logits, ...layers]);
    return [PORTS.logits, ...layers].map(port => {
      const { dims, data } = results[port]!;
      const shape = [1, ...dims.slice(1)];
      const values = (data as Float32Array).slice(
        0,
        shape.reduce((product, size) => product * size, 1),
      );
      return { name: port === PORTS.logits ? 'logits' : port, shape, values };
    });
  };
  if (network.kind === 'onnx')
    await tryReady(bundle, network.ready, evaluate).catch(async error => {
      await session.release();
      throw error instanceof StromaflowError || engine !== 'cpu' ? error : refusedGraph(bundle, error);
    });
  // A GPU prepares its kernels for the shape it meets; a part-filled batch is filled up rather than prepared for.
  const filled = fixed.fixedBatch !== null || engine !== 'cpu';
  // Views of a patch are patches to the network: with them a batch is as large as without, or one patch.
  const batch = fixed.fixedBatch === null ? Math.max(1, Math.floor(options.batch / views)) : fixed.fixedBatch / views;
  return {
    name: 'onnxruntime',
    version,
    device: engine === 'cuda' || engine === 'tensorrt' ? `${engine}:${options.device}` : engine,
    run: inBatches(run, { batch, patchSize, filled }),
    evaluate,
    close: () => session.release(),
  };
}

function sessionOptions({ engine, threads, device, cacheFolder }: BackendOptions): InferenceSession.SessionOptions {
  if (engine === 'tensorrt') {
    // Building an engine takes minutes; onnxruntime keeps it where these say.
    process.env['ORT_TENSORRT_ENGINE_CACHE_ENABLE'] = '1';
    process.env['ORT_TENSORRT_CACHE_PATH'] = join(cacheFolder, 'tensorrt');
  }
  const cuda = { name: 'cuda', deviceId: device } as const;
  const providers: Partial<Record<EngineName, InferenceSession.SessionOptions['executionProviders']>> = {
    cuda: [cuda],
    // What TensorRT has no kernel for runs on CUDA.
    tensorrt: [{ name: 'tensorrt', deviceId: device }, cuda],
  };
  return {
    executionProviders: providers[engine] ?? [engine],
    intraOpNumThreads: threads,
    graphOptimizationLevel: 'all',
    // A spinning thread takes the core from a reader that decodes the next batch.
    extra: { session: { intra_op: { allow_spinning: '0' } } },
    logSeverityLevel: 3,
  };
}
