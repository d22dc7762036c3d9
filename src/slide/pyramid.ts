import type { AxisSpacing } from './slide.js';

/** What is known of one level of a pyramid before its place in it is: lengths in pixels. */
export interface LevelSize {
  readonly width: number;
  readonly height: number;
  readonly tileWidth: number;
  readonly tileHeight: number;
  /** µm/px, where the level states it itself. */
  readonly spacing?: AxisSpacing | undefined;
}

/** A level in its place: `width` and `height` without what only fills its last tiles up. */
export interface FittedLevel {
  readonly width: number;
  readonly height: number;
  readonly downsample: number;
}

/** Stated spacings are rounded, often to four digits. */
const ROUNDED = 0.01;
/** As much as two axes of one level may differ by where nothing else says what it is. */
const SHAPE = 0.02;
/** Halving again and again loses less than two pixels of a level. */
const LOST = 2;

/**
 * Places a level below the finest one.
 *
 * Where both state a spacing, their ratio counts: as the whole number that it is rounded from when sizes allow that, else as
 * sizes say it more exactly, else as it is. Otherwise sizes do: a power of two that they allow when tiles may have been filled up,
 * else the mean of both axes' ratios. Sizes must agree with it in both axes: a level may be larger by less than two tiles where it
 * ends with a whole one, and the finest may be by one.
 *
 * @returns undefined for what is no reduced picture of the finest level, or no one knows how much it was reduced.
 */
export function fitLevel(finest: LevelSize, level: LevelSize): FittedLevel | undefined {
  const axes = [
    axisOf(finest.width, finest.tileWidth, level.width, level.tileWidth),
    axisOf(finest.height, finest.tileHeight, level.height, level.tileHeight),
  ] as const;
  const stated = statedRatio(finest.spacing, level.spacing);
  const found = stated === undefined ? bySizes(axes) : bySpacing(axes, stated);
  if (!found) return undefined;
  const { downsample, exact } = found;
  const used = (whole: number, size: number) =>
    exact ? size : Math.max(1, Math.min(size, Math.ceil(whole / downsample - 1e-9)));
  return { downsample, width: used(finest.width, level.width), height: used(finest.height, level.height) };
}

interface Axis {
  readonly ratio: number;
  /** Ratios that rounding to whole pixels allows. */
  readonly exact: readonly [least: number, most: number];
  /** Those that a last tile that was filled up allows as well. */
  readonly padded: readonly [least: number, most: number];
  /** Those that one more tile allows: levels that were each halved from a filled-up one. */
  readonly roomy: readonly [least: number, most: number];
}

function axisOf(whole: number, wholeTile: number, size: number, tile: number): Axis {
  const within = (from: number, smallest: number): [number, number] => [
    from / (size + 1),
    whole / Math.max(0.5, smallest - LOST),
  ];
  const filledUp = size % tile === 0 ? tile : 0;
  const from = whole % wholeTile === 0 ? whole - wholeTile + 1 : whole;
  return {
    ratio: whole / size,
    exact: within(whole, size),
    padded: within(from, size - filledUp),
    roomy: within(from, size - 2 * filledUp),
  };
}

type Found = { readonly downsample: number; readonly exact: boolean } | undefined;

function bySpacing(axes: readonly [Axis, Axis], stated: number): Found {
  const nearest = Math.round(stated);
  if (nearest >= 1 && isNear(stated, nearest, ROUNDED) && fits(axes, 'roomy', nearest) && stated > 1 + ROUNDED)
    return { downsample: nearest, exact: false };
  const mean = meanRatio(axes);
  if (mean > 1 && isNear(mean, stated, ROUNDED / 10) && fits(axes, 'exact', mean))
    return { downsample: mean, exact: true };
  if (!(stated > 1 + ROUNDED)) return undefined;
  if (fits(axes, 'roomy', stated)) return { downsample: stated, exact: false };
  return isNear(mean, stated, ROUNDED) && fits(axes, 'exact', mean) ? { downsample: mean, exact: true } : undefined;
}

function bySizes(axes: readonly [Axis, Axis]): Found {
  const most = Math.max(axes[0].ratio, axes[1].ratio);
  const exact = powersOfTwo(axes, 'exact');
  // What was rounded once more than the others still is a half.
  const nearest = exact.toSorted((a, b) => Math.abs(a - most) - Math.abs(b - most))[0];
  if (nearest !== undefined) return { downsample: nearest, exact: false };
  const padded = powersOfTwo(axes, 'padded');
  if (padded.length === 1) return { downsample: padded[0]!, exact: false };
  // Of a level of one tile many are possible, and none is likelier than another.
  if (padded.length > 1) return undefined;
  const mean = meanRatio(axes);
  const [across, down] = [axes[0].ratio, axes[1].ratio];
  const rounding = Math.max(axes[0].exact[1] / across, axes[1].exact[1] / down) - 1;
  const isOneShape = Math.abs(across / down - 1) <= Math.min(0.5, Math.max(SHAPE, rounding));
  return mean > 1 && isOneShape ? { downsample: mean, exact: true } : undefined;
}

function powersOfTwo(axes: readonly [Axis, Axis], how: 'exact' | 'padded'): number[] {
  const found: number[] = [];
  const most = Math.min(axes[0][how][1], axes[1][how][1]);
  for (let power = 2; power <= most; power *= 2) if (fits(axes, how, power)) found.push(power);
  return found;
}

const fits = (axes: readonly [Axis, Axis], how: keyof Omit<Axis, 'ratio'>, downsample: number): boolean =>
  axes.every(({ [how]: [least, most] }) => downsample >= least && downsample <= most);

const meanRatio = ([across, down]: readonly [Axis, Axis]): number => (across.ratio + down.ratio) / 2;

const isNear = (one: number, other: number, tolerance: number): boolean => Math.abs(one / other - 1) <= tolerance;

/** The mean of both axes; undefined where they disagree, or one level says nothing. */
function statedRatio(finest: AxisSpacing | undefined, level: AxisSpacing | undefined): number | undefined {
  if (!finest || !level) return undefined;
  const [across, down] = [level.x / finest.x, level.y / finest.y];
  // 0 fits nothing.
  return isNear(across, down, SHAPE) ? (across + down) / 2 : 0;
}
