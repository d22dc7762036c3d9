import type { AxisSpacing } from '../slide.js';
import { edgeFactors, isEndOf, paddedFactors, ROUNDING } from './padding.js';
import type { TiffPage } from './page.js';
import { isGrey, unsupported } from './support.js';

/** An image of a pyramid and how much coarser it is than the finest. */
export interface FittedLevel {
  readonly page: TiffPage;
  /** Pixels of the finest per pixel, ≥ 1. */
  readonly downsample: number;
  /** Pixels, without those that only fill up the last tiles. */
  readonly width: number;
  readonly height: number;
  /** No whole number leads to its size, and no tag says how much coarser it is. */
  readonly uneven?: true;
  /** Nothing but its size says that it is a level. */
  readonly bySize?: true;
}

/** An image that is no level, and why: 'same-size' as one that is, 'shape' or 'kind' like no reduction, or what is wrong with it. */
export interface LeftOutImage {
  readonly page: TiffPage;
  readonly why: 'same-size' | 'shape' | 'kind' | 'fault';
  /** For people. */
  readonly reason: string;
}

export interface Pyramid {
  /** The finest first. */
  readonly levels: readonly FittedLevel[];
  readonly leftOut: readonly LeftOutImage[];
}

/** What is known of the images beside their sizes. */
export interface PyramidFacts {
  /** Of the finest as its format states it, µm/px. */
  readonly spacing?: AxisSpacing | undefined;
  /** The format pads its levels, so that the least padding is right where nothing else tells. */
  readonly padded?: boolean;
  /** Images that the file does not call reduced copies. */
  readonly bySize?: (page: TiffPage) => boolean;
}

/** Spacings are written with four digits and more; axes and copies that agree differ by less than this (relative). */
const SAME_SPACING = 0.02;
/** A stated spacing this close (relative) to a factor that the sizes allow means it: 0.2527 and 1.011 are 4. */
const MEANS = 0.01;
/** Coarser than levels that are of use: such a resolution tag, if it does not fit, is a printer's (300 dpi = 84.7 µm). */
const PRINTERS = 80;

/**
 * Which images show the same field as `first` at lower resolution, and how much lower. A level has the pixels of the finest: as many
 * samples, of the same bits and colours. What decides of how much lower, in this order:
 *
 * 1. **Stated spacings**, where an image and the finest both have resolution tags that a microscope could have: their ratio, if the
 *    sizes then agree up to a padding of one tile. An image that repeats the finest one's tags states nothing (libtiff's and GDAL's
 *    tools copy them); one whose tags contradict its size is left out.
 * 2. **Powers of two** within the rounding of the sizes.
 * 3. **Powers of two of sizes padded to whole tiles**, as Philips' scanners and some converters write them; where several fit (a level of a
 *    single tile), or a factor of 3, 5, 6 … would fit too, the one that goes on as the levels before; else, of a single one, only if
 *    another level is certainly padded.
 * 4. **Powers of two of a finest size that alone is padded**: its coarser levels then say where it ends.
 * 5. **Any factor** that is the same in both axes within the rounding of the sizes.
 *
 * What fits none is left out: reading a finer level in its place costs time, a wrong factor the result.
 */
export function fitPyramid(
  first: TiffPage,
  rest: readonly TiffPage[],
  { spacing, padded = false, bySize = () => false }: PyramidFacts = {},
): Pyramid {
  const levels: FittedLevel[] = [unreduced(first)];
  const leftOut: LeftOutImage[] = [];
  const smaller = rest.toSorted((a, b) => b.width * b.height - a.width * a.height);
  const certainlyPadded =
    padded || smaller.some(page => isPadded(first, page) && !factors(first, page).some(n => n > 1));
  for (const page of smaller) {
    const fit = fitLevel(first, page, levels, { spacing, padded, certainlyPadded });
    if ('why' in fit) leftOut.push({ page, ...fit });
    else levels.push({ page, ...fit, ...unpadded(first, page, fit.downsample), ...(bySize(page) && { bySize: true }) });
  }
  return { levels: withinEdge(levels), leftOut };
}

/** Where the finest level alone is filled up to whole tiles, the others tell where it ends. */
function withinEdge(levels: readonly FittedLevel[]): readonly FittedLevel[] {
  const [{ page: first }, ...coarser] = levels as [FittedLevel, ...FittedLevel[]];
  const exact = coarser.find(({ page, downsample }) => isEndOf(first, page, downsample));
  if (!exact) return levels;
  const { page, downsample } = exact;
  const edge = {
    ...first,
    width: Math.min(first.width, Math.round(page.width * downsample)),
    height: Math.min(first.height, Math.round(page.height * downsample)),
  };
  if (
    first.width - edge.width <= ROUNDING.large * downsample &&
    first.height - edge.height <= ROUNDING.large * downsample
  )
    return levels;
  return levels.map(level => ({ ...level, ...unpadded(edge, level.page, level.downsample) }));
}

/** A pyramid's finest level. */
export const unreduced = (page: TiffPage): FittedLevel => {
  const { width, height } = page;
  return { page, downsample: 1, width, height };
};

/** Where a level is larger than its factor leads to by more than rounding, the rest is padding. */
function unpadded(first: TiffPage, page: TiffPage, factor: number): { width: number; height: number } {
  const cut = (from: number, size: number, tile: number) => {
    const own = Math.ceil(from / factor - 1e-6);
    return size - own > ROUNDING.large && Math.ceil(own / tile) === Math.ceil(size / tile) ? own : size;
  };
  return {
    width: cut(first.width, page.width, page.tileWidth),
    height: cut(first.height, page.height, page.tileHeight),
  };
}

interface Known {
  readonly spacing: AxisSpacing | undefined;
  readonly padded: boolean;
  readonly certainlyPadded: boolean;
}

function fitLevel(
  first: TiffPage,
  page: TiffPage,
  levels: readonly FittedLevel[],
  known: Known,
): { readonly downsample: number; readonly uneven?: true } | Omit<LeftOutImage, 'page'> {
  const last = levels.at(-1)!;
  const problem = page.fault ? 'its directory is damaged' : unsupported(page);
  if (problem) return { why: 'fault', reason: problem };
  if (!isAlike(first, page)) return { why: 'kind', reason: 'its pixels are of another kind than those of the slide' };
  if (levels.some(({ page: { width, height } }) => width === page.width && height === page.height))
    return { why: 'same-size', reason: 'there is another one of this size' };
  if (page.width > last.page.width || page.height > last.page.height) return SHAPE;
  const stated = statedFactor(first, page, known.spacing);
  const isMeant = first.spacing && page.spacing && Math.max(page.spacing.x, page.spacing.y) <= PRINTERS;
  if (stated === undefined && isMeant && statedRatio(first, page, known.spacing))
    return { why: 'shape', reason: 'its stated spacing and its size contradict each other' };
  const downsample = stated ?? factorBySize(first, page, levels, known);
  if (downsample === undefined)
    return isPadded(first, page) || edgeFactors(first, page).length > 0
      ? { why: 'shape', reason: 'its size fits several factors' }
      : SHAPE;
  if (downsample <= last.downsample) return SHAPE;
  const isUneven = stated === undefined && !Number.isInteger(downsample) && factors(first, page).length === 0;
  return isUneven ? { downsample, uneven: true } : { downsample };
}

/** Levels hold the same pixels, fewer of them: a grey image beside a coloured one is a mask or a map of something. */
function isAlike(first: TiffPage, page: TiffPage): boolean {
  const kind = ({ samplesPerPixel, bitsPerSample, sampleFormat }: TiffPage) =>
    [samplesPerPixel, bitsPerSample[0], sampleFormat].join();
  return isGrey(first) === isGrey(page) && kind(first) === kind(page);
}

const SHAPE = { why: 'shape', reason: 'no one factor leads to its size' } as const;

/** How much coarser an image is by its resolution tags; undefined where they state nothing. */
function statedRatio(first: TiffPage, page: TiffPage, spacing: AxisSpacing | undefined): AxisSpacing | undefined {
  const finest = first.spacing ?? spacing;
  const stated = page.spacing;
  if (!finest || !stated) return undefined;
  // Tags that do not agree with what the format says of the finest are not meant.
  if (spacing && !(near(finest.x, spacing.x) && near(finest.y, spacing.y))) return undefined;
  const ratios = { x: stated.x / finest.x, y: stated.y / finest.y };
  return near(ratios.x, 1) && near(ratios.y, 1) ? undefined : ratios;
}

/** The factor that an image's resolution tags mean; undefined where they state none, or one that its size contradicts. */
function statedFactor(first: TiffPage, page: TiffPage, spacing: AxisSpacing | undefined): number | undefined {
  const ratios = statedRatio(first, page, spacing);
  if (!ratios || !near(ratios.x, ratios.y)) return undefined;
  const stated = Math.sqrt(ratios.x * ratios.y);
  const [least, most] = factorRange(first, page);
  const sized = least <= most ? [Math.min(most, Math.max(least, stated))] : [];
  const isMeant = (factor: number) => Math.abs(factor / stated - 1) <= MEANS;
  const whole = [...factors(first, page), ...paddedFactors(first, page)].filter(isMeant);
  const found = [...whole.toSorted((a, b) => Math.abs(a - stated) - Math.abs(b - stated)), ...sized.filter(isMeant)][0];
  if (found !== undefined) return found;
  const tileOf = ({ tiled, tileWidth, tileHeight }: TiffPage) =>
    (tiled ? [tileWidth, tileHeight] : [0, 0]) as [number, number];
  const [[firstAcross, firstDown], [across, down]] = [tileOf(first), tileOf(page)];
  const fits = (from: number, firstTile: number, size: number, tile: number) =>
    Math.abs(from / stated - size) <= Math.max(ROUNDING.large, tile, firstTile / stated);
  const isSame = fits(first.width, firstAcross, page.width, across) && fits(first.height, firstDown, page.height, down);
  return isSame ? stated : undefined;
}

const near = (a: number, b: number): boolean => Math.abs(a / b - 1) <= SAME_SPACING;

function factorBySize(
  first: TiffPage,
  page: TiffPage,
  levels: readonly FittedLevel[],
  known: Known,
): number | undefined {
  const past = levels.at(-1)!.downsample;
  const whole = factors(first, page);
  const dyadic = whole.filter(isDyadic);
  if (dyadic.length > 0) return closest(dyadic, page, first);
  const padded = paddedFactors(first, page).filter(factor => factor > past);
  if (padded.length > 0) {
    const [before] = levels.slice(-2);
    const next = levels.length > 1 ? past * (past / before!.downsample) : Number.NaN;
    if (known.padded) return padded[0];
    if (padded.includes(next)) return next;
    return padded.length === 1 && (whole.length === 0 || known.certainlyPadded) ? padded[0] : undefined;
  }
  const edges = whole.length === 1 ? [] : edgeFactors(first, page).filter(factor => factor > past);
  if (edges.length > 0) {
    const isSame = (factor: number) =>
      Math.abs((past * (past / (levels.at(-2)?.downsample ?? past))) / factor - 1) < 1e-9;
    return edges.find(isSame) ?? (edges.length === 1 ? edges[0] : undefined);
  }
  // Of a small image several factors are within rounding; its sizes then say as much as any.
  return whole.length === 1 ? whole[0] : ratio(first, page);
}

const isDyadic = (factor: number): boolean => Number.isInteger(Math.log2(factor));

const closest = (candidates: readonly number[], page: TiffPage, first: TiffPage): number => {
  const meant = Math.log2((first.width / page.width + first.height / page.height) / 2);
  const off = (factor: number) => Math.abs(Math.log2(factor) - meant);
  return candidates.reduce((best, factor) => (off(factor) < off(best) ? factor : best));
};

const roundingOf = (size: number): number => (size < ROUNDING.below ? ROUNDING.small : ROUNDING.large);

/** Whole factors that lead from the finest one's size to an image's, within rounding; of tiny images too many to list. */
function factors(first: TiffPage, page: TiffPage): number[] {
  const [least, most] = factorRange(first, page);
  const found: number[] = [];
  for (let factor = Math.max(2, Math.ceil(least)); factor <= most && found.length < 4096; factor++) found.push(factor);
  return found;
}

/** Factors that are the same in both axes within rounding: from … to, none where from > to. */
function factorRange(first: TiffPage, page: TiffPage): readonly [least: number, most: number] {
  const range = (from: number, size: number) => {
    const off = roundingOf(size);
    return [from / (size + off), size > off ? from / (size - off) : Number.POSITIVE_INFINITY] as const;
  };
  const [x0, x1] = range(first.width, page.width);
  const [y0, y1] = range(first.height, page.height);
  return [Math.max(x0, y0) * (1 - 1e-12), Math.min(x1, y1, first.width, first.height) * (1 + 1e-12)];
}

function ratio(first: TiffPage, page: TiffPage): number | undefined {
  const [least, most] = factorRange(first, page);
  const mean = (first.width / page.width + first.height / page.height) / 2;
  return least <= most ? Math.min(most, Math.max(least, mean)) : undefined;
}

/** True for the size of a reduced copy, by whatever factor. */
export const isReduction = (first: TiffPage, page: TiffPage): boolean =>
  ratio(first, page) !== undefined || isPadded(first, page);

const isPadded = (first: TiffPage, page: TiffPage): boolean => paddedFactors(first, page).length > 0;
