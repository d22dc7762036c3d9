import { footprintOf } from '../slide/footprint.js';
import type { LevelGeometry } from '../slide/slide.js';
import type { PatchPlan } from './patch.js';
import { regionOf } from './plan.js';
import type { Region } from './region.js';
import { spansOf } from './resample.js';

/** True when a tile is stored; else it is drawn from the next finer level, whose tiles are visited then. */
type IsStored = (level: number, col: number, row: number) => Promise<boolean>;

/** Every tile that reading a patch asks for, each once a level; what is not stored leads to those it is drawn from, as in PatchAssembler. */
export async function visitTiles(
  levels: readonly LevelGeometry[],
  plan: PatchPlan,
  { col, row }: { readonly col: number; readonly row: number },
  isStored: IsStored,
): Promise<void> {
  await visit(levels, regionOf(plan, col, row), isStored);
}

async function visit(levels: readonly LevelGeometry[], region: Region, isStored: IsStored): Promise<void> {
  const { level, scale } = region;
  const geometry = levels[level]!;
  const { tileWidth, tileHeight } = geometry;
  const across = span(region.x, region.width, scale, geometry.width, region.slideWidth);
  const down = span(region.y, region.height, scale, geometry.height, region.slideHeight);
  for (let row = Math.floor(down.start / tileHeight); row * tileHeight < down.end; row++)
    for (let col = Math.floor(across.start / tileWidth); col * tileWidth < across.end; col++) {
      if (await isStored(level, col, row)) continue;
      const footprint = footprintOf(levels, level, col, row);
      if (!footprint) continue;
      const { scale: finer, x, y, slideWidth, slideHeight } = footprint;
      await visit(
        levels,
        {
          ...{ level: level - 1, scale: finer, x, y, slideWidth, slideHeight },
          ...{ width: tileWidth, height: tileHeight, nextTop: Number.POSITIVE_INFINITY },
        },
        isStored,
      );
    }
}

/** Pixels of the level, from the first to behind the last, that an interval of the region's needs. */
function span(start: number, length: number, scale: number, levelSize: number, slideSize: number) {
  if (scale === 1) return { start: Math.max(0, start), end: Math.min(levelSize, start + length) };
  const { from, to, ...pixels } = spansOf(start, length, scale, levelSize, slideSize);
  return to > from ? pixels : { start: 0, end: 0 };
}
