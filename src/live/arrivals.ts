import { ArrivalQueue } from './arrival-queue.js';
import { type FollowOptions, keepLooking } from './follower.js';
import type { TileArrivals } from './live-slide.js';

/**
 * Tiles as looks find them, until a look says that no more will come.
 *
 * @param stop ends it; aborted when nobody listens any more.
 * @param look the tiles that became readable, and whether others may.
 */
export function arrivals(
  paths: readonly string[],
  options: FollowOptions,
  signal: AbortSignal,
  stop: AbortController,
  look: () => Promise<{ readonly tiles: readonly number[]; readonly grows: boolean }>,
): AsyncIterable<TileArrivals> {
  const stopped = AbortSignal.any([signal, stop.signal]);
  const queue = new ArrivalQueue<TileArrivals>(() => stop.abort());
  const looking = keepLooking(paths, options, stopped, async () => {
    const { tiles, grows } = await look();
    if (tiles.length > 0) queue.push({ tiles, at: performance.now() });
    if (!grows) return 'over';
    return tiles.length > 0 ? 'found' : 'nothing';
  });
  looking.then(
    () => queue.end(),
    error => queue.fail(error),
  );
  return queue;
}
