import type { PatchPlan } from '../read/patch.js';
import type { LevelGeometry } from '../slide/slide.js';

/** The patches that are read from a tile of the plan's level, by where both lie. */
export function* patchesOf(
  plan: PatchPlan,
  { tileWidth, tileHeight }: LevelGeometry,
  { col, row }: { readonly col: number; readonly row: number },
): Generator<{ readonly col: number; readonly row: number }, void, undefined> {
  const across = touching(plan, col, tileWidth, plan.cols);
  const down = touching(plan, row, tileHeight, plan.rows);
  for (let y = down.first; y <= down.last; y++)
    for (let x = across.first; x <= across.last; x++) yield { col: x, row: y };
}

/** Along one axis. */
function touching({ scale, core, margin, patchSize }: PatchPlan, tile: number, size: number, patches: number) {
  const [from, to] = [(tile * size) / scale, ((tile + 1) * size) / scale];
  const first = Math.max(0, Math.floor((from + margin - patchSize) / core) + 1);
  return { first, last: Math.min(patches, Math.ceil((to + margin) / core)) - 1 };
}
