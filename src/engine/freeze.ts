import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { StromaflowError } from '../errors.js';
import { buildNetwork } from '../model/architecture/network.js';
import { loadBundle, MANIFEST, type ModelBundle, type SmpNetwork } from '../model/bundle.js';
import { groupNorms } from '../model/graph/freeze.js';
import { importBundle } from '../model/import.js';
import type { NormSource } from '../model/manifest.js';
import type { MomentSums } from '../model/norm/moments.js';
import { LEAST_NORM_PATCHES, NORM_STATISTICS, writeNormStatistics } from '../model/norm/statistics.js';
import { measureMoments } from './moments.js';
import type { PatchPixels } from './quantise.js';

export interface FreezeOptions {
  /** Patches of patchSize² pixels that are tissue throughout: neither padding nor glass is to shape the statistics. */
  readonly patches: AsyncIterable<PatchPixels>;
  readonly patchSize: number;
  /** Take all of them; unless given, as many as it takes until the statistics stand still. */
  readonly all?: boolean;
  readonly threads: number;
  /** Folder of a copy that gets the statistics; the bundle itself is left as it is. Unless given, the bundle gets them. */
  readonly copy?: string | undefined;
  /** Replace statistics, or a copy, that are there. */
  readonly overwrite?: boolean;
  /** What stromaflow.json is to say of the pictures, asked for at the end. */
  readonly source: () => Omit<NormSource, 'patches'>;
  /** Told after each patch: how many there were, and the standard error (see MomentSums). */
  readonly onProgress?: (patches: number, error: number) => void;
  readonly cacheFolder?: string;
  readonly signal?: AbortSignal;
}

export interface Frozen {
  readonly bundle: ModelBundle;
  readonly patches: number;
  /** Standard error of the statistics as a part of what they measure, root mean square over all groups. */
  readonly error: number;
}

/** Statistics stand still when more patches would move them by less than this part of a standard deviation. */
export const STILL = 0.03;
/** As few are not trusted to say themselves how far they are off. */
const LEAST_BEFORE_STILL = 48;

/**
 * Takes the statistics that a bundle's group and instance norms are to be frozen by: the mean and the mean square of what each
 * group reads, averaged over patches. Writes them beside the weights, which stay as they are, and says so in stromaflow.json.
 * Throws what loadBundle throws, MODEL_UNSUPPORTED for a bundle that has no such norms or is quantised, USAGE where there are
 * statistics already or too few patches, MODEL_NOT_FINITE, OUTPUT_FAILED.
 */
export async function freezeBundle(path: string, options: FreezeOptions): Promise<Frozen> {
  const { patches, patchSize, all = false, overwrite = false, copy, signal, onProgress } = options;
  const bundle = await loadBundle(path, signal, { norm: 'patch' });
  freezable(bundle);
  const taken = copy === undefined ? join(bundle.path, NORM_STATISTICS) : resolve(copy);
  if (copy !== undefined && taken === bundle.path)
    throw new StromaflowError('USAGE', `${taken} is the bundle itself`, { fix: 'give the copy another name' });
  if (!overwrite && (await exists(taken)))
    throw new StromaflowError('USAGE', `${taken} exists`, {
      fix:
        copy === undefined
          ? 'give --overwrite to take the statistics again, or a second folder for a copy that gets them'
          : 'choose another name, or give --overwrite',
    });
  const { threads, cacheFolder } = options;
  const sums = await measureMoments(bundle, patches, {
    ...{ patchSize, threads, signal },
    ...(cacheFolder !== undefined && { cacheFolder }),
    after: so => {
      onProgress?.(so.patches, so.error());
      return !all && so.patches >= LEAST_BEFORE_STILL && so.error() <= STILL;
    },
  });
  if (sums.patches < LEAST_NORM_PATCHES)
    throw new StromaflowError(
      'USAGE',
      `${sums.patches} patches that are tissue throughout are too few to freeze norms by`,
      {
        fix: `give pictures or slides that hold ${LEAST_NORM_PATCHES} at least, better 100, or a smaller --patch-size`,
      },
    );
  const frozen =
    copy === undefined ? bundle : await importBundle(path, copy, { norm: 'patch', overwrite, ...stop(signal) });
  await writeBeside(frozen, freezable(frozen), sums, options.source());
  return { bundle: await loadBundle(frozen.path, signal), patches: sums.patches, error: sums.error() };
}

/** The network of a bundle whose norms can be frozen. Throws MODEL_UNSUPPORTED, saying why they cannot. */
export function freezable({ path, network }: ModelBundle): SmpNetwork {
  const unsupported = (what: string, fix: string) =>
    new StromaflowError('MODEL_UNSUPPORTED', `${path} ${what}`, { fix });
  if (network.kind === 'onnx')
    throw unsupported('is a ready ONNX graph, which runs as it was exported', 'freeze a bundle of save_pretrained');
  if (network.quantisation) throw unsupported('is quantised', 'freeze the bundle it was made of, and quantise that');
  if (groupNorms(buildNetwork(network.architecture)).length === 0)
    throw unsupported(
      'has no group and no instance norms',
      'its masks do not depend on what else is in a patch already',
    );
  return network;
}

/** The statistics take their name last: until then the bundle is what it was. */
async function writeBeside(
  { path }: ModelBundle,
  { weights }: SmpNetwork,
  sums: MomentSums,
  source: Omit<NormSource, 'patches'>,
): Promise<void> {
  const { patches } = sums;
  const [manifest, target] = [join(path, MANIFEST), join(path, NORM_STATISTICS)];
  const stated = (await exists(manifest)) ? (JSON.parse(await readFile(manifest, 'utf8')) as object) : {};
  const text = `${JSON.stringify({ ...stated, normStatistics: { patches, ...source } }, null, 2)}\n`;
  const temporary = [`${target}.new`, `${manifest}.new`] as const;
  try {
    await writeNormStatistics(temporary[0], sums.moments(), { patches, weights });
    await writeFile(temporary[1], text);
    await rename(temporary[1], manifest);
    await rename(temporary[0], target);
  } catch (cause) {
    for (const file of temporary) await rm(file, { force: true });
    throw new StromaflowError('OUTPUT_FAILED', `${target} cannot be written`, { cause });
  }
}

const stop = (signal: AbortSignal | undefined) => (signal ? { signal } : {});

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );
