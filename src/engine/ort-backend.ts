import { createRequire } from 'node:module';
import { StromaflowError } from '../errors.js';
import { loadBundle } from '../model/bundle.js';
import { compileBundle } from '../model/onnx/compile.js';
import type { BackendOptions, EngineBackend } from './backend.js';

/** onnxruntime, loaded here only: inside the engine's thread, when it is asked for. */
export async function createOrtBackend(options: BackendOptions): Promise<EngineBackend> {
  const { engine, model, cacheFolder, patchSize, threads, layers } = options;
  const ort = await import('onnxruntime-node').catch(cause => {
    throw new StromaflowError('ENGINE_UNAVAILABLE', 'onnxruntime-node cannot be loaded', { cause });
  });
  const bundle = await loadBundle(model);
  const path = await compileBundle(bundle, { cacheFolder, layers });
  const session = await ort.InferenceSession.create(path, {
    intraOpNumThreads: threads,
    graphOptimizationLevel: 'all',
    executionProviders: [engine],
    // A spinning thread takes the core from a reader that decodes the next batch.
    extra: { session: { intra_op: { allow_spinning: '0' } } },
    logSeverityLevel: 3,
  });
  const { version } = createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string };
  return {
    name: 'onnxruntime',
    version,
    device: engine,
    async run(pixels, count) {
      const shape = [count, patchSize, patchSize, 3];
      const patches = new ort.Tensor('uint8', pixels.subarray(0, count * patchSize * patchSize * 3), shape);
      const { mask, counts } = await session.run({ patches }, ['mask', 'counts']);
      return { mask: mask!.data as Uint8Array, counts: counts!.data as Int32Array };
    },
    async evaluate(pixels, height, width) {
      const names = ['logits', ...layers];
      const results = await session.run({ patches: new ort.Tensor('uint8', pixels, [1, height, width, 3]) }, names);
      return names.map(name => ({ name, shape: results[name]!.dims, values: results[name]!.data as Float32Array }));
    },
    close: () => session.release(),
  };
}
