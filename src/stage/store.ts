import { mergeMap, type OperatorFunction } from 'rxjs';
import { toStromaflowError } from '../errors.js';
import type { SettledPatch } from './item.js';
import type { PipelineObserver } from './observer.js';

/**
 * Writes each outcome to the slide's outputs, before it is published: whoever hears of a mask finds it on disk. A slide
 * whose outputs cannot be written fails as a whole; its patches pass on, unacknowledged, to give their credits back.
 */
export function store(observer: PipelineObserver): OperatorFunction<SettledPatch, SettledPatch> {
  return mergeMap(async patch => {
    const { session, ref, record, mask, probabilities } = patch;
    if (session.failure) return patch;
    const startedAt = performance.now();
    observer.entered('store');
    try {
      const png = await session.output.patch(ref, record, mask, probabilities);
      observer.left('store', 'ok', (performance.now() - startedAt) / 1000);
      return png && mask ? { ...patch, mask: { ...mask, png } } : patch;
    } catch (error) {
      session.failure ??= toStromaflowError(error, 'OUTPUT_FAILED', session.slide.id);
      observer.left('store', 'failed', (performance.now() - startedAt) / 1000);
    }
    return patch;
  });
}
