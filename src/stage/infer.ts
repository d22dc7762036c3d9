import { fromEvent, type GroupedObservable, groupBy, identity, mergeMap, type OperatorFunction, tap } from 'rxjs';
import type { ServingModel } from '../engine/model-switch.js';
import { batch, EngineGate } from './batch.js';
import type { InferredPatch, ReadPatch } from './item.js';
import type { PipelineObserver } from './observer.js';
import type { PatchTraces } from './patch-traces.js';
import { segment } from './segment.js';

export interface InferOptions {
  /** Milliseconds a patch may wait for others, counted from the first of its batch, ≥ 0. */
  readonly delayMs: number;
  readonly observer: PipelineObserver;
  /** Told of each batch. */
  readonly traces?: PatchTraces | undefined;
}

/**
 * Batches patches and runs the model their slide was opened with. There is one model at a time but for the changeover to a
 * new one, when slides of both are under way: a batch is of one model.
 */
export function infer({ delayMs, observer, traces }: InferOptions): OperatorFunction<ReadPatch, InferredPatch> {
  const modelOf = ({ session }: ReadPatch): ServingModel => session.model;
  const untilRetired = ({ key }: GroupedObservable<ServingModel, ReadPatch>) => fromEvent(key.retired, 'abort');
  return patch$ =>
    patch$.pipe(
      groupBy(modelOf, { duration: untilRetired }),
      mergeMap(ofOneModel => {
        const { segmenter } = ofOneModel.key;
        const { batch: size, lanes } = segmenter.info;
        const gate = new EngineGate(lanes);
        return ofOneModel.pipe(
          batch({ size, delayMs, gate, observer }),
          traces ? tap(patches => traces.batched(patches)) : identity,
          // One batch more than run waits at the engine's door, so that it never idles.
          segment(segmenter, { concurrency: lanes + 1, gate, observer }),
        );
      }),
    );
}
