import { StromaflowError } from '../errors.js';
import type { LevelGeometry, SlideInfo } from '../slide/slide.js';
import type { Padding, PatchPlan, PatchRef } from './patch.js';
import type { Region } from './region.js';

export interface PlanOptions {
  /** Spacing wanted, µm per pixel. */
  readonly spacing?: number;
  /** Side of the square given to the model in pixels; a multiple of 32. */
  readonly patchSize?: number;
  /** Context on each side that is cropped from the mask, in pixels. */
  readonly margin?: number;
  /** Blend the margins of neighbours instead of cropping them; a margin is at most a quarter of the patch size then. */
  readonly blended?: boolean;
  /** Regions, and holes, of the mask below so many µm² are removed, and filled; together at most a core of pixels. */
  readonly openArea?: number;
  readonly closeArea?: number;
  /** What the model sees where a patch reaches over the slide's edge. */
  readonly padding?: Padding;
  /** Relative difference of spacing up to which a level is read as it is. */
  readonly tolerance?: number;
}

export const DEFAULT_PLAN = {
  ...{ spacing: 0.5, patchSize: 512, margin: 0, blended: false, tolerance: 0.07 },
  ...{ openArea: 0, closeArea: 0 },
  padding: 'zero',
} as const;

/** Factors by which pyramids are made. */
const WHOLE: readonly number[] = [1, 2, 4, 8];

/**
 * Cuts a slide into a regular grid, spacing first: the level whose spacing fits within `tolerance` is read 1:1 (the plan
 * then has the level's own spacing). Else the next finer level is reduced: by 2, 4 or 8 where that fits within `tolerance`, to the
 * level that the slide could as well have stored (the plan then has its spacing); otherwise to exactly `spacing`.
 *
 * @throws SLIDE_SPACING when every level is coarser than wanted; CONFIG_INVALID for sizes that cannot be cut.
 */
export function planPatches(info: SlideInfo, options: PlanOptions = {}): PatchPlan {
  const { spacing, patchSize, margin, blended, padding, tolerance } = { ...DEFAULT_PLAN, ...options };
  checkPatch({ patchSize, margin, ...(blended && { blended }) });
  checkScale(spacing, tolerance);
  const [finest] = info.levels;
  if (!finest) throw new StromaflowError('SLIDE_UNREADABLE', `${info.path}: has no levels`);
  const { level, scale } = chooseLevel(info, spacing, tolerance);
  const geometry = info.levels[level] as LevelGeometry;
  const core = patchSize - 2 * margin;
  // Rounded to the nearest pixel, so that areas counted in plan pixels are not biased.
  const width = Math.max(1, Math.round(geometry.width / scale));
  const height = Math.max(1, Math.round(geometry.height / scale));
  const mpp = WHOLE.includes(scale) ? geometry.mpp * scale : spacing;
  const limits = areaLimits(options, core, mpp);
  if (blended && (limits.openBelow ?? limits.closeBelow) !== undefined)
    throw new StromaflowError('CONFIG_INVALID', 'masks that are blended are not opened or closed by area');
  const { axes, bounds } = info;
  return {
    slide: info.id,
    level,
    scale,
    downsample: geometry.downsample * scale,
    mpp,
    ...(axes ? { axes: { x: (axes.x * mpp) / info.mpp, y: (axes.y * mpp) / info.mpp } } : {}),
    patchSize,
    margin,
    ...(blended ? { blended } : {}),
    ...limits,
    padding,
    core,
    cols: Math.ceil(width / core),
    rows: Math.ceil(height / core),
    width,
    height,
    slideWidth: finest.width,
    slideHeight: finest.height,
    ...(bounds ? { bounds } : {}),
  };
}

/** The patch at (col, row) of the grid. Throws a RangeError outside of it. */
export function patchRef(plan: PatchPlan, col: number, row: number): PatchRef {
  if (!(col >= 0 && col < plan.cols && row >= 0 && row < plan.rows))
    throw new RangeError(`patch (${col}, ${row}) of a grid of ${plan.cols} × ${plan.rows}`);
  const [x, width] = interval(col, plan.core, plan.downsample, plan.slideWidth);
  const [y, height] = interval(row, plan.core, plan.downsample, plan.slideHeight);
  return { slide: plan.slide, level: plan.level, col, row, x, y, width, height };
}

/** Every patch of the plan, row by row, made when asked for. */
export function* patchRefs(plan: PatchPlan): Generator<PatchRef, void, undefined> {
  for (let row = 0; row < plan.rows; row++) for (let col = 0; col < plan.cols; col++) yield patchRef(plan, col, row);
}

/** The patch and those that touch it, in reading order. */
export function* patchesAround(
  { cols, rows }: Pick<PatchPlan, 'cols' | 'rows'>,
  col: number,
  row: number,
): Generator<readonly [col: number, row: number], void, undefined> {
  for (let r = Math.max(0, row - 1); r <= Math.min(rows - 1, row + 1); r++)
    for (let c = Math.max(0, col - 1); c <= Math.min(cols - 1, col + 1); c++) yield [c, r];
}

/** Plan pixels of patch (col, row)'s core that lie inside the slide: [width, height]. */
export function validSize(
  plan: Pick<PatchPlan, 'core' | 'width' | 'height'>,
  col: number,
  row: number,
): readonly [number, number] {
  return [
    Math.max(0, Math.min(plan.core, plan.width - col * plan.core)),
    Math.max(0, Math.min(plan.core, plan.height - row * plan.core)),
  ];
}

/** Limits in plan pixels. Throws CONFIG_INVALID where they reach farther than the patches that touch one. */
function areaLimits({ openArea = 0, closeArea = 0 }: PlanOptions, core: number, mpp: number) {
  const [openBelow, closeBelow] = [openArea / mpp ** 2, closeArea / mpp ** 2];
  if (Math.ceil(openBelow) + Math.ceil(closeBelow) > core)
    throw new StromaflowError(
      'CONFIG_INVALID',
      `areas of ${openArea} and ${closeArea} µm² to open and close by: together at most ${Math.floor(core * mpp ** 2)} µm² on patches that publish ${core} px`,
      { fix: 'give smaller areas, or larger patches' },
    );
  return { ...(openBelow > 0 ? { openBelow } : {}), ...(closeBelow > 0 ? { closeBelow } : {}) };
}

function interval(index: number, core: number, downsample: number, size: number): [start: number, length: number] {
  const start = Math.min(size - 1, Math.round(index * core * downsample));
  return [start, Math.min(size, Math.round((index + 1) * core * downsample)) - start];
}

function chooseLevel(info: SlideInfo, spacing: number, tolerance: number): { level: number; scale: number } {
  const ratios = info.levels.map(level => spacing / level.mpp);
  const misfit = ratios.map(ratio => Math.abs(1 / ratio - 1));
  const fitting = misfit.indexOf(Math.min(...misfit));
  if ((misfit[fitting] as number) <= tolerance) return { level: fitting, scale: 1 };
  const finer = ratios.findLastIndex(ratio => ratio > 1);
  if (finer < 0)
    throw new StromaflowError(
      'SLIDE_SPACING',
      `${info.path}: its finest level has ${info.mpp.toFixed(3)} µm/px, coarser than the ${spacing} µm/px wanted`,
    );
  const ratio = ratios[finer] as number;
  const whole = WHOLE.find(scale => Math.abs(scale / ratio - 1) <= tolerance);
  return { level: finer, scale: whole ?? ratio };
}

function checkScale(spacing: number, tolerance: number): void {
  const invalid = (message: string) => new StromaflowError('CONFIG_INVALID', message);
  if (!(spacing > 0 && Number.isFinite(spacing))) throw invalid(`spacing ${spacing}: must be above 0 µm/px`);
  if (!(tolerance >= 0 && tolerance < 1)) throw invalid(`tolerance ${tolerance}: must be from 0 to below 1`);
}

/** Pixels of a patch and of the margin around its core; blended: the margins of neighbours overlap and are blended. */
export interface PatchShape {
  readonly patchSize: number;
  readonly margin: number;
  readonly blended?: boolean;
}

/** Whether any slide can be cut into such patches. Throws CONFIG_INVALID. */
export function checkPatch({ patchSize, margin, blended }: PatchShape): void {
  const invalid = (message: string) => new StromaflowError('CONFIG_INVALID', message);
  if (!Number.isInteger(patchSize) || patchSize <= 0 || patchSize % 32 !== 0 || patchSize > 4096)
    throw invalid(`patch size ${patchSize}: must be a multiple of 32 pixels, up to 4096`);
  if (!Number.isInteger(margin) || margin < 0) throw invalid(`margin ${margin}: must be 0 or more whole pixels`);
  const core = patchSize - 2 * margin;
  if (core <= 0 || core % 32 !== 0)
    throw invalid(`margin ${margin}: leaves ${core} of ${patchSize} pixels; must leave a multiple of 32 above 0`);
  // More, and more than two patches would reach a pixel along an axis.
  if (blended && (margin === 0 || margin * 4 > patchSize))
    throw invalid(`an overlap of ${2 * margin} px: must be from 32 px to half of ${patchSize}`);
}

/** The rectangle that a patch is read from. */
export function regionOf(plan: PatchPlan, col: number, row: number): Region {
  const { level, scale, core, margin, patchSize, rows, width, height } = plan;
  return {
    level,
    scale,
    x: col * core - margin,
    y: row * core - margin,
    width: patchSize,
    height: patchSize,
    slideWidth: width,
    slideHeight: height,
    nextTop: row + 1 < rows ? (row + 1) * core - margin : Number.POSITIVE_INFINITY,
  };
}
