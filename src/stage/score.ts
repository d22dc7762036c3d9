import { mergeMap, type OperatorFunction, of } from 'rxjs';
import type { SettledPatch } from './item.js';

/** Compares each mask with the labels of its slide, where there are any: exact pixel counts join the record. */
export function score(): OperatorFunction<SettledPatch, SettledPatch> {
  return mergeMap(patch => {
    const { labels } = patch.session;
    return !labels || patch.record.outcome === 'failed' ? of(patch) : scored(patch, labels);
  });
}

async function scored(
  patch: SettledPatch,
  labels: NonNullable<SettledPatch['session']['labels']>,
): Promise<SettledPatch> {
  const counts = await labels.score(patch.ref, patch.mask, patch.probabilities);
  return counts ? { ...patch, record: { ...patch.record, ...counts } } : patch;
}
