import { concatAll, mergeMap, type OperatorFunction } from 'rxjs';
import type { Segmenter } from '../engine/segmenter.js';
import { toStromaflowError } from '../errors.js';
import type { EngineGate } from './batch.js';
import type { InferredPatch, ReadPatch } from './item.js';
import type { PipelineObserver } from './observer.js';

export interface SegmentOptions {
  /** Batches at the engine at once, running or waiting. */
  readonly concurrency: number;
  readonly gate: EngineGate;
  readonly observer: PipelineObserver;
}

/**
 * Runs the engine over each batch and gives its patches back one by one, in the batch's order. A patch that the engine
 * cannot do is a failed patch; when the engine is gone for good, the slides fail, and their patches are done on the next start.
 */
export function segment(
  segmenter: Segmenter,
  { concurrency, gate, observer }: SegmentOptions,
): OperatorFunction<readonly ReadPatch[], InferredPatch> {
  const segmentBatch = async (patches: readonly ReadPatch[]): Promise<InferredPatch[]> => {
    const startedAt = performance.now();
    gate.enter();
    for (const _ of patches) observer.entered('segment');
    try {
      const slots = patches.map(({ slot }) => slot);
      const { bits, failed, probabilities, scores, seconds: own } = await segmenter.segment(slots);
      observer.inferred(patches.length, own);
      const seconds = (performance.now() - startedAt) / 1000;
      return patches.map((patch, index) => {
        const failure = failed?.get(index);
        observer.left('segment', failure ? 'failed' : 'ok', seconds);
        const mask = { bits: bits[index]!, probabilities: probabilities?.[index], scores: scores?.[index] };
        return { ...patch, inferred: failure ?? mask };
      });
    } catch (error) {
      const failure = toStromaflowError(error, 'ENGINE_FAILED');
      const seconds = (performance.now() - startedAt) / 1000;
      for (const { session } of patches) {
        observer.left('segment', 'failed', seconds);
        session.failure ??= failure;
      }
      return patches.map(patch => ({ ...patch, inferred: { error: failure, attempts: 1 } }));
    } finally {
      gate.leave();
    }
  };
  return source => source.pipe(mergeMap(segmentBatch, concurrency), concatAll());
}
