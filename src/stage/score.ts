import { mergeMap, type OperatorFunction, of } from 'rxjs';
import type { SettledPatch } from './item.js';

/**
 * Compares each mask with the labels of its slide, where there are any: exact pixel counts join the record. Of what the slide does
 * not store nobody knows whether the model would have found it.
 */
export function score(): OperatorFunction<SettledPatch, SettledPatch> {
  return mergeMap(patch => {
    const { labels } = patch.session;
    const { outcome } = patch.record;
    return !labels || outcome === 'failed' || outcome === 'missing' ? of(patch) : scored(patch, labels);
  });
}

async function scored(
  patch: SettledPatch,
  labels: NonNullable<SettledPatch['session']['labels']>,
): Promise<SettledPatch> {
  const counts = await labels.score(patch.ref, patch.mask, patch.probabilities, patch.record.missingAt);
  return counts ? { ...patch, record: { ...patch.record, ...counts } } : patch;
}
