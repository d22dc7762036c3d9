import { mergeMap, type OperatorFunction } from 'rxjs';
import { toStromaflowError } from '../errors.js';
import type { CreditPool } from './credit.js';
import { NO_SLOT, type SettledPatch } from './item.js';
import type { PipelineObserver } from './observer.js';

/**
 * The end of a patch: its record goes to the ledger, its numbers into the aggregate, and its credit back to the source.
 * The order is what makes the effect exactly-once: stored, published, on record; whatever is not on record is done again.
 */
export function acknowledge(
  credits: CreditPool,
  observer: PipelineObserver,
): OperatorFunction<SettledPatch, SettledPatch> {
  return mergeMap(async patch => {
    const { session, record, slot, dueAt } = patch;
    if (!session.failure) {
      try {
        await session.run.record(record);
        session.settle(record);
        observer.acknowledged((performance.now() - dueAt) / 1000);
      } catch (error) {
        session.failure ??= toStromaflowError(error, 'LEDGER_FAILED', session.slide.id);
      }
    }
    session.leave();
    if (slot !== NO_SLOT) credits.release(slot);
    observer.credits(credits.empty, credits.total, 0);
    return patch;
  });
}
