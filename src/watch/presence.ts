/**
 * Port of those who read what lies in a watched folder: a file that is not found there is gone only while the folder itself
 * is there. A share that was unmounted leaves an empty folder behind, or none, or errors.
 */
export interface Presence {
  /** Looks now. True when nothing can be told of what lies at a path, because its folder is away. */
  isAway(path: string): boolean;
  /** True as soon as the folder of a path is there; at once while it is. False when the signal aborts before. */
  back(path: string, signal: AbortSignal): Promise<boolean>;
  /** Times that it was away and came back. */
  readonly outages: number;
  /** Milliseconds of a clock that only goes forward, and stands still while the folder is away. */
  now(): number;
}

/** Of a slide that nobody watches: what is not found is not there. */
export const ALWAYS_THERE: Presence = {
  isAway: () => false,
  back: async () => true,
  outages: 0,
  now: () => performance.now(),
};
