import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArchitecture } from '#src/model/architecture/config.js';
import { buildNetwork } from '#src/model/architecture/network.js';
import { type TensorToWrite, writeSafetensors } from '#src/model/safetensors-write.js';
import { temporaryFolder } from './temporary.js';

/** Norms in front of a sum, and biases in front of the sigmoid of squeeze and excitation: what would grow or vanish with depth. */
const LAST_OF_BLOCK = /^encoder\.(model\.)?layer|^encoder\.features\.\d+\.conv\.[23]\.|\._bn2\.|\.bn3\./;
const EXCITING = /(\._se_expand|\.conv_expand|\.se(_module)?\.fc2)\.bias$/;

/** Weights by the formula of test/golden/model_golden.py, so that parity needs none stored. */
export function formulaWeights(name: string, shape: readonly number[]): Float32Array {
  const count = shape.reduce((product, size) => product * size, 1);
  const part = name.slice(name.lastIndexOf('.') + 1);
  const values = new Float32Array(count);
  const bound = Math.sqrt(6 / (count / shape[0]!));
  const centre = LAST_OF_BLOCK.test(name) ? 0.5 : 1;
  const seed = fnv1a(name);
  for (let i = 0; i < count; i++) {
    const u = uniform(seed, i);
    if (shape.length > 1) values[i] = u * bound;
    else if (part === 'running_var') values[i] = 1 + 0.5 * u;
    else if (part === 'weight') values[i] = centre + 0.25 * u;
    else if (EXCITING.test(name)) values[i] = 2 + 0.1 * u;
    else values[i] = 0.1 * u;
  }
  return values;
}

/** Numbers in [-1, 1), the same for the same name. */
export function hashed(name: string, count: number): Float64Array {
  const seed = fnv1a(name);
  return Float64Array.from({ length: count }, (_, i) => uniform(seed, i));
}

function fnv1a(name: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}

/** Finaliser of MurmurHash3 over a Weyl sequence, scaled to [-1, 1). */
function uniform(seed: number, index: number): number {
  let h = (Math.imul(index, 0x9e3779b9) + seed) >>> 0;
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  h ^= h >>> 16;
  return (h >>> 0) / 2 ** 31 - 1;
}

export interface BundleParts {
  readonly config: Readonly<Record<string, unknown>>;
  readonly manifest?: Readonly<Record<string, unknown>> | null;
  /** Changes the tensors before they are written. */
  readonly edit?: (tensors: TensorToWrite[]) => TensorToWrite[];
  readonly dtype?: 'F32' | 'F16';
}

/** A bundle folder with formula weights, in a new temporary folder or in `folder`. Small unless the configuration is not. */
export async function makeBundle(
  { config, manifest = {}, edit, dtype }: BundleParts,
  folder?: string,
): Promise<string> {
  const path = folder ?? temporaryFolder('bundle');
  await mkdir(path, { recursive: true });
  await writeFile(join(path, 'config.json'), JSON.stringify(config));
  if (manifest) {
    const stated = { name: 'formula', version: '1.0.0', spacing: 0.5, patchSize: 64, threshold: 0.5, ...manifest };
    const classes = Number(config['classes'] ?? 1);
    await writeFile(
      join(path, 'stromaflow.json'),
      JSON.stringify(classes > 1 ? { positiveClasses: [0], ...stated } : stated),
    );
  }
  const { parameters } = buildNetwork(parseArchitecture(config, 'config.json'));
  const tensors = [...parameters].map(([name, shape]) => ({ name, shape, values: formulaWeights(name, shape) }));
  await writeSafetensors(join(path, 'model.safetensors'), edit ? edit(tensors) : tensors, dtype);
  return path;
}

/** A network of a few thousand weights: the smallest U-Net over ResNet18. */
export const SMALL = {
  _model_class: 'Unet',
  encoder_name: 'resnet18',
  encoder_depth: 3,
  decoder_channels: [16, 8, 8],
} as const;

export const STARTER = new URL('../../models/stroma-fpn-resnet34-starter', import.meta.url).pathname;
