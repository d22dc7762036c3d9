import type { FollowOptions } from './follower.js';

/** How a slide that still grows is followed. */
export interface GrowingOptions extends FollowOptions {
  readonly mpp?: number | undefined;
  readonly id?: string | undefined;
  /** Seconds that what lies there but does not look whole must stand still to be taken as it is. */
  readonly settleSeconds: number;
  readonly signal?: AbortSignal | undefined;
}
