import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { StromaflowError, toStromaflowError } from '../errors.js';

/** Folder for what is being written, on the same file system as its final place. */
export const PARTIAL = '.partial';

const FLUSH_CHARS = 1 << 18;

/**
 * Writes a file that is either there as a whole or not at all: in `partialFolder` as `partialName`, synced, renamed, the folder synced.
 * Returns what `write` returns. Throws OUTPUT_FULL or OUTPUT_FAILED, after removing the partial file.
 */
export function writeFinal<T>(
  folder: string,
  name: string,
  write: (put: (data: string | Uint8Array) => void) => T,
  partialFolder: string = join(folder, PARTIAL),
  partialName: string = basename(name),
): T {
  const partial = join(partialFolder, partialName);
  return withOutputErrors(join(folder, name), () => {
    mkdirSync(partialFolder, { recursive: true });
    const file = openSync(partial, 'w');
    let pending = '';
    const flush = (): void => {
      if (pending !== '') writeAll(file, Buffer.from(pending));
      pending = '';
    };
    try {
      const result = write(data => {
        if (typeof data === 'string') {
          pending += data;
          if (pending.length >= FLUSH_CHARS) flush();
        } else {
          flush();
          writeAll(file, data);
        }
      });
      flush();
      fsyncSync(file);
      renameSync(partial, join(folder, name));
      syncFolder(dirname(join(folder, name)));
      return result;
    } catch (error) {
      rmSync(partial, { force: true });
      throw error;
    } finally {
      closeSync(file);
    }
  });
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
