import { watch } from 'chokidar';
import { StromaflowError, toStromaflowError } from '../errors.js';
import { isSlideName, isTemporaryName } from './names.js';
import { type SeenFile, scanFolder } from './scan.js';

export interface WatchOptions<T> {
  /** Seconds between two looks at the whole folder. */
  readonly pollSeconds: number;
  /** Quiet seconds after which a file that will not open is reported as failed. */
  readonly settleSeconds: number;
  /** Opens a candidate; rejects while it is not a whole slide. */
  readonly open: (path: string) => Promise<T>;
  readonly signal: AbortSignal;
}

/** A slide that is whole, or a file that stayed unreadable. Each (path, size, modification time) is reported once. */
export type Arrival<T> =
  | { readonly path: string; readonly opened: T }
  | { readonly path: string; readonly error: StromaflowError };

interface Candidate {
  seen: SeenFile;
  /** performance.now() of the last change. */
  changedAt: number;
  /** Looks at the folder that found it unchanged. */
  quietLooks: number;
  renamed: boolean;
  settled: boolean;
}

/**
 * A folder as a stream of whole slides. File system events are hints that bring the next look forward; the periodic
 * look is the truth. A file is tried once it was renamed into place or stood unchanged between two looks, and counts
 * as whole when it opens (its directory is readable and every tile lies inside the file).
 * @throws StromaflowError FILE_NOT_FOUND when the folder itself cannot be read at the start
 */
export async function* watchFolder<T>(root: string, options: WatchOptions<T>): AsyncIterable<Arrival<T>> {
  const { pollSeconds, settleSeconds, open, signal } = options;
  const candidates = new Map<string, Candidate>();
  const temporary = new Set<number>();
  const alarm = new Alarm();
  const hints = watch(root, { ignoreInitial: true, followSymlinks: false, ignored: path => isTemporaryName(path) });
  hints.on('all', () => alarm.ring()).on('error', () => undefined);

  try {
    for (let look = 0; !signal.aborted; look += 1) {
      const files = await scanFolder(root, path => isSlideName(path) || isTemporaryName(path)).catch(cause => {
        if (look > 0) return undefined;
        throw new StromaflowError('FILE_NOT_FOUND', `${root}: the folder cannot be read`, { cause });
      });
      if (files) notice(files, candidates, temporary);
      for (const candidate of candidates.values()) {
        if (signal.aborted) return;
        if (candidate.settled || !(candidate.renamed || candidate.quietLooks > 0)) continue;
        const { path } = candidate.seen;
        try {
          const opened = await open(path);
          candidate.settled = true;
          yield { path, opened };
        } catch (error) {
          if (performance.now() - candidate.changedAt < settleSeconds * 1000) continue;
          candidate.settled = true;
          yield { path, error: toStromaflowError(error, 'SLIDE_UNREADABLE', path) };
        }
      }
      await alarm.wait(pollSeconds * 1000, signal);
    }
  } finally {
    await hints.close();
  }
}

function notice(files: readonly SeenFile[], candidates: Map<string, Candidate>, temporary: Set<number>): void {
  const slides = files.filter(file => isSlideName(file.path));
  const paths = new Set(slides.map(file => file.path));
  for (const path of candidates.keys()) if (!paths.has(path)) candidates.delete(path);
  for (const seen of slides) {
    const known = candidates.get(seen.path);
    if (
      known &&
      known.seen.size === seen.size &&
      known.seen.mtimeMs === seen.mtimeMs &&
      known.seen.inode === seen.inode
    ) {
      known.quietLooks += 1;
      continue;
    }
    const renamed = temporary.delete(seen.inode);
    candidates.set(seen.path, { seen, changedAt: performance.now(), quietLooks: 0, renamed, settled: false });
  }
  for (const file of files) if (isTemporaryName(file.path)) temporary.add(file.inode);
}

/** Waits for a time, or until rung; a ring while nobody waits is kept. */
class Alarm {
  #rung = false;
  #wake: (() => void) | undefined;

  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  wait(milliseconds: number, signal: AbortSignal): Promise<void> {
    if (this.#rung || signal.aborted) {
      this.#rung = false;
      return Promise.resolve();
    }
    return new Promise(resolve => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        this.#wake = undefined;
        this.#rung = false;
        resolve();
      };
      const timer = setTimeout(done, milliseconds);
      signal.addEventListener('abort', done, { once: true });
      this.#wake = done;
    });
  }
}
