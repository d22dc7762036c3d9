import type { OverviewCanvas } from '../read/overview.js';
import type { PatchPlan, PatchRecord } from '../read/patch.js';
import type { PatchRecords } from '../read/patch-records.js';
import { patchRefs, validSize } from '../read/plan.js';
import type { PixelRectangle } from '../slide/rectangles.js';

/**
 * What a picture of the slide has nothing to show of: patches without an outcome, that failed or are missing, and missing parts of
 * others.
 *
 * @returns rectangles of the canvas, in its pixels, which need not be whole.
 */
export function blankAreas(
  plan: PatchPlan,
  { factor }: Pick<OverviewCanvas, 'factor'>,
  records: Pick<PatchRecords, 'get'>,
): PixelRectangle[] {
  const areas: PixelRectangle[] = [];
  for (const { col, row } of patchRefs(plan)) {
    for (const part of blankParts(plan, records.get(col, row), col, row)) {
      const { width, height } = part;
      const [x, y] = [col * plan.core + part.x, row * plan.core + part.y];
      const last = areas.at(-1);
      // A large slide may have more blank patches than a picture should have parts.
      if (last && last.y === y && last.height === height && last.x + last.width === x)
        areas[areas.length - 1] = { ...last, width: last.width + width };
      else areas.push({ x, y, width, height });
    }
  }
  return areas.map(({ x, y, width, height }) => ({
    ...{ x: x / factor, y: y / factor },
    ...{ width: width / factor, height: height / factor },
  }));
}

/** In pixels of the core. */
function blankParts(
  plan: PatchPlan,
  record: PatchRecord | undefined,
  col: number,
  row: number,
): readonly PixelRectangle[] {
  if (record?.outcome === 'segmented' || record?.outcome === 'empty') return record.missingAt ?? [];
  const [width, height] = validSize(plan, col, row);
  return [{ x: 0, y: 0, width, height }];
}
