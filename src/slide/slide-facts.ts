import { StromaflowError } from '../errors.js';
import type { SlideNote } from './note.js';
import type {
  AxisSpacing,
  LevelGeometry,
  SlideBounds,
  SlideInfo,
  StoredTiles,
  TileSourceDescription,
} from './slide.js';

/** What a format's reader finds out about a slide, before its spacing is settled. */
export interface SlideFacts {
  /** For people. */
  readonly format: string;
  /** Spacing of level 0 in µm/px; undefined when the slide does not say. */
  readonly mpp: number | AxisSpacing | undefined;
  readonly levels: readonly Omit<LevelGeometry, 'mpp'>[];
  /** Acquisition facts only. */
  readonly properties: Readonly<Record<string, string>>;
  readonly bounds?: SlideBounds | undefined;
  readonly notes?: readonly SlideNote[];
  /** Of slides in several files; one file's is made from its size, time and head. */
  readonly fingerprint?: string;
  /** How the tiles of a level stand, by what the slide lists; no pixel is read for it. */
  stored?(level: number): StoredTiles;
  /** What the reader threads need, once the levels have a spacing. */
  describe(levels: readonly LevelGeometry[]): TileSourceDescription;
}

/** The spacing that areas are counted by: the geometric mean of both axes. */
export const meanSpacing = (mpp: number | AxisSpacing | undefined): number | undefined =>
  typeof mpp === 'object' ? Math.sqrt(mpp.x * mpp.y) : mpp;

/** Axes that differ by less than this (relative) differ by rounding. */
const ROUNDING = 1e-4;

/** Axes that differ by more than this (relative) are worth a word: lengths are then no longer the same in all directions. */
const WORTH_A_WORD = 0.01;

/**
 * Settles the spacing of a slide: what is given goes before what it says itself. With a spacing an axis, `mpp` is their geometric mean:
 * areas are then right, whatever the shape of a pixel.
 *
 * @throws SLIDE_NO_MPP, CONFIG_INVALID
 */
export function withSpacing(
  path: string,
  facts: Pick<SlideFacts, 'mpp' | 'levels' | 'notes'>,
  given: number | undefined,
): Pick<SlideInfo, 'mpp' | 'axes' | 'levels' | 'notes'> {
  const stated = given ?? facts.mpp;
  if (stated === undefined)
    throw new StromaflowError('SLIDE_NO_MPP', `${path}: does not say how many µm a pixel spans`);
  const axes = typeof stated === 'number' ? undefined : stated;
  const mpp = meanSpacing(stated)!;
  if (!(mpp > 0 && Number.isFinite(mpp))) throw new StromaflowError('CONFIG_INVALID', `mpp ${mpp}: must be above 0`);
  const levels = facts.levels.map(({ width, height, downsample, tileWidth, tileHeight }) => ({
    width,
    height,
    downsample,
    mpp: mpp * downsample,
    tileWidth,
    tileHeight,
  }));
  const differ = axes === undefined ? 0 : Math.abs(axes.x / axes.y - 1);
  const notes = [...(facts.notes ?? []), ...(axes && differ > WORTH_A_WORD ? [axesNote(axes, mpp)] : [])];
  return {
    mpp,
    levels,
    ...(axes && differ > ROUNDING ? { axes } : {}),
    ...(notes.length > 0 ? { notes } : {}),
  };
}

const axesNote = ({ x, y }: AxisSpacing, mpp: number): SlideNote => ({
  code: 'axes-differ',
  message:
    `pixels are ${micrometres(x)} × ${micrometres(y)} µm, not square: areas are right (by the product), but the model sees ` +
    `the tissue stretched, at ${micrometres(mpp)} µm on average`,
});

const micrometres = (value: number): string => String(Number(value.toPrecision(4)));
