import { statfs } from 'node:fs/promises';
import { StromaflowError } from '../errors.js';

/** Bytes that must stay free. LMDB may hang or end the process when its file system fills up in the middle of a commit. */
const RESERVE_BYTES = 8 * 2 ** 20;

/** Longest age of a reading: what other writers can fill meanwhile is far below the reserve. */
const AGE_MS = 100;

/** Refuses to write to a file system that is nearly full. */
export class DiskSpace {
  readonly #folder: string;
  #readAt = -Infinity;
  #reading: Promise<number> | undefined;
  #freeBytes = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** @throws OUTPUT_FULL while less than the reserve is free */
  async check(): Promise<void> {
    if (performance.now() - this.#readAt > AGE_MS) {
      this.#reading ??= this.#read();
      await this.#reading;
    }
    if (this.#freeBytes < RESERVE_BYTES) {
      const mib = (this.#freeBytes / 2 ** 20).toFixed(1);
      throw new StromaflowError('OUTPUT_FULL', `${this.#folder}: no space left on device (${mib} MiB free)`);
    }
  }

  async #read(): Promise<number> {
    try {
      const { bavail, bsize } = await statfs(this.#folder);
      this.#freeBytes = bavail * bsize;
      this.#readAt = performance.now();
      return this.#freeBytes;
    } finally {
      this.#reading = undefined;
    }
  }
}
