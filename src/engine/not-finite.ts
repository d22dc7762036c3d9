import { StromaflowError } from '../errors.js';
import type { BatchMasks, FailedPatch } from './segmenter.js';

/** Places of the sums (a patch each) that are NaN or infinite, as a sum is when one of its terms is. */
export function notFinitePlaces(sums: ArrayLike<number>): number[] {
  return Array.from(sums).flatMap((sum, place) => (Number.isFinite(sum) ? [] : [place]));
}

/** The same masks, but those at these places, which mean nothing, made failures. */
export function withoutNotFinite(masks: BatchMasks, places: readonly number[]): BatchMasks {
  if (places.length === 0) return masks;
  const failed = new Map<number, FailedPatch>(places.map(place => [place, { error: notFinite(), attempts: 1 }]));
  const emptied = <T extends Uint8Array>(all: readonly T[]) =>
    all.map((bytes, place) => (failed.has(place) ? new Uint8Array() : bytes));
  const { bits, counts, probabilities } = masks;
  return {
    ...masks,
    bits: emptied(bits),
    counts: counts.map((count, place) => (failed.has(place) ? 0 : count)),
    ...(probabilities && { probabilities: emptied(probabilities) }),
    failed,
  };
}

const notFinite = () => new StromaflowError('MODEL_NOT_FINITE', 'the model computes NaN or infinity on this patch');
