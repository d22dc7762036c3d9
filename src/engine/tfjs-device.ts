import { createRequire } from 'node:module';
import { StromaflowError } from '../errors.js';
import type { Tf } from '../model/tfjs/layer.js';
import { type EngineName, entryOf } from './catalogue.js';
import { firstLine } from './first-line.js';

/** TensorFlow.js, ready to compute on one device. */
export interface TfjsDevice {
  readonly tf: Tf;
  readonly version: string;
  /** 'cpu', 'wasm', or the GPU's name. */
  readonly device: string;
}

const DEVICES: Partial<Record<EngineName, string>> = { 'tfjs-node-gpu': 'gpu', 'tfjs-wasm': 'wasm' };

const require = createRequire(import.meta.url);

/**
 * Loads TensorFlow.js with the back end of this engine. Everything of it is an optional dependency.
 * Throws ENGINE_UNAVAILABLE with what is missing.
 */
export async function openTfjs(engine: EngineName): Promise<TfjsDevice> {
  try {
    const tf = engine.startsWith('tfjs-node') ? nodeBinding(engine) : (require('@tensorflow/tfjs-core') as Tf);
    // Otherwise every tensor is searched for NaN, and a banner is printed.
    tf.enableProdMode();
    let device = DEVICES[engine] ?? 'cpu';
    if (engine === 'tfjs-cpu') require('@tensorflow/tfjs-backend-cpu');
    if (engine === 'tfjs-wasm') require('@tensorflow/tfjs-backend-wasm');
    if (engine === 'tfjs-webgpu') device = await offerWebGpu();
    const backend = engine.startsWith('tfjs-node') ? 'tensorflow' : engine.replace('tfjs-', '');
    if (!(await tf.setBackend(backend))) throw new Error(`the back end ${backend} did not start`);
    await tf.ready();
    return { tf, version: tf.version_core, device };
  } catch (cause) {
    if (cause instanceof StromaflowError) throw cause;
    const { install } = entryOf(engine);
    const missing = (cause as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND';
    const what = missing ? `${engine} is not installed` : `${engine} cannot start: ${firstLine(cause)}`;
    throw new StromaflowError('ENGINE_UNAVAILABLE', what, { cause, ...(install && { fix: install }) });
  }
}

/** @tensorflow/tfjs-node or -gpu, whose native binding is libtensorflow. */
function nodeBinding(engine: EngineName): Tf {
  // Node 23 removed helpers that tfjs-node 4.22 calls while it loads (tensorflow/tfjs#8425, never released).
  const util = require('node:util') as Record<string, unknown>;
  util['isNullOrUndefined'] ??= (value: unknown) => value === null || value === undefined;
  util['isArray'] ??= Array.isArray;
  // Without it TensorFlow takes all of the GPU's memory at once.
  process.env['TF_FORCE_GPU_ALLOW_GROWTH'] ??= 'true';
  process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '2';
  return require(`@tensorflow/${engine}`) as Tf;
}

/** Gives TensorFlow.js the `webgpu` package where a browser would have navigator.gpu; returns the adapter's name. */
async function offerWebGpu(): Promise<string> {
  const { gpu, adapter } = await openWebGpu();
  Object.defineProperty(globalThis, 'navigator', { value: { gpu, userAgent: 'Node.js' }, configurable: true });
  require('@tensorflow/tfjs-backend-webgpu');
  return adapter;
}

/**
 * WebGPU by the optional `webgpu` package, and the name of the GPU it takes: 'nvidia-geforce-rtx-3090 (NVIDIA: 550.54.15)'.
 * Throws ENGINE_UNAVAILABLE where there is no GPU.
 */
export async function openWebGpu(): Promise<{ readonly gpu: object; readonly adapter: string }> {
  const { create, globals } = (await import('webgpu')) as { create(options: string[]): GpuLike; globals: object };
  Object.assign(globalThis, globals);
  const gpu = create([]);
  const adapter = await gpu.requestAdapter();
  if (!adapter)
    throw new StromaflowError('ENGINE_UNAVAILABLE', 'no WebGPU adapter', { fix: entryOf('tfjs-webgpu').install! });
  const { vendor, device, description } = adapter.info;
  const named = device.replace(/-+$/, '') || vendor || 'webgpu';
  return { gpu, adapter: description ? `${named} (${description})` : named };
}

interface GpuLike {
  requestAdapter(): Promise<{
    readonly info: { readonly description: string; readonly device: string; readonly vendor: string };
  } | null>;
}
