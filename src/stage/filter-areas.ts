import type { OperatorFunction } from 'rxjs';
import { AreaFilter } from '../mask/area-filter.js';
import { popcount } from '../mask/bits.js';
import type { CreditPool } from './credit.js';
import type { SettledPatch } from './item.js';
import { type Joint, meetNeighbours } from './neighbours.js';
import type { PipelineObserver } from './observer.js';
import type { SlideSession } from './session.js';

/** Takes specks out of masks, and fills holes, where the plan says below which size; other patches pass (see meetNeighbours). */
export const filterAreas = (
  credits: CreditPool,
  observer: PipelineObserver,
): OperatorFunction<SettledPatch, SettledPatch> =>
  meetNeighbours(credits, observer, session => (filters(session) ? begin(session) : undefined));

const filters = ({ plan: { openBelow = 0, closeBelow = 0 } }: SlideSession): boolean => openBelow + closeBelow > 0;

function begin({ plan, resumed }: SlideSession): Joint<SettledPatch> {
  const areas = new AreaFilter(plan);
  for (const { col, row, outcome } of resumed)
    if (outcome === 'segmented') areas.over(col, row);
    else areas.skip(col, row, 'clear');
  return {
    meet(patch) {
      const { ref, again, mask, record, tissue } = patch;
      const { col, row } = ref;
      if (again) areas.over(col, row);
      if (mask) areas.put(col, row, { bits: mask.bits, tissue, missing: record.missingAt });
      else areas.skip(col, row, record.outcome === 'empty' ? 'clear' : 'unknown');
      return mask ? patch : undefined;
    },
    isDue: (col, row) => areas.isDue(col, row),
    finish(patch) {
      const { bits, opened, closed } = areas.take(patch.ref.col, patch.ref.row);
      const stromaPixels = popcount(bits);
      const changed = {
        ...(opened > 0 ? { openedPixels: opened } : {}),
        ...(closed > 0 ? { closedPixels: closed } : {}),
      };
      return {
        ...patch,
        mask: { side: plan.core, bits, stromaPixels },
        record: { ...patch.record, stromaPixels, ...changed },
      };
    },
  };
}
