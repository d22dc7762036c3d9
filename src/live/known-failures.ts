import { statSync } from 'node:fs';
import type { ErrorCode } from '../errors.js';
import { fileAt } from '../slide/open.js';

interface Failure {
  readonly code: ErrorCode;
  /** The file as it was then; undefined of a slide that is many. */
  readonly file: FileFacts | undefined;
}

interface FileFacts {
  readonly inode: number;
  readonly birthMs: number;
  readonly size: number;
}

/**
 * What failed in a watched folder, so that a file that cannot be used and is still being written fails once, not once a write: one that
 * fails for the same reason again and has only grown since tells nothing new.
 */
export class KnownFailures {
  readonly #known = new Map<string, Failure>();

  /** Remembers a failure; true when it was known. */
  repeats(path: string, code: ErrorCode): boolean {
    const now = { code, file: factsOf(path) };
    const before = this.#known.get(path);
    this.#known.set(path, now);
    return before?.code === code && hasGrown(before.file, now.file);
  }

  /** The slide can be used after all. */
  forget(path: string): void {
    this.#known.delete(path);
  }
}

function factsOf(path: string): FileFacts | undefined {
  try {
    const { ino, birthtimeMs, size } = statSync(fileAt(path));
    return { inode: ino, birthMs: birthtimeMs, size };
  } catch {
    return undefined;
  }
}

const hasGrown = (before: FileFacts | undefined, now: FileFacts | undefined): boolean =>
  before?.inode === now?.inode && before?.birthMs === now?.birthMs && (now?.size ?? 0) >= (before?.size ?? 0);
