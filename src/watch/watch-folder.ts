import { join, relative } from 'node:path';
import { StromaflowError, toStromaflowError } from '../errors.js';
import { Alarm } from './alarm.js';
import { type Candidate, Candidates } from './candidates.js';
import { isRemote } from './file-system.js';
import { FolderHints } from './folder-hints.js';
import { FolderTree, statFiles } from './folder-tree.js';
import { isTemporaryName } from './names.js';
import type { SlideParts } from './slide-parts.js';

/** 'auto' uses events where the folder's file system gives them. */
export type WatchMode = 'auto' | 'events' | 'poll';

/** What is known of a file when it is tried. */
export interface CandidateFacts {
  /** It was renamed into place, or stood unchanged between two looks. */
  readonly settled: boolean;
  readonly renamed: boolean;
  /** Seconds since it was last seen to change. */
  readonly quiet: number;
  /** Seconds since it was last written. */
  readonly age: number;
}

/**
 * What a candidate turned out to be: a slide; a file that describes several, each then tried by a path of its own; or one that
 * can only be opened later, however long that takes. `claims` is the folder of its parts, which are no slides of their own.
 */
export type OpenedCandidate<T> = { readonly claims?: string } & (
  | { readonly value: T; readonly until?: Promise<boolean> }
  | { readonly parts: readonly string[] }
  | { readonly later: true }
);

export interface WatchOptions<T> {
  /** Seconds between two looks at the whole folder. */
  readonly pollSeconds: number;
  /** Quiet seconds after which a file that will not open is reported as failed. */
  readonly settleSeconds: number;
  /** Default 'auto'. */
  readonly mode?: WatchMode;
  /** Leaves out files and folders, by their path below the root. */
  readonly ignored?: (path: string) => boolean;
  /** Which DICOM files make a slide; those of a folder unless given. */
  readonly parts?: SlideParts;
  /**
   * Opens a candidate; rejects while it cannot be used, which is reported once it stood still, and resolves to undefined when
   * it never will be. Until `until` resolves, the file's changes are the opener's to see; true asks for another try.
   */
  readonly open: (path: string, facts: CandidateFacts) => Promise<OpenedCandidate<T> | undefined>;
  readonly signal: AbortSignal;
}

/** A slide that can be used, or a file that stayed unreadable. Each (path, size, modification time) is reported once. */
export type Arrival<T> =
  | { readonly path: string; readonly opened: T }
  | { readonly path: string; readonly error: StromaflowError };

/** Shortest time between two looks: events in their thousands do not make thousands of looks. */
const LEAST_MS = 100;

/** True when events are worth waiting for. */
export const usesEvents = (root: string, mode: WatchMode): boolean =>
  mode === 'events' || (mode === 'auto' && !isRemote(root));

/**
 * A folder as a stream of slides. File system events are hints that bring the next look forward; the periodic look is the
 * truth. What opens, and when, is for `open` to say.
 * @throws StromaflowError FILE_NOT_FOUND when the folder itself cannot be read at the start
 */
export async function* watchFolder<T>(root: string, options: WatchOptions<T>): AsyncIterable<Arrival<T>> {
  const { pollSeconds, mode = 'auto', ignored = () => false, signal } = options;
  const tree = new FolderTree(root, path => ignored(relative(root, path)));
  const candidates = new Candidates(options.parts);
  const alarm = new Alarm();
  const never = new Alarm();
  const hints = new FolderHints((folder, name) => {
    if (name !== null && (isTemporaryName(name) || candidates.isBusy(join(folder, name)))) return;
    alarm.ring();
  });

  try {
    for (let look = 0; !signal.aborted; look += 1) {
      const files = await tree.files().catch(cause => {
        if (look > 0) return undefined;
        throw new StromaflowError('FILE_NOT_FOUND', `${root}: the folder cannot be read`, { cause });
      });
      if (files) {
        if (look === 0 ? usesEvents(root, mode) : hints.isUsed) hints.follow(tree.folders);
        candidates.notice(files, await statFiles(candidates.toStat(files)));
      }
      for (const candidate of candidates.open()) {
        if (signal.aborted) return;
        const arrival = await attempt(candidate, candidates, options, () => alarm.ring());
        if (arrival) yield arrival;
      }
      await never.wait(Math.min(LEAST_MS, pollSeconds * 1000), signal);
      await alarm.wait(Math.max(0, pollSeconds * 1000 - LEAST_MS), signal);
    }
  } finally {
    hints.close();
  }
}

async function attempt<T>(
  candidate: Candidate,
  candidates: Candidates,
  { open, pollSeconds, settleSeconds }: WatchOptions<T>,
  lookSoon: () => void,
): Promise<Arrival<T> | undefined> {
  const { renamed, quietLooks } = candidate;
  const { path, mtimeMs } = candidate.seen;
  const facts = {
    renamed,
    settled: renamed || quietLooks > 0,
    quiet: (performance.now() - candidate.changedAt) / 1000,
    age: (Date.now() - mtimeMs) / 1000,
  };
  try {
    const opened = await open(path, facts);
    candidate.claims = opened?.claims;
    if (opened && 'later' in opened) {
      // Whatever events bring the next look forward: it may have to be read as a whole each time.
      candidate.notBefore = performance.now() + pollSeconds * 1000;
      return undefined;
    }
    candidate.settled = true;
    if (!opened) return undefined;
    if ('parts' in opened) {
      candidates.divide(candidate, opened.parts);
      lookSoon();
      return undefined;
    }
    const { value, until } = opened;
    if (until) {
      candidate.busy = true;
      void until.then(again => {
        candidate.busy = false;
        if (!again) return;
        Object.assign(candidate, { settled: false, quietLooks: 0, changedAt: performance.now() });
        lookSoon();
      });
    }
    return { path, opened: value };
  } catch (error) {
    if (!facts.settled || performance.now() - candidate.changedAt < settleSeconds * 1000) return undefined;
    candidate.settled = true;
    return { path, error: toStromaflowError(error, 'SLIDE_UNREADABLE', path) };
  }
}
