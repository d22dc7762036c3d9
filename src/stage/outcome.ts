import { type MonoTypeOperatorFunction, map, type OperatorFunction, tap } from 'rxjs';
import { toCoreMask } from '../mask/bits.js';
import { clearGlassProbabilities } from '../mask/glass.js';
import type { PatchRecord } from '../read/patch.js';
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
  const { level, col, row } = ref;
  const place = { level, col, row };
  const none = { tissuePixels: 0, stromaPixels: 0 };

  if (read.outcome === 'failed') {
    const record: PatchRecord = {
      ...place,
      ...none,
      outcome: 'failed',
      validPixels: 0,
      code: read.error.code,
    };
    return { ...common, record, failure: { stage: 'read', error: read.error, attempts: 1 } };
  }
  const { validPixels, tissuePixels, missing } = read;
  const missingPixels = missing ? areaOf(missing) : 0;
  const absent = {
    ...(missingPixels > 0 ? { missingPixels } : {}),
    // Of a patch that is missing as a whole that says where, too.
    ...(missingPixels < validPixels && missing ? { missingAt: missing } : {}),
  };
  if (inferred && 'error' in inferred) {
    const record: PatchRecord = {
      ...place,
      outcome: 'failed',
      validPixels,
      tissuePixels,
      stromaPixels: 0,
      ...absent,
      code: inferred.error.code,
    };
    return {
      ...common,
      record,
      failure: { stage: 'infer', ...inferred },
    };
  }
  if (!inferred) {
    return {
      ...common,
      record: {
        ...place,
        outcome: read.outcome === 'missing' ? 'missing' : 'empty',
        validPixels,
        tissuePixels,
        stromaPixels: 0,
        ...absent,
      },
    };
  }
  const mask = toCoreMask(inferred.bits, session.plan, ref, missing, read.tissue);
  const { stromaPixels, outsidePixels } = mask;
  const { probabilities, without = 0 } = inferred;
  if (probabilities && read.tissue) clearGlassProbabilities(probabilities, session.plan, read.tissue);
  return {
    ...common,
    mask,
    ...(read.tissue && { tissue: read.tissue }),
    ...(probabilities && { probabilities }),
    record: {
      ...place,
      outcome: 'segmented',
      validPixels,
      tissuePixels,
      stromaPixels,
      ...(outsidePixels > 0 ? { outsidePixels } : {}),
      ...absent,
      ...(without > 0 ? { blendedWithout: without } : {}),
    },
  };
}
