import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { StromaflowError, toStromaflowError } from '../errors.js';

/** Folder for what is being written, on the same file system as its final place. */
export const PARTIAL = '.partial';

/** What is gathered before it is written. */
const PENDING_BYTES = 1 << 18;

const utf8 = new TextEncoder();

/**
 * A file that is either there as a whole or not at all: it grows as `partialName` in `partialFolder`; `seal` syncs it, `commit` renames it and
 * syncs the folder. Throws OUTPUT_FULL or OUTPUT_FAILED.
 */
export class FinalFile {
  readonly #path: string;
  readonly #partial: string;
  #file: number | undefined;
  /** Made with the first write: many of these files are as small as one. */
  #pending: Uint8Array | undefined;
  #waiting = 0;

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
    const bytes = typeof data === 'string' ? utf8.encode(data) : data;
    withOutputErrors(this.#path, () => {
      if (this.#waiting + bytes.length > PENDING_BYTES) this.#flush();
      if (bytes.length > PENDING_BYTES) {
        writeAll(this.#file!, bytes);
        return;
      }
      this.#pending ??= new Uint8Array(PENDING_BYTES);
      this.#pending.set(bytes, this.#waiting);
      this.#waiting += bytes.length;
    });
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = 0;
    if (this.#pending && waiting > 0) writeAll(this.#file!, this.#pending.subarray(0, waiting));
  }

  /** It is whole, and on the disk. */
  seal(): void {
    if (this.#file === undefined) return;
    withOutputErrors(this.#path, () => {
      this.#flush();
      fsyncSync(this.#file!);
      closeSync(this.#file!);
      this.#file = undefined;
      this.#pending = undefined;
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
