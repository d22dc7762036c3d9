import { StromaflowError } from '../errors.js';
import type { AxisSpacing, SlideBounds } from '../slide/slide.js';
import type { LabelFrame, LabelReading } from './label-source.js';

/** What a mask says of itself. */
export interface MaskGrid {
  readonly width: number;
  readonly height: number;
  /** µm per pixel, where the mask states it. */
  readonly spacing?: AxisSpacing | undefined;
  /** Tile size of a tiled mask: it may be padded to whole tiles. */
  readonly tile?: { readonly width: number; readonly height: number } | undefined;
}

/** How a mask lies on its picture: mask pixel = floor((picture pixel − origin) × scale), in pixels of the picture's file. */
export interface MaskAlignment {
  readonly scale: { readonly x: number; readonly y: number };
  readonly origin: { readonly x: number; readonly y: number };
  /** The part of the picture it covers, where that is not all of it; pixels of the file. */
  readonly covered?: SlideBounds;
  /** What had to be assumed, a line each. */
  readonly notes: readonly string[];
}

/**
 * Lays a mask on its picture: both have the same origin, and the mask's scale is its stated spacing over the picture's. A mask that
 * states none must have the picture's size divided by a power of two or a small whole number, up to rounding or padding to whole
 * tiles. It is never stretched to fit.
 * @throws LABELS_INVALID naming both sizes and spacings
 */
export function alignMask(path: string, mask: MaskGrid, frame: LabelFrame, reading: LabelReading = {}): MaskAlignment {
  const full = { x: 0, y: 0, width: frame.width, height: frame.height };
  const { bounds } = frame;
  const rectangles =
    bounds === undefined ? [full] : { bounds: [bounds], full: [full], auto: [full, bounds] }[reading.frame ?? 'auto'];
  for (const rectangle of rectangles) {
    const fit = fitWhole(mask, rectangle, frame.spacing);
    if (fit) return aligned(mask, rectangle, full, fit, frame);
  }
  const [rectangle] = rectangles as [SlideBounds];
  const ratio = ratioOf(mask.spacing, frame.spacing);
  if (!ratio) throw misfit(path, mask, frame);
  return aligned(mask, rectangle, full, factorsOf(mask, rectangle, ratio), frame);
}

/** Picture pixels per mask pixel, along each axis. */
type Factors = AxisSpacing;

/** Whole factors by which a mask without a stated spacing may be coarser: powers of two, also below 1, and small whole numbers. */
const POWERS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1 / 2, 1 / 4, 1 / 8];
const SMALL = [3, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15];

/** Relative difference of stated spacings: nominal ones of one slide differ by less than the first, rounded ones by less than the second. */
const NOMINAL = 0.07;
const ROUNDED = 0.005;
/** Padding is told from another spacing only where the stated one is near. */
const PADDED = 0.02;

/** The factors by which a mask spans a rectangle, up to rounding and padding; undefined when it does not. */
function fitWhole(
  mask: MaskGrid,
  { width, height }: SlideBounds,
  spacing: AxisSpacing | undefined,
): Factors | undefined {
  if (mask.width === width && mask.height === height) return { x: 1, y: 1 };
  const ratio = ratioOf(mask.spacing, spacing);
  if (!ratio) return fitBySize(mask, width, height);
  const x = fitAxis(mask.width, width, mask.tile?.width, ratio.x);
  const y = fitAxis(mask.height, height, mask.tile?.height, ratio.y);
  return x !== undefined && y !== undefined ? { x, y } : undefined;
}

/** One axis of a mask whose spacing is stated. */
function fitAxis(size: number, of: number, tile: number | undefined, ratio: number): number | undefined {
  const near = (tolerance: number) =>
    [...POWERS, ...SMALL]
      .filter(factor => Math.abs(ratio / factor - 1) <= tolerance)
      .sort((a, b) => Math.abs(a - ratio) - Math.abs(b - ratio));
  const isFit = (factor: number) => isRounded(size, of, factor) || isPadded(size, of, factor, tile);
  const whole = near(ROUNDED).find(isFit) ?? near(NOMINAL).find(factor => isRounded(size, of, factor));
  if (whole !== undefined) return whole;
  if (Math.abs(size - of / ratio) <= 1.5) return of / size;
  return near(PADDED).find(factor => isPadded(size, of, factor, tile));
}

/** The factors of a mask that is cropped, or padded by more than a tile: what one axis tells of nominal spacings holds for the other. */
function factorsOf(mask: MaskGrid, { width, height }: SlideBounds, ratio: Factors): Factors {
  const x = fitAxis(mask.width, width, mask.tile?.width, ratio.x);
  const y = fitAxis(mask.height, height, mask.tile?.height, ratio.y);
  return {
    x: x ?? (y === undefined ? (nearWhole(ratio.x) ?? ratio.x) : (y * ratio.x) / ratio.y),
    y: y ?? (x === undefined ? (nearWhole(ratio.y) ?? ratio.y) : (x * ratio.y) / ratio.x),
  };
}

/** Both axes of a mask that states no spacing: what it was divided by is the same along both. */
function fitBySize({ width, height, tile }: MaskGrid, ofWidth: number, ofHeight: number): Factors | undefined {
  const isFit = (factor: number) => isRounded(width, ofWidth, factor) && isRounded(height, ofHeight, factor);
  const mayPad = (factor: number) =>
    (isRounded(width, ofWidth, factor) || isPadded(width, ofWidth, factor, tile?.width)) &&
    (isRounded(height, ofHeight, factor) || isPadded(height, ofHeight, factor, tile?.height));
  const power = POWERS.find(isFit);
  if (power !== undefined) return { x: power, y: power };
  const padded = POWERS.find(mayPad);
  const small = SMALL.find(isFit);
  // A size that a third would have and a padded quarter too says nothing.
  if (padded !== undefined && small !== undefined) return undefined;
  const factor = padded ?? small;
  return factor === undefined ? undefined : { x: factor, y: factor };
}

/** By which whole number a picture is coarser than another that shows the same, up to rounding and padding. */
export function wholeFactor(
  mask: MaskGrid,
  of: { readonly width: number; readonly height: number },
): number | undefined {
  const factor = fitBySize(mask, of.width, of.height)?.x;
  return factor !== undefined && factor >= 1 ? factor : undefined;
}

const isRounded = (size: number, of: number, factor: number): boolean =>
  Math.abs(size - of / factor) < Math.max(1, 1 / factor);

/** Padded to whole tiles, by less than one. */
function isPadded(size: number, of: number, factor: number, tile: number | undefined): boolean {
  if (tile === undefined) return false;
  const excess = size - of / factor;
  return size % tile === 0 && excess >= 0 && excess < tile;
}

const nearWhole = (ratio: number): number | undefined =>
  [...POWERS, ...SMALL].find(factor => Math.abs(ratio / factor - 1) <= ROUNDED);

const ratioOf = (mask: AxisSpacing | undefined, frame: AxisSpacing | undefined): Factors | undefined =>
  mask && frame ? { x: mask.x / frame.x, y: mask.y / frame.y } : undefined;

function aligned(
  mask: MaskGrid,
  rectangle: SlideBounds,
  full: SlideBounds,
  factors: Factors,
  frame: LabelFrame,
): MaskAlignment {
  const width = Math.min(rectangle.width, mask.width * factors.x);
  const height = Math.min(rectangle.height, mask.height * factors.y);
  // Up to a mask pixel at the edge is rounding.
  const spans = width > rectangle.width - factors.x && height > rectangle.height - factors.y;
  const isAll = rectangle.width === full.width && rectangle.height === full.height;
  const covered = {
    x: rectangle.x,
    y: rectangle.y,
    width: spans ? rectangle.width : width,
    height: spans ? rectangle.height : height,
  };
  return {
    scale: { x: 1 / factors.x, y: 1 / factors.y },
    origin: { x: rectangle.x, y: rectangle.y },
    ...(spans && isAll ? {} : { covered }),
    notes: notesOf(mask, rectangle, factors, frame, spans, isAll),
  };
}

function notesOf(
  mask: MaskGrid,
  rectangle: SlideBounds,
  factors: Factors,
  frame: LabelFrame,
  spans: boolean,
  isAll: boolean,
): string[] {
  const notes: string[] = [];
  const ratio = ratioOf(mask.spacing, frame.spacing);
  const sizes = `${mask.width} × ${mask.height} pixels`;
  if (!isAll) notes.push(`it has the size of the scanned part (${sizes}) and is laid on it`);
  if (ratio && [ratio.x / factors.x, ratio.y / factors.y].some(part => Math.abs(part - 1) > NOMINAL)) {
    notes.push(
      `it has its picture's size but states ${spacingText(mask.spacing)}, not ${spacingText(frame.spacing)}: taken by its size`,
    );
  }
  if (!spans) {
    const part = (mask.width * factors.x * mask.height * factors.y) / (rectangle.width * rectangle.height);
    const share = (100 * (1 - Math.min(1, part))).toFixed(1);
    notes.push(
      `its ${sizes} of ${spacingText(mask.spacing)} cover the upper left of its picture only; ${share} % is unlabelled`,
    );
  }
  const excess = Math.max(
    mask.width - rectangle.width / factors.x - (mask.tile?.width ?? 1),
    mask.height - rectangle.height / factors.y - (mask.tile?.height ?? 1),
  );
  if (excess > 0)
    notes.push(`its ${sizes} of ${spacingText(mask.spacing)} reach beyond its picture: is it this picture's?`);
  return notes;
}

function misfit(path: string, mask: MaskGrid, frame: LabelFrame): StromaflowError {
  const has = `${mask.width} × ${mask.height} pixels of ${spacingText(mask.spacing)}`;
  const of = `${frame.width} × ${frame.height} of ${spacingText(frame.spacing)}`;
  return new StromaflowError('LABELS_INVALID', `${path}: it has ${has}, its image ${of}`, {
    fix: 'state its spacing in its resolution tags, or write it at the size of the image divided by 1, 2, 4, …',
  });
}

function spacingText(spacing: AxisSpacing | undefined): string {
  if (!spacing) return 'an unknown spacing';
  const text = (value: number) => String(Number(value.toPrecision(4)));
  return spacing.x === spacing.y ? `${text(spacing.x)} µm` : `${text(spacing.x)} × ${text(spacing.y)} µm`;
}
