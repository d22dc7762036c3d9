import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { StromaflowError } from '../../errors.js';
import { groupNorms } from '../graph/freeze.js';
import type { Graph } from '../graph/graph.js';
import { SafetensorsFile } from '../safetensors.js';
import { type TensorToWrite, writeSafetensors } from '../safetensors-write.js';
import { checkParameters, negativeVariance } from '../weights.js';

/**
 * norm-statistics.safetensors: what the group and instance norms of a bundle are to normalise by, instead of by each patch's own
 * mean and variance. Per module `<name>.running_mean` and `<name>.running_var`, float32 [groups], as PyTorch names the
 * stored statistics of other norms. They belong to the weights they were taken with, whose SHA-256 is noted.
 */
export const NORM_STATISTICS = 'norm-statistics.safetensors';

/** Fewer patches tell little about a slide, and nothing about a stain. */
export const LEAST_NORM_PATCHES = 16;

/** How the bundle's norms are run: by each patch's own statistics, or by those stored beside the weights. */
export type NormMode = 'patch' | 'frozen';
export const NORM_MODES: readonly NormMode[] = ['patch', 'frozen'];

/** Facts of a statistics file that was checked; safe to send to another thread. */
export interface NormStatistics {
  /** Absolute path. */
  readonly path: string;
  /** Patches they were taken from. */
  readonly patches: number;
}

/** Mean and variance of each group of one norm. */
export interface NormMoments {
  readonly name: string;
  readonly mean: Float32Array;
  readonly variance: Float32Array;
}

/**
 * Checks a statistics file against the network and the weights beside it.
 * Throws MODEL_NOT_FOUND, MODEL_TENSOR (statistics of another architecture), or MODEL_INVALID (of other weights, from too few
 * patches, NaN, a variance below 0), naming what is wrong.
 */
export async function readNormStatistics(path: string, graph: Graph, weights: string): Promise<NormStatistics> {
  const parameters = new Map<string, readonly number[]>(
    groupNorms(graph).flatMap(({ name, groups }) =>
      ['running_mean', 'running_var'].map(part => [`${name}.${part}`, [groups]] as const),
    ),
  );
  const file = await SafetensorsFile.open(path);
  try {
    const unknown = [...file.tensors.keys()].find(name => !parameters.has(name));
    if (unknown !== undefined)
      throw new StromaflowError('MODEL_TENSOR', `${path}: the network has no norm for the statistics ${unknown}`);
    checkParameters({ parameters }, file);
    const patches = Number(file.metadata['patches']);
    if (!Number.isInteger(patches) || patches < LEAST_NORM_PATCHES)
      throw invalid(
        `${path}: from ${file.metadata['patches'] ?? 'nobody says how many'} patches; ${LEAST_NORM_PATCHES} are the least`,
      );
    for (const name of parameters.keys()) {
      const values = await file.read(name);
      const negative = name.endsWith('.running_var') ? values.findIndex(value => value < 0) : -1;
      if (negative >= 0) throw negativeVariance(`${path}: tensor ${name}`, values[negative]!, negative);
    }
    if (file.metadata['weights'] !== (await sha256(weights)))
      throw invalid(`${path}: taken with other weights than ${weights}`);
    return { path, patches };
  } catch (error) {
    if (!(error instanceof StromaflowError)) throw error;
    // Advice about weights is none about statistics.
    throw new StromaflowError(error.code, error.message, { fix: AGAIN, cause: error });
  } finally {
    await file.close();
  }
}

const AGAIN = 'take them again with stromaflow model freeze --overwrite, or delete the file';
const invalid = (message: string) => new StromaflowError('MODEL_INVALID', message);

/** `weights`: path of the weights they were taken with. `about`: further metadata. */
export async function writeNormStatistics(
  path: string,
  norms: readonly NormMoments[],
  { patches, weights, about = {} }: StatisticsFacts,
): Promise<void> {
  const tensors = norms.flatMap(({ name, mean, variance }): TensorToWrite[] => [
    { name: `${name}.running_mean`, shape: [mean.length], values: mean },
    { name: `${name}.running_var`, shape: [variance.length], values: variance },
  ]);
  const own = { format: 'pt', patches: `${patches}`, weights: await sha256(weights) };
  await writeSafetensors(path, tensors, 'F32', { ...about, ...own });
}

interface StatisticsFacts {
  readonly patches: number;
  readonly weights: string;
  readonly about?: Readonly<Record<string, string>>;
}

/** The norms of a statistics file, and its metadata. Throws MODEL_NOT_FOUND or MODEL_INVALID. */
export async function readMoments(
  path: string,
): Promise<{ readonly norms: readonly NormMoments[]; readonly metadata: Readonly<Record<string, string>> }> {
  const file = await SafetensorsFile.open(path);
  try {
    const ending = '.running_mean';
    const names = [...file.tensors.keys()]
      .filter(name => name.endsWith(ending))
      .map(name => name.slice(0, -ending.length));
    const norms: NormMoments[] = [];
    for (const name of names) {
      const [mean, variance] = [await file.read(`${name}.running_mean`), await file.read(`${name}.running_var`)];
      norms.push({ name, mean, variance });
    }
    return { norms, metadata: file.metadata };
  } finally {
    await file.close();
  }
}

/** The same statistics beside a copy of the weights whose bytes differ (stored as float16). */
export async function copyNormStatistics(
  { path, patches }: NormStatistics,
  to: string,
  weights: string,
): Promise<void> {
  const { norms } = await readMoments(path);
  await writeNormStatistics(to, norms, { patches, weights });
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
