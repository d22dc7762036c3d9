import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { StromaflowError, toStromaflowError } from '../errors.js';

/** Folder for what is being written, on the same file system as its final place. */
export const PARTIAL = '.partial';

const FLUSH_CHARS = 1 << 18;

/**
 * A file that is either there as a whole or not at all: it grows as `partialName` in `partialFolder`; `seal` syncs it, `commit` renames it and
 * syncs the folder. Throws OUTPUT_FULL or OUTPUT_FAILED.
 */
export class FinalFile {
  readonly #path: string;
  readonly #partial: string;
  #file: number | undefined;
  #pending = '';

  constructor(
    folder: string,
    name: string,
    partialFolder: string = join(folder, PARTIAL),
    partialName: string = basename(name),
  ) {
    this.#path = join(folder, name);
    this.#partial = join(partialFolder, partialName);
    withOutputErrors(this.#path, () => {
      mkdirSync(partialFolder, { recursive: true });
      this.#file = openSync(this.#partial, 'w');
    });
  }

  put(data: string | Uint8Array): void {
    if (typeof data === 'string') {
      this.#pending += data;
      if (this.#pending.length < FLUSH_CHARS) return;
    }
    withOutputErrors(this.#path, () => {
      this.#flush();
      if (typeof data !== 'string') writeAll(this.#file!, data);
    });
  }

  #flush(): void {
    if (this.#pending !== '') writeAll(this.#file!, Buffer.from(this.#pending));
    this.#pending = '';
  }

  /** It is whole, and on the disk. */
  seal(): void {
    if (this.#file === undefined) return;
    withOutputErrors(this.#path, () => {
      this.#flush();
      fsyncSync(this.#file!);
      closeSync(this.#file!);
      this.#file = undefined;
    });
  }

  /** Seals it and puts it in its place. */
  commit(): void {
    this.seal();
    withOutputErrors(this.#path, () => {
      renameSync(this.#partial, this.#path);
      syncFolder(dirname(this.#path));
    });
  }

  /** Removes what was written. */
  discard(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
    rmSync(this.#partial, { force: true });
  }
}

/** Writes such a file at once and returns what `write` returns; after a failure nothing is left of it. */
export function writeFinal<T>(
  folder: string,
  name: string,
  write: (put: (data: string | Uint8Array) => void) => T,
  partialFolder?: string,
  partialName?: string,
): T {
  const file = new FinalFile(folder, name, partialFolder, partialName);
  try {
    const result = withOutputErrors(join(folder, name), () => write(data => file.put(data)));
    file.commit();
    return result;
  } catch (error) {
    file.discard();
    throw error;
  }
}

function writeAll(file: number, data: Uint8Array): void {
  for (let at = 0; at < data.length; ) at += writeSync(file, data, at);
}

/** A rename is durable once its folder is; not every platform can open a folder. */
function syncFolder(folder: string): void {
  if (process.platform === 'win32') return;
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** Runs file system work; its failures become OUTPUT_FULL or OUTPUT_FAILED with the path named. */
export function withOutputErrors<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw outputError(error, path);
  }
}

export function outputError(error: unknown, path: string): StromaflowError {
  const known = toStromaflowError(error, 'OUTPUT_FAILED', path);
  return known.code === 'OUTPUT_FULL' && known.cause !== undefined
    ? new StromaflowError('OUTPUT_FULL', `${path}: no space left on device`, { cause: known.cause })
    : known;
}
