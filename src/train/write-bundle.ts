import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StromaflowError } from '../errors.js';
import { SEEN_FILE } from '../evaluate/seen.js';
import { MANIFEST } from '../model/bundle.js';
import type { Manifest } from '../model/manifest.js';
import { copyNormStatistics, NORM_STATISTICS, type NormStatistics } from '../model/norm/statistics.js';
import { writeSafetensors } from '../model/safetensors-write.js';
import { checkFinite, replaceFolder, syncPath } from './checkpoint.js';
import type { TrainState } from './port.js';
import { runError } from './run-error.js';

/** Weights of a run as a bundle: what smp's `from_pretrained` and every command here load. */
export interface BundleToWrite {
  /** config.json, as smp writes it. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly state: TrainState;
  /** Names of what the network is built from. Statistics that group norms are frozen by are none of it: smp has no place for them. */
  readonly parameters: Iterable<string>;
  readonly manifest: Partial<Manifest> & Readonly<Record<string, unknown>>;
  /** Lines of seen.sha256: the images it learned from or was chosen by. */
  readonly seen: readonly string[];
  /** Statistics that group and instance norms were frozen by while it learned. */
  readonly norms?: NormStatistics | undefined;
}

const MEAN = '.running_mean';

/**
 * Writes a bundle beside its place and puts it there.
 * @throws TRAINING_DIVERGED where a weight is not finite, OUTPUT_FULL, OUTPUT_FAILED
 */
export async function writeBundle(folder: string, bundle: BundleToWrite): Promise<void> {
  const { state, norms } = bundle;
  const tensors = [...bundle.parameters].map(name => {
    const tensor = state.tensors.get(name);
    if (!tensor) throw new StromaflowError('INTERNAL', `the trainer saved no ${name}`);
    return tensor;
  });
  checkFinite(tensors);
  // PyTorch keeps a counter beside every batch norm's statistics, and its strict loading wants it.
  const counters = tensors
    .filter(({ name }) => name.endsWith(MEAN))
    .map(({ name }) => ({ name: `${name.slice(0, -MEAN.length)}.num_batches_tracked`, count: state.step }));
  const partial = `${folder}.partial`;
  const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;
  try {
    await rm(partial, { recursive: true, force: true });
    await mkdir(partial, { recursive: true });
    const weights = join(partial, 'model.safetensors');
    await writeSafetensors(weights, tensors, 'F32', { format: 'pt' }, counters);
    await syncPath(weights);
    await writeFile(join(partial, 'config.json'), json(bundle.config));
    await writeFile(join(partial, MANIFEST), json(bundle.manifest));
    await writeFile(join(partial, SEEN_FILE), bundle.seen.map(line => `${line}\n`).join(''));
    if (norms) await copyNormStatistics(norms, join(partial, NORM_STATISTICS), weights);
    await replaceFolder(partial, folder);
  } catch (error) {
    await rm(partial, { recursive: true, force: true }).catch(() => undefined);
    throw runError(error, folder);
  }
}
