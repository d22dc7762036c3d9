import { setTimeout as sleep } from 'node:timers/promises';
import type { GrowingOptions } from './growing-options.js';
import type { LiveState } from './live-slide.js';

/**
 * Says what a watcher should do with a slide that is no longer followed: resolves to true when it should be opened again, one
 * that was replaced at once, one that stalled as soon as it changes, one that is complete when it has changed since
 * (further levels may be written behind the one that was followed); to false when it is over.
 */
export async function lookAgain(
  state: LiveState,
  { pollSeconds, signal }: Pick<GrowingOptions, 'pollSeconds' | 'signal'>,
  hasChanged: () => boolean,
): Promise<boolean> {
  if (state === 'replaced') return true;
  if (state === 'gone') return false;
  const mayHaveChanged = (): boolean => {
    try {
      return hasChanged();
    } catch {
      // A share that answers with an error tells nothing.
      return false;
    }
  };
  if (state !== 'stalled') return mayHaveChanged();
  while (!signal?.aborted && !mayHaveChanged()) await sleep(pollSeconds * 1000, undefined, { ref: false });
  return true;
}
