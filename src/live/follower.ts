import { type FSWatcher, watch } from 'node:fs';
import { Alarm } from '../watch/alarm.js';

export interface FollowOptions {
  /** Longest time between two looks. */
  readonly pollSeconds: number;
  /** Seconds without any change after which a slide that lacks tiles counts as stalled. */
  readonly stallSeconds: number;
  /** Use file system events as hints to look earlier. */
  readonly events: boolean;
}

/** A look takes at most one part in so many of a core, however often the file changes. */
const IDLE_SHARE = 9;
/** Shortest time between two looks: several tiles a look when they come quickly. */
const LEAST_MS = 10;

/**
 * Calls `look` again and again: when a path below changed, a poll interval after the last look began, never so often that it uses more
 * than a tenth of a core. Ends when `look` says so (false) or the signal aborts.
 */
export async function keepLooking(
  paths: readonly string[],
  { pollSeconds, events }: FollowOptions,
  signal: AbortSignal,
  look: () => Promise<boolean>,
): Promise<void> {
  const alarm = new Alarm();
  const hints = events ? paths.flatMap(path => startHints(path, alarm)) : [];
  const never = new Alarm();
  try {
    while (!signal.aborted) {
      const startedAt = performance.now();
      if (!(await look())) return;
      const rest = Math.max(LEAST_MS, (performance.now() - startedAt) * IDLE_SHARE);
      await never.wait(rest, signal);
      await alarm.wait(Math.max(0, startedAt + pollSeconds * 1000 - performance.now()), signal);
    }
  } finally {
    for (const hint of hints) hint.close();
  }
}

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
