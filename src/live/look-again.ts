import { setTimeout as sleep } from 'node:timers/promises';
import type { GrowingOptions } from './growing-tiff.js';
import type { LiveState } from './live-slide.js';

/**
 * Says what a watcher should do with a slide that is no longer followed: resolves to true when it should be opened again,
 * as one that was replaced, at once, or one that stalled, as soon as it changes; to false when it is over.
 */
export async function lookAgain(
  state: LiveState,
  { pollSeconds, signal }: Pick<GrowingOptions, 'pollSeconds' | 'signal'>,
  hasChanged: () => boolean,
): Promise<boolean> {
  if (state === 'replaced') return true;
  if (state !== 'stalled') return false;
  while (!signal?.aborted && !hasChanged()) await sleep(pollSeconds * 1000, undefined, { ref: false });
  return true;
}
