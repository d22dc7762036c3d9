import { StromaflowError } from '../errors.js';
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

/**
 * Settles the spacing of a slide: what is given goes before what it says itself.
 *
 * @throws SLIDE_NO_MPP, CONFIG_INVALID
 */
export function withSpacing(
  path: string,
  facts: Pick<SlideFacts, 'mpp' | 'levels'>,
  given: number | undefined,
): { mpp: number; levels: LevelGeometry[] } {
  const mpp = given ?? facts.mpp;
  if (mpp === undefined) throw new StromaflowError('SLIDE_NO_MPP', `${path}: does not say how many µm a pixel spans`);
  if (!(mpp > 0 && Number.isFinite(mpp))) throw new StromaflowError('CONFIG_INVALID', `mpp ${mpp}: must be above 0`);
  const levels = facts.levels.map(({ width, height, downsample, tileWidth, tileHeight }) => ({
    width,
    height,
    downsample,
    mpp: mpp * downsample,
    tileWidth,
    tileHeight,
  }));
  return { mpp, levels };
}
