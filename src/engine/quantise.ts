import { StromaflowError } from '../errors.js';
import { loadBundle, type ModelBundle } from '../model/bundle.js';
import { simplify } from '../model/graph/simplify.js';
import { importBundle } from '../model/import.js';
import type { Range } from '../model/int8/affine.js';
import { measuredPlaces, type Quantisation } from '../model/int8/quantisation.js';
import { graphOf } from '../model/norm/network.js';
import { defaultCacheFolder } from '../model/onnx/compile.js';
import { PORTS } from '../model/onnx/surround.js';
import type { EngineBackend } from './backend.js';
import { createBackend } from './backends.js';

/** Pixels of one patch: side × side × 3 bytes RGB. */
export type PatchPixels = Uint8Array<ArrayBuffer>;

export interface QuantiseOptions {
  /** Patches as the model will meet them, of the bundle's patch size; every fourth is kept back to compare on. */
  readonly patches: AsyncIterable<PatchPixels>;
  readonly threads: number;
  readonly overwrite?: boolean;
  readonly cacheFolder?: string;
  readonly signal?: AbortSignal;
}

export interface Quantised {
  readonly bundle: ModelBundle;
  /** Patches the ranges were measured on. */
  readonly calibratedOn: number;
  readonly comparison: Comparison;
}

/** The int8 bundle against the float32 one it was made of, on patches that were not calibrated on. */
export interface Comparison {
  readonly patches: number;
  /** Largest and mean |Δlogit|. */
  readonly largest: number;
  readonly mean: number;
  /** Part of the pixels on the same side of logit 0. */
  readonly agreement: number;
  /** Seconds a patch of both, in turn. */
  readonly floatSeconds: number;
  readonly int8Seconds: number;
}

const LEAST_PATCHES = 8;

/**
 * Makes an int8 bundle: runs the float32 one over patches, notes the range of every tensor that will become bytes, and
 * writes both together; the weights are rounded whenever the bundle is compiled. Then compares the two.
 * Throws what importBundle throws, MODEL_UNSUPPORTED for a bundle that cannot be quantised, MODEL_NOT_FINITE for one that gives
 * NaN or infinity on a patch, USAGE for too few patches.
 */
export async function quantiseBundle(source: string, target: string, options: QuantiseOptions): Promise<Quantised> {
  const { patches, overwrite = false, signal } = options;
  const bundle = await loadBundle(source, signal);
  const graph = quantisable(bundle);
  const held: PatchPixels[] = [];
  const ranges = new Map<string, Range>();
  let calibratedOn = 0;
  const backend = await open(source, options, [PORTS.ranges]);
  try {
    let met = 0;
    for await (const pixels of patches) {
      signal?.throwIfAborted();
      if (++met % 4 === 0) {
        if (held.length < 32) held.push(pixels);
        continue;
      }
      const [logits, found] = await backend.evaluate(pixels, bundle.patchSize, bundle.patchSize);
      checkFinite(source, [logits!.values, found!.values]);
      for (const [i, { name }] of measuredPlaces(graph).entries())
        ranges.set(name, wider(ranges.get(name), [found!.values[2 * i]!, found!.values[2 * i + 1]!]));
      calibratedOn++;
    }
    if (met < LEAST_PATCHES)
      throw new StromaflowError('USAGE', `${met} patches with tissue are too few to quantise with`, {
        fix: `give pictures or slides that hold ${LEAST_PATCHES} patches at least, better 100, of every stain and tissue`,
      });
  } finally {
    await backend.close();
  }
  const quantisation: Quantisation = { patches: calibratedOn, ranges: Object.fromEntries(ranges) };
  const manifest = { name: `${bundle.name}-int8` };
  const made = await importBundle(source, target, { manifest, quantisation, overwrite, ...(signal && { signal }) });
  return { bundle: made, calibratedOn, comparison: await compare(bundle, made, held, options) };
}

function quantisable({ path, network }: ModelBundle) {
  const unsupported = (what: string, fix: string) =>
    new StromaflowError('MODEL_UNSUPPORTED', `${path} ${what}`, { fix });
  if (network.kind === 'onnx')
    throw unsupported('is a ready ONNX graph, which runs as it was exported', 'quantise a bundle of save_pretrained');
  if (network.quantisation) throw unsupported('is quantised already', 'quantise the bundle it was made of');
  return simplify(graphOf(network));
}

/** Rounded to bytes, NaN and infinity would become numbers like any other. */
function checkFinite(path: string, tensors: readonly Float32Array[]): void {
  if (tensors.every(values => values.every(Number.isFinite))) return;
  throw new StromaflowError('MODEL_NOT_FINITE', `${path} gives NaN or infinity on a patch of the pictures`);
}

function wider(range: Range | undefined, [low, high]: Range): Range {
  return range ? [Math.min(range[0], low), Math.max(range[1], high)] : [low, high];
}

function open(model: string, options: QuantiseOptions, layers: readonly string[] = []): Promise<EngineBackend> {
  const { threads, cacheFolder = defaultCacheFolder() } = options;
  const fixed = { engine: 'cpu', modelVersion: null, patchSize: 0, batch: 1, device: 0, nullDelay: 0 } as const;
  return createBackend({ ...fixed, model, threads, cacheFolder, layers });
}

/** Both in turn, so that a busy machine disturbs them alike. */
async function compare(
  { path, patchSize }: ModelBundle,
  made: ModelBundle,
  patches: readonly PatchPixels[],
  options: QuantiseOptions,
): Promise<Comparison> {
  const backends = [await open(path, options), await open(made.path, options)] as const;
  const seconds = [0, 0] as [number, number];
  let [pixels, same, sum, largest] = [0, 0, 0, 0];
  try {
    for (const backend of backends) await backend.evaluate(patches[0]!, patchSize, patchSize);
    for (const patch of patches) {
      options.signal?.throwIfAborted();
      const logits: Float32Array[] = [];
      for (const [i, backend] of backends.entries()) {
        const startedAt = performance.now();
        logits.push((await backend.evaluate(patch, patchSize, patchSize))[0]!.values);
        seconds[i]! += (performance.now() - startedAt) / 1000 / patches.length;
      }
      checkFinite(path, logits);
      const [float, int8] = logits as [Float32Array, Float32Array];
      for (let i = 0; i < float.length; i++) {
        const difference = Math.abs(float[i]! - int8[i]!);
        largest = Math.max(largest, difference);
        sum += difference;
        if (float[i]! > 0 === int8[i]! > 0) same++;
      }
      pixels += float.length;
    }
  } finally {
    for (const backend of backends) await backend.close();
  }
  const [floatSeconds, int8Seconds] = seconds;
  return { patches: patches.length, largest, mean: sum / pixels, agreement: same / pixels, floatSeconds, int8Seconds };
}
