import { type FSWatcher, watch } from 'node:fs';
import { Alarm } from '../watch/alarm.js';
import { ALWAYS_THERE, type Presence } from '../watch/presence.js';

export interface FollowOptions {
  /** Longest time between two looks. */
  readonly pollSeconds: number;
  /** Seconds without any change after which a slide that lacks tiles counts as stalled. */
  readonly stallSeconds: number;
  /** Use file system events as hints to look earlier. */
  readonly events: boolean;
  /** Whether the folder that is followed is there; default: always. */
  readonly presence?: Presence | undefined;
}

/** 'over': there is nothing more to come. */
export type Looked = 'found' | 'nothing' | 'over';

/** Times as long as a look took nobody looks again: a tenth of a core for nothing, a quarter while tiles come, each of which takes its time. */
const REST = { found: 3, nothing: 9 } as const;
/** Shortest time between two looks: several tiles a look when they come quickly. */
const LEAST_MS = 4;

/**
 * Calls `look` again and again: when a path below changed, a poll interval after the last look began, never so often that it uses more
 * than a tenth of a core, or a quarter while it finds something. Ends when `look` says so or the signal aborts. While the folder is away it does not look; a
 * look that fails is tried again.
 *
 * @param paths the first is what is followed.
 * @throws what a look failed with, when all have failed for as long as a slide may stall.
 */
export async function keepLooking(
  paths: readonly string[],
  { pollSeconds, stallSeconds, events, presence = ALWAYS_THERE }: FollowOptions,
  signal: AbortSignal,
  look: () => Promise<Looked>,
): Promise<void> {
  const [followed = ''] = paths;
  let failingSince: number | undefined;
  const lookOrFail = async (): Promise<Looked> => {
    try {
      const looked = await look();
      failingSince = undefined;
      return looked;
    } catch (error) {
      if (!isFromSystem(error)) throw error;
      failingSince ??= presence.now();
      if (presence.now() - failingSince > stallSeconds * 1000) throw error;
      return 'nothing';
    }
  };
  const alarm = new Alarm();
  const hints = events ? paths.flatMap(path => startHints(path, alarm)) : [];
  const never = new Alarm();
  try {
    while (!signal.aborted) {
      if (presence.isAway(followed)) {
        await presence.back(followed, signal);
        continue;
      }
      const startedAt = performance.now();
      const looked = await lookOrFail();
      if (looked === 'over') return;
      const rest = Math.max(LEAST_MS, (performance.now() - startedAt) * REST[looked]);
      await never.wait(rest, signal);
      await alarm.wait(Math.max(0, startedAt + pollSeconds * 1000 - performance.now()), signal);
    }
  } finally {
    for (const hint of hints) hint.close();
  }
}

/** A share may answer with errors for a while; what a file holds is wrong for good. */
const isFromSystem = (error: unknown): boolean => error instanceof Error && 'syscall' in error;

/** No watcher where the system has none to give: the poll finds the change. */
function startHints(path: string, alarm: Alarm): FSWatcher[] {
  try {
    const watcher = watch(path, { persistent: false }, () => alarm.ring());
    watcher.on('error', () => undefined);
    return [watcher];
  } catch {
    return [];
  }
}
