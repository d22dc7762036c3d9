import { Random } from '../random.js';
import type { TilePlace } from './scan-writer.js';
import type { ScanOrder } from './ways.js';

/** Tile columns that a line camera's stripe is wide here. */
const STRIPE_COLUMNS = 4;

export interface TileGrid {
  readonly cols: number;
  readonly rows: number;
  /** False where the slide itself stores no tile. */
  stored(col: number, row: number): boolean;
}

export interface ScanPlan {
  /** Every write of a tile, in order; a duplicated tile comes twice, a dropped one never. */
  readonly steps: readonly TilePlace[];
  readonly dropped: readonly TilePlace[];
  readonly corrupted: readonly TilePlace[];
  readonly duplicated: readonly TilePlace[];
}

export interface ScanPlanOptions {
  readonly order: ScanOrder;
  readonly drop?: number;
  readonly corrupt?: number;
  readonly duplicate?: number;
  readonly faultLevel?: number;
  readonly seed?: number;
}

/** Which tile is written when, and what goes wrong: the finest level first, each level in the same order. */
export function planScan(levels: readonly TileGrid[], options: ScanPlanOptions): ScanPlan {
  const random = new Random(options.seed ?? 1);
  const steps = levels.flatMap((grid, level) => {
    const places = [...walk(grid, options.order)].map(([col, row]) => ({ level, col, row }));
    const stored = places.filter(({ col, row }) => grid.stored(col, row));
    return options.order === 'random' ? random.shuffle(stored) : stored;
  });
  const hit = random.shuffle(steps.filter(({ level }) => level === (options.faultLevel ?? 0)));
  const take = (count = 0) => hit.splice(0, Math.max(0, count));
  const dropped = take(options.drop);
  const corrupted = take(options.corrupt);
  const duplicated = take(options.duplicate);
  const lost = new Set(dropped);
  const written = steps.filter(step => !lost.has(step));
  for (const place of duplicated) {
    // Any time after the first one, within the same level: a level that is closed is not opened again.
    const first = written.indexOf(place);
    const last = written.findLastIndex(({ level }) => level === place.level);
    written.splice(first + 1 + random.below(last - first + 1), 0, place);
  }
  return { steps: written, dropped, corrupted, duplicated };
}

function* walk({ cols, rows }: TileGrid, order: ScanOrder): Generator<[col: number, row: number]> {
  if (order === 'columns') {
    for (let col = 0; col < cols; col++) for (let row = 0; row < rows; row++) yield [col, row];
  } else if (order === 'stripes') {
    // Down one stripe, up the next, as a stage moves.
    for (let left = 0, stripe = 0; left < cols; left += STRIPE_COLUMNS, stripe++)
      for (let step = 0; step < rows; step++)
        for (let col = left; col < Math.min(cols, left + STRIPE_COLUMNS); col++)
          yield [col, stripe % 2 === 0 ? step : rows - 1 - step];
  } else {
    for (let row = 0; row < rows; row++) for (let col = 0; col < cols; col++) yield [col, row];
  }
}
