import { type MonoTypeOperatorFunction, map, type OperatorFunction, tap } from 'rxjs';
import { toCoreMask } from '../mask/bits.js';
import { clearGlassProbabilities } from '../mask/glass.js';
import type { MutableRecord, PatchRecord, PatchRef } from '../read/patch.js';
import type { ReadOutcome } from '../read/reader-pool.js';
import { areaOf } from '../slide/rectangles.js';
import type { InferredPatch, SettledPatch } from './item.js';
import type { PipelineObserver } from './observer.js';

/**
 * Turns what the reader and the engine said of a patch into its outcome: mask cropped to the core, exact counts.
 *
 * @param observer told of patches without a mask; left out by who hands outcomes on to one that tells (see tellDrops)
 */
export function outcome(observer?: PipelineObserver): OperatorFunction<InferredPatch, SettledPatch> {
  const settled = map(settle);
  return observer ? patches => patches.pipe(settled, tellDrops(observer)) : settled;
}

/** Tells of each patch that has no mask. */
export function tellDrops(observer: PipelineObserver): MonoTypeOperatorFunction<SettledPatch> {
  return tap(({ record, ref }) => {
    if (record.outcome !== 'segmented') observer.dropped(record.outcome, ref);
  });
}

function settle(patch: InferredPatch): SettledPatch {
  const { session, ref, slot, dueAt, again, read, inferred } = patch;
  const common = { session, ref, slot, dueAt, ...(again && { again }) };

  if (read.outcome === 'failed') {
    const record = recordOf(ref, 'failed', { validPixels: 0, tissuePixels: 0 });
    record.code = read.error.code;
    return { ...common, record, failure: { stage: 'read', error: read.error, attempts: 1 } };
  }
  if (inferred && 'error' in inferred) {
    const record = recordOf(ref, 'failed', read);
    record.code = inferred.error.code;
    return { ...common, record, failure: { stage: 'infer', ...inferred } };
  }
  if (!inferred) return { ...common, record: recordOf(ref, read.outcome === 'missing' ? 'missing' : 'empty', read) };
  const mask = toCoreMask(inferred.bits, session.plan, ref, read.missing, read.tissue);
  const { probabilities, without = 0 } = inferred;
  if (probabilities && read.tissue) clearGlassProbabilities(probabilities, session.plan, read.tissue);
  const record = recordOf(ref, 'segmented', read);
  record.stromaPixels = mask.stromaPixels;
  if (mask.outsidePixels > 0) record.outsidePixels = mask.outsidePixels;
  if (without > 0) record.blendedWithout = without;
  return {
    ...common,
    mask,
    ...(read.tissue && { tissue: read.tissue }),
    ...(probabilities && { probabilities }),
    record,
  };
}

/** Without stroma. Fields are set one by one: objects that are spread into each other get a shape of their own each, which costs more than they hold. */
function recordOf(
  { level, col, row }: PatchRef,
  outcome: PatchRecord['outcome'],
  { validPixels, tissuePixels, missing }: Pick<ReadOutcome, 'validPixels' | 'tissuePixels' | 'missing'>,
): MutableRecord {
  const record: MutableRecord = { level, col, row, outcome, validPixels, tissuePixels, stromaPixels: 0 };
  if (!missing) return record;
  const missingPixels = areaOf(missing);
  if (missingPixels > 0) record.missingPixels = missingPixels;
  // Of a patch that is missing as a whole that says where, too.
  if (missingPixels < validPixels) record.missingAt = missing;
  return record;
}
