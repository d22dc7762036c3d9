import { cp, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { StromaflowError, toStromaflowError } from '../errors.js';
import { SEEN_FILE } from '../evaluate/seen.js';
import { makeFolder } from '../process/make-folder.js';
import { loadBundle, type ModelBundle, QUANTISATION } from './bundle.js';
import type { Quantisation } from './int8/quantisation.js';
import type { Manifest } from './manifest.js';
import { copyNormStatistics, NORM_STATISTICS, type NormMode } from './norm/statistics.js';
import { SafetensorsFile } from './safetensors.js';
import { type TensorToWrite, writeSafetensors } from './safetensors-write.js';

export interface ImportOptions {
  /** Fields of stromaflow.json; they replace those the source states. */
  readonly manifest?: Partial<Manifest>;
  /** Store the weights as float16: half the size, logits within about 10⁻² of the float32 ones. */
  readonly half?: boolean;
  /** Makes it an int8 bundle. */
  readonly quantisation?: Quantisation;
  /** 'patch' leaves statistics that norms are frozen by behind. */
  readonly norm?: NormMode;
  /** Replace a bundle that is already there. */
  readonly overwrite?: boolean;
  readonly signal?: AbortSignal;
}

/**
 * Makes a bundle folder from what a lab has: a folder of smp's `save_pretrained`, a ready .onnx file, or another bundle.
 * The result is checked before it takes its name. Throws what loadBundle throws, USAGE when the target is taken,
 * OUTPUT_FAILED when it cannot be written.
 */
export async function importBundle(source: string, target: string, options: ImportOptions = {}): Promise<ModelBundle> {
  const { manifest = {}, half = false, overwrite = false, norm, signal } = options;
  const bundle = await loadBundle(source, signal, { given: manifest, norm });
  const folder = resolve(target);
  if (!overwrite && (await exists(folder)))
    throw new StromaflowError('USAGE', `${folder} exists`, { fix: 'choose another name, or give --overwrite' });
  let temporary: string | undefined;
  try {
    await makeFolder(dirname(folder));
    temporary = await mkdtemp(`${folder}.`);
    await copyNetwork(bundle, temporary, half);
    // What a model was trained on stays so, however it is stored.
    const seen = join(folderOf(bundle), SEEN_FILE);
    if (await exists(seen)) await cp(seen, join(temporary, SEEN_FILE));
    const quantisation = options.quantisation ?? (bundle.network.kind === 'smp' && bundle.network.quantisation);
    if (quantisation) await writeFile(join(temporary, QUANTISATION), `${JSON.stringify(quantisation, null, 1)}\n`);
    await writeFile(join(temporary, 'stromaflow.json'), await statement(bundle, basename(folder), manifest));
    await loadBundle(temporary, signal);
    if (overwrite) await rm(folder, { recursive: true, force: true });
    await rename(temporary, folder);
    return await loadBundle(folder, signal);
  } catch (error) {
    if (temporary) await rm(temporary, { recursive: true, force: true });
    signal?.throwIfAborted();
    throw toStromaflowError(error, 'OUTPUT_FAILED', folder);
  }
}

const folderOf = ({ path, network }: ModelBundle) => (network.kind === 'onnx' ? dirname(network.ready.path) : path);

async function copyNetwork(bundle: ModelBundle, to: string, half: boolean): Promise<void> {
  const { network } = bundle;
  const from = folderOf(bundle);
  if (network.kind === 'onnx') {
    if (half)
      throw new StromaflowError('USAGE', 'the weights of a ready .onnx file are left as they are, without --half');
    for (const path of [network.ready.path, ...network.ready.external]) await cp(path, join(to, relative(from, path)));
    return;
  }
  const { norms } = network;
  const weights = join(to, 'model.safetensors');
  await cp(join(from, 'config.json'), join(to, 'config.json'));
  if (half) await copyHalved(network.weights, weights);
  else await cp(network.weights, weights);
  if (norms) await copyNormStatistics(norms, join(to, NORM_STATISTICS), weights);
}

async function copyHalved(from: string, to: string): Promise<void> {
  const file = await SafetensorsFile.open(from);
  try {
    const tensors: TensorToWrite[] = [];
    // Counters of batch normalisation are whole numbers and matter to training only.
    for (const { name, shape, dtype } of file.tensors.values())
      if (dtype !== 'I64')
        tensors.push({ name, shape, values: halvable(await file.read(name), `${from}: tensor ${name}`) });
    await writeSafetensors(to, tensors, 'F16');
  } finally {
    await file.close();
  }
}

/** The same values, where float16 has room for them: what is larger would become infinite. */
function halvable(values: Float32Array, what: string): Float32Array {
  const large = values.findIndex(value => Math.abs(value) >= FIRST_INFINITE_HALF);
  if (large < 0) return values;
  throw new StromaflowError('MODEL_UNSUPPORTED', `${what} holds ${values[large]} at ${large}, too large for float16`, {
    fix: 'import the model without --half',
  });
}

/** Halfway between the largest float16, 65504, and what would follow it. */
const FIRST_INFINITE_HALF = 65_520;

/** stromaflow.json: what the source says, and what is given now; nothing that is merely assumed. */
async function statement(bundle: ModelBundle, name: string, given: Partial<Manifest>): Promise<string> {
  const path = join(folderOf(bundle), 'stromaflow.json');
  const stated = (await exists(path)) ? (JSON.parse(await readFile(path, 'utf8')) as object) : {};
  return `${JSON.stringify({ name, version: '1.0.0', ...stated, ...given }, null, 2)}\n`;
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
