import type { LevelGeometry, StoredTiles, TileSourceDescription } from './slide.js';

/** What a format's reader finds out about a slide, before its spacing is settled. */
export interface SlideFacts {
  /** For people. */
  readonly format: string;
  /** Spacing of level 0 in µm/px; undefined when the slide does not say. */
  readonly mpp: number | undefined;
  readonly levels: readonly Omit<LevelGeometry, 'mpp'>[];
  /** Acquisition facts only. */
  readonly properties: Readonly<Record<string, string>>;
  /** Of slides in several files; one file's is made from its size, time and head. */
  readonly fingerprint?: string;
  /** Of slides whose tiles lie in files of their own: how many of a level there should be, and are. */
  stored?(level: number): StoredTiles;
  /** What the reader threads need, once the levels have a spacing. */
  describe(levels: readonly LevelGeometry[]): TileSourceDescription;
}
