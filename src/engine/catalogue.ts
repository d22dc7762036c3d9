import { existsSync } from 'node:fs';

/** Every engine by name: what it is, whether it is worth trying here, what makes it available. */
export interface EngineEntry {
  readonly name: EngineName;
  /** For people. */
  readonly title: string;
  readonly library: 'onnxruntime' | 'tfjs' | 'none';
  /** Native code runs it, which can take its process down. */
  readonly native: boolean;
  /** Why it cannot work on this machine, where a glance tells; undefined when only trying can. */
  readonly hopeless?: () => string | undefined;
  /** What to do to have it. */
  readonly install?: string;
}

export const ENGINE_NAMES = [
  'tensorrt',
  'cuda',
  'webgpu',
  'cpu',
  'tfjs-node-gpu',
  'tfjs-webgpu',
  'tfjs-node',
  'tfjs-wasm',
  'tfjs-cpu',
  'null',
] as const;
export type EngineName = (typeof ENGINE_NAMES)[number];

const CUDA_LIBRARIES =
  'on Linux x64 with CUDA 12 and cuDNN 9: npm i --ignore-scripts=false onnxruntime-node@1.30.0; with CUDA 13: docs/engines.md';

const GPU_DRIVER = "a GPU with its vendor's driver; on Linux also libvulkan1";

/** Its install script fetches libtensorflow, and this project's .npmrc runs none. */
function nodeInstall(name: string, needs: string): string {
  return `npm i --ignore-scripts=false @tensorflow/${name}@4.22.0${needs}`;
}

/** In the order `auto` prefers them. */
export const ENGINES: readonly EngineEntry[] = [
  {
    name: 'tensorrt',
    title: 'onnxruntime on an NVIDIA GPU through TensorRT',
    library: 'onnxruntime',
    native: true,
    hopeless: noNvidia,
    install: `TensorRT 10, and ${CUDA_LIBRARIES}`,
  },
  {
    name: 'cuda',
    title: 'onnxruntime on an NVIDIA GPU',
    library: 'onnxruntime',
    native: true,
    hopeless: noNvidia,
    install: CUDA_LIBRARIES,
  },
  {
    name: 'webgpu',
    title: 'onnxruntime on any GPU through Vulkan, Metal or Direct3D 12',
    library: 'onnxruntime',
    native: true,
    hopeless: noGpu,
    install: GPU_DRIVER,
  },
  { name: 'cpu', title: 'onnxruntime on the CPU', library: 'onnxruntime', native: true },
  {
    name: 'tfjs-node-gpu',
    title: 'TensorFlow on an NVIDIA GPU',
    library: 'tfjs',
    native: true,
    hopeless: noNvidia,
    install: nodeInstall('tfjs-node-gpu', ', with CUDA 11.2 and cuDNN 8.1, on Node 20 or 22'),
  },
  {
    name: 'tfjs-webgpu',
    title: 'TensorFlow.js on any GPU through Vulkan, Metal or Direct3D 12',
    library: 'tfjs',
    native: true,
    hopeless: noGpu,
    install: `${GPU_DRIVER}; npm i @tensorflow/tfjs-core@4.22.0 @tensorflow/tfjs-backend-webgpu@4.22.0 webgpu@0.6.2`,
  },
  {
    name: 'tfjs-node',
    title: 'TensorFlow on the CPU',
    library: 'tfjs',
    native: true,
    install: nodeInstall('tfjs-node', ', on Node 20 or 22'),
  },
  {
    name: 'tfjs-wasm',
    title: 'TensorFlow.js in WebAssembly',
    library: 'tfjs',
    native: false,
    install: 'npm i @tensorflow/tfjs-core@4.22.0 @tensorflow/tfjs-backend-wasm@4.22.0',
  },
  {
    name: 'tfjs-cpu',
    title: 'TensorFlow.js in plain JavaScript',
    library: 'tfjs',
    native: false,
    install: 'npm i @tensorflow/tfjs-core@4.22.0 @tensorflow/tfjs-backend-cpu@4.22.0',
  },
  { name: 'null', title: 'no model: marks dark pixels', library: 'none', native: false },
];

export function entryOf(name: EngineName): EngineEntry {
  return ENGINES.find(engine => engine.name === name)!;
}

function noNvidia(): string | undefined {
  if (process.platform === 'win32') return undefined;
  if (process.platform === 'darwin') return 'macOS has no NVIDIA driver';
  return existsSync('/dev/nvidiactl') || existsSync('/dev/dxg') ? undefined : 'no NVIDIA GPU (no /dev/nvidiactl)';
}

function noGpu(): string | undefined {
  // Whoever names a Vulkan driver wants it used, be it a software one.
  if (process.platform !== 'linux' || process.env['VK_ICD_FILENAMES'] || process.env['VK_DRIVER_FILES'])
    return undefined;
  const devices = ['/dev/dri', '/dev/nvidiactl', '/dev/dxg', '/dev/mali0', '/dev/kgsl-3d0'];
  return devices.some(existsSync) ? undefined : 'no GPU (no /dev/dri)';
}
