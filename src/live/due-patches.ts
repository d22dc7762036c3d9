import type { PatchPlan, PatchRef } from '../read/patch.js';
import { ArrivalQueue } from './arrival-queue.js';
import type { LiveSlide } from './live-slide.js';
import { PatchWaits } from './patch-waits.js';

/** A patch whose tiles are all there, and performance.now() when that was found out. */
export interface ReadyPatch {
  readonly ref: PatchRef;
  readonly at: number;
}

/**
 * The patches of a growing slide, each as soon as its pixels exist, in whatever order the scanner writes. When the slide is
 * complete the others follow: what their missing tiles would show stays white, as in the finished file. Ends early when
 * the slide stalls, is replaced or deleted, or the signal aborts.
 */
export function duePatches(live: LiveSlide, plan: PatchPlan, signal: AbortSignal): AsyncIterableIterator<ReadyPatch> {
  const stop = new AbortController();
  const stopped = AbortSignal.any([signal, stop.signal]);
  const queue = new ArrivalQueue<ReadyPatch>(() => stop.abort());
  stopped.addEventListener('abort', () => queue.end(), { once: true });

  const pump = async (): Promise<void> => {
    const waits = new PatchWaits(plan, live.opened.info.levels[plan.level]!);
    for await (const { tiles, at } of live.follow(plan.level, stopped))
      for (const ref of waits.arrive(tiles)) queue.push({ ref, at });
    if (live.state === 'complete') for (const ref of waits.rest()) queue.push({ ref, at: performance.now() });
    queue.end();
  };
  pump().catch(error => (stopped.aborted ? queue.end() : queue.fail(error)));
  return queue;
}
