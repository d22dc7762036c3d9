import { open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { StromaflowError } from '../errors.js';
import { SafetensorsFile } from '../model/safetensors.js';
import { writeSafetensors } from '../model/safetensors-write.js';
import type { Tensor, TrainState } from './port.js';
import type { RunProgress } from './progress.js';
import { runError } from './run-error.js';

/** A moment a run can be gone on from, to the bit: everything its trainer holds, and where it stands. */
export interface Checkpoint {
  readonly state: TrainState;
  readonly progress: RunProgress;
}

export const CHECKPOINT = 'checkpoint.safetensors';
const FORMAT = 'stromaflow-checkpoint/1';

/**
 * Writes a checkpoint beside the last one and puts it in its place: a crash or a full disk at any moment leaves one of them whole.
 * @throws TRAINING_DIVERGED where a value is not finite: the last checkpoint stays the last good state; OUTPUT_FULL, OUTPUT_FAILED
 */
export async function writeCheckpoint(folder: string, { state, progress }: Checkpoint): Promise<void> {
  const tensors = [...state.tensors.values()];
  checkFinite(tensors);
  const path = join(folder, CHECKPOINT);
  const partial = `${path}.partial`;
  const metadata = { format: FORMAT, step: String(state.step), progress: JSON.stringify(progress) };
  try {
    await writeSafetensors(partial, tensors, 'F32', metadata);
    await syncPath(partial);
    await rename(partial, path);
    await syncPath(folder);
  } catch (error) {
    await rm(partial, { force: true }).catch(() => undefined);
    throw runError(error, path);
  }
}

/**
 * The checkpoint of a run; undefined where there is none yet.
 * @throws MODEL_INVALID where the file is damaged
 */
export async function readCheckpoint(folder: string): Promise<Checkpoint | undefined> {
  const path = join(folder, CHECKPOINT);
  if (!(await stat(path).catch(() => undefined))) return undefined;
  const file = await SafetensorsFile.open(path);
  try {
    const { format, step, progress } = file.metadata;
    if (format !== FORMAT || progress === undefined)
      throw new StromaflowError('MODEL_INVALID', `${path}: no checkpoint of this version`, { fix: BEGIN_ANEW });
    const tensors = new Map<string, Tensor>();
    for (const { name, shape } of file.tensors.values())
      tensors.set(name, { name, shape, values: await file.read(name) });
    return { state: { step: Number(step), tensors }, progress: JSON.parse(progress) as RunProgress };
  } finally {
    await file.close();
  }
}

const BEGIN_ANEW = 'begin anew with --fresh';

/** @throws TRAINING_DIVERGED */
export function checkFinite(tensors: readonly Tensor[]): void {
  for (const { name, values } of tensors) {
    const wrong = values.findIndex(value => !Number.isFinite(value));
    if (wrong < 0) continue;
    throw new StromaflowError('TRAINING_DIVERGED', `training diverged: ${name} holds ${values[wrong]} at ${wrong}`);
  }
}

/** Makes what was written to a file or folder durable. */
export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Puts a folder that was written beside its place there, as nearly at once as a file system can. */
export async function replaceFolder(from: string, to: string): Promise<void> {
  const old = `${to}.old`;
  await rm(old, { recursive: true, force: true });
  await rename(to, old).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
  await rename(from, to);
  await syncPath(dirname(to));
  await rm(old, { recursive: true, force: true });
}
