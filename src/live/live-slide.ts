import type { TileCounts } from '../event/payloads.js';
import type { OpenedSlide, TileSourceDescription } from '../slide/slide.js';

/** Tiles of the followed level that became readable: row × columns + column of each. */
export interface TileArrivals {
  readonly tiles: readonly number[];
  /** performance.now() when it was found out. */
  readonly at: number;
}

/**
 * 'growing': tiles are still to come. 'complete': none will. 'stalled': nothing has changed for the stated time, and tiles
 * lack. 'replaced': this is another scan than the one that was opened, which is over. 'gone': it was deleted.
 */
export type LiveState = 'growing' | 'complete' | 'stalled' | 'replaced' | 'gone';

/**
 * A slide that is opened while it is still being written: its geometry is known, its tiles come one by one. Every source
 * states its completeness contract: when a tile may be read, when the slide is over, what is expected.
 */
export interface LiveSlide {
  /** Its fingerprint is the growth's identity and this opening's time. */
  readonly opened: OpenedSlide;
  readonly growth: Growth;
  readonly state: LiveState;
  /** How the tiles of the followed level stand. */
  readonly tiles: Omit<TileCounts, 'late'>;
  /** What is not there when it is complete was not scanned: the format leaves it out, or its end was declared. */
  readonly sparse?: boolean;
  /** For people: what a slide that stalled lacks, where its source can tell. */
  readonly lacks?: string | undefined;
  /** What the reader threads need for patches of a level: levels that may come later than their patches are left out. */
  sourceFor(level: number): TileSourceDescription;
  /** Tiles of one level as they come, each once; ends when the state is no longer 'growing' or the signal aborts. */
  follow(level: number, signal: AbortSignal): AsyncIterable<TileArrivals>;
  close(): Promise<void>;
  /** Resolves once it was closed and can be forgotten (false), or should be opened again (true). */
  readonly closed: Promise<boolean>;
}

/** What ties a slide to the run that began while it grew (docs/decisions/0007-growing-identity.md). */
export interface Growth {
  /** The same while the slide grows and when it is finished; another one for a file that replaces it. */
  readonly identity: string;
  /** Tells the finished content of a level from another scan that was written into the same file. */
  content(level: number): string;
}
