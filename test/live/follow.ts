import type { LiveSlide } from '#src/live/live-slide.js';

/** Looks every few milliseconds; nothing is waited for longer than that. */
export const QUICK = { id: 'a', pollSeconds: 0.01, stallSeconds: 0.15, settleSeconds: 0.03, events: false, mpp: 0.5 };
/** For slides that come to an end by themselves: on a slow machine they must not stall before. */
export const PATIENT = { ...QUICK, stallSeconds: 30 };

/** Follows a level to its end and closes the slide; the tiles in the order they came. */
export async function followed(
  live: LiveSlide,
  onTiles: (came: readonly number[]) => void = () => undefined,
  level = 0,
): Promise<number[]> {
  const came: number[] = [];
  for await (const { tiles } of live.follow(level, new AbortController().signal)) {
    came.push(...tiles);
    onTiles(came);
  }
  await live.close();
  return came;
}

/** Numbers from 0. */
export const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

/** In order, so that two lists can be compared whatever order they came in. */
export const sorted = (numbers: Iterable<number>): number[] => [...numbers].sort((a, b) => a - b);
