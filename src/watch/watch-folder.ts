import { join, relative } from 'node:path';
import { StromaflowError, toStromaflowError } from '../errors.js';
import { isPassing } from './absence.js';
import { Alarm } from './alarm.js';
import { type Candidate, Candidates, type Notes, startedOver } from './candidates.js';
import { isRemote } from './file-system.js';
import { FolderHints } from './folder-hints.js';
import { statFiles } from './folder-tree.js';
import { isTemporaryName } from './names.js';
import type { SlideParts } from './slide-parts.js';
import { WatchedFolder } from './watched-folder.js';

/** 'auto' uses events where the folder's file system gives them. */
export type WatchMode = 'auto' | 'events' | 'poll';

/** What is known of a file when it is tried: by what was seen of it here, never by the times that it has. */
export interface CandidateFacts {
  /** It was renamed into place, or stood still for the settling time. */
  readonly settled: boolean;
  readonly renamed: boolean;
  /** Seconds from the look that found it, or found it changed, to the last one that found it the same. */
  readonly quiet: number;
  /** Kept until it changes. */
  readonly notes: Notes;
}

/**
 * What a candidate turned out to be: a slide; a file that describes several, each then tried by a path of its own; one that
 * can only be opened later, however long that takes; or one whose content changed though it seemed to stand still. `claims` is
 * the folder of its parts, which are no slides of their own.
 */
export type OpenedCandidate<T> = { readonly claims?: string } & (
  | { readonly value: T; readonly until?: Promise<boolean> }
  | { readonly parts: readonly string[] }
  | { readonly later: true }
  | { readonly moving: true }
);

export interface WatchOptions<T> {
  /** Seconds between two looks at the whole folder. */
  readonly pollSeconds: number;
  /** Seconds that a file must stand still to count as written; one that will not open then is reported as failed. */
  readonly settleSeconds: number;
  /** Seconds for which a file is tried again whose share answers with errors, before it is reported. @default settleSeconds */
  readonly patienceSeconds?: number;
  /** Default 'auto'. */
  readonly mode?: WatchMode;
  /** Leaves out files and folders, by their path below the root. */
  readonly ignored?: (path: string) => boolean;
  /** The folder itself, where somebody else wants to know whether it is there; `ignored` is then its own. */
  readonly folder?: WatchedFolder;
  /** Which DICOM files make a slide; those of a folder unless given. */
  readonly parts?: SlideParts;
  /**
   * Opens a candidate; rejects while it cannot be used, which is reported once it stood still, and resolves to undefined when
   * it never will be. Until `until` resolves, the file's changes are the opener's to see; true asks for another try.
   */
  readonly open: (path: string, facts: CandidateFacts) => Promise<OpenedCandidate<T> | undefined>;
  /** Paths that are to be opened once more although nothing changed; each is taken out when it is. */
  readonly revisits?: Set<string>;
  readonly signal: AbortSignal;
}

/** A slide that can be used, or a file that stayed unreadable. Each state of a file is reported once. */
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
 * truth. What opens, and when, is for `open` to say. While the folder is away nothing of it is gone, and nothing ages.
 * @throws StromaflowError FILE_NOT_FOUND when the folder itself cannot be read at the start
 */
export async function* watchFolder<T>(root: string, options: WatchOptions<T>): AsyncIterable<Arrival<T>> {
  const { pollSeconds, mode = 'auto', ignored = () => false, revisits = new Set<string>(), signal } = options;
  const folder = options.folder ?? new WatchedFolder(root, path => ignored(relative(root, path)));
  const candidates = new Candidates(options.parts);
  const alarm = new Alarm();
  const never = new Alarm();
  const hints = new FolderHints((at, name) => {
    if (name !== null && (isTemporaryName(name) || candidates.isBusy(join(at, name)))) return;
    alarm.ring();
  });
  folder.whenInDoubt(() => alarm.ring());
  let events: boolean | undefined;

  try {
    for (let isThere = true; !signal.aborted; ) {
      const files = await folder.look(candidates.followed).catch(cause => {
        throw new StromaflowError('FILE_NOT_FOUND', `${root}: the folder cannot be read`, { cause });
      });
      const wasThere = isThere;
      isThere = folder.reason === undefined;
      if (isThere && !wasThere) {
        // Watches are of the folders that went away, which others may have replaced.
        hints.close();
        candidates.lookAnew();
      }
      if (files) {
        events ??= usesEvents(root, mode);
        if (events) hints.follow(folder.tree.folders);
        const asked = candidates.toStat(files).filter(path => !folder.wasAway(path));
        candidates.notice(files, await statFiles(asked));
        for (const path of revisits) if (candidates.revisit(path)) revisits.delete(path);
        for (const candidate of candidates.open()) {
          if (signal.aborted) return;
          if (folder.wasAway(candidate.seen.path)) continue;
          const arrival = await attempt(candidate, candidates, folder, options, () => alarm.ring());
          if (arrival) yield arrival;
        }
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
  folder: WatchedFolder,
  { open, pollSeconds, settleSeconds, patienceSeconds = settleSeconds }: WatchOptions<T>,
  lookSoon: () => void,
): Promise<Arrival<T> | undefined> {
  const { renamed, quietLooks, notes } = candidate;
  const { path } = candidate.seen;
  const quiet = (candidate.seenAt - candidate.changedAt) / 1000;
  const facts = { renamed, settled: renamed || (quietLooks > 0 && quiet >= settleSeconds), quiet, notes };
  try {
    const opened = await open(path, facts);
    candidate.failingSince = undefined;
    candidate.claims = opened?.claims;
    if (opened && 'moving' in opened) {
      Object.assign(candidate, startedOver());
      return undefined;
    }
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
        Object.assign(candidate, startedOver(), { settled: false });
        lookSoon();
      });
    }
    return { path, opened: value };
  } catch (error) {
    if (!facts.settled || candidate.seenAt - candidate.changedAt < settleSeconds * 1000) return undefined;
    // What cannot be found because its folder is away, or it was moved since the last look, is not unreadable.
    const { file } = candidate;
    if (folder.isAway(path) || (file && (await statFiles([file])).length === 0)) return undefined;
    if (isPassing(error)) {
      const now = performance.now();
      candidate.failingSince ??= now;
      candidate.notBefore = now + pollSeconds * 1000;
      if (now - candidate.failingSince < patienceSeconds * 1000) return undefined;
    }
    candidate.settled = true;
    return { path, error: toStromaflowError(error, 'SLIDE_UNREADABLE', path) };
  }
}
