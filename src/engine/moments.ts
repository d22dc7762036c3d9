import { StromaflowError } from '../errors.js';
import { buildNetwork } from '../model/architecture/network.js';
import type { ModelBundle, SmpNetwork } from '../model/bundle.js';
import { groupNorms } from '../model/graph/freeze.js';
import { MomentSums } from '../model/norm/moments.js';
import { defaultCacheFolder } from '../model/onnx/compile.js';
import { PORTS } from '../model/onnx/surround.js';
import type { Isolation } from './backend.js';
import { createBackend } from './backends.js';

export interface MeasureOptions {
  /** Side of the patches, a multiple of 32. */
  readonly patchSize: number;
  readonly threads: number;
  readonly cacheFolder?: string;
  /** See BackendOptions. */
  readonly isolation?: Isolation;
  readonly signal?: AbortSignal | undefined;
  /** Told after each patch; true ends it. */
  readonly after?: (sums: MomentSums) => boolean;
}

/**
 * What the group and instance norms of a bundle read on patches of patchSize² × 3 bytes, by the engine `cpu` whatever the masks are
 * made by: statistics are the same on every machine but for rounding. The bundle is one that `freezable` lets pass, loaded with norms
 * by patch. Throws what createBackend throws, MODEL_NOT_FINITE, or the signal's reason.
 */
export async function measureMoments(
  { path, version, network }: ModelBundle,
  patches: AsyncIterable<Uint8Array<ArrayBuffer>> | Iterable<Uint8Array<ArrayBuffer>>,
  options: MeasureOptions,
): Promise<MomentSums> {
  const { patchSize, threads, cacheFolder = defaultCacheFolder(), isolation = 'thread', signal, after } = options;
  const sums = new MomentSums(groupNorms(buildNetwork((network as SmpNetwork).architecture)));
  const fixed = { engine: 'cpu', norm: 'patch', patchSize: 0, batch: 1, device: 0, nullDelay: 0 } as const;
  const how = { ...fixed, threads, cacheFolder, isolation, layers: [PORTS.moments] };
  const backend = await createBackend({ ...how, model: path, modelVersion: version });
  try {
    for await (const pixels of patches) {
      signal?.throwIfAborted();
      const [, moments] = await backend.evaluate(pixels, patchSize, patchSize);
      if (!moments!.values.every(Number.isFinite))
        throw new StromaflowError('MODEL_NOT_FINITE', `${path} computes NaN or infinity on a patch of the pictures`);
      sums.add(moments!.values);
      if (after?.(sums)) break;
    }
  } finally {
    await backend.close();
  }
  return sums;
}
