import { mergeMap, type OperatorFunction } from 'rxjs';
import { toStromaflowError } from '../errors.js';
import type { CreditedPatch, ReadPatch } from './item.js';
import type { PipelineObserver } from './observer.js';

/**
 * Reads each patch into its slot on the slide's reader threads, the tissue filter included. A patch that cannot be read
 * goes on as failed: one bad tile never ends the stream; a slide that keeps ending the process it is read in fails as a whole. In
 * flight at once: what the credits allow.
 */
export function read(observer: PipelineObserver): OperatorFunction<CreditedPatch, ReadPatch> {
  const readOne = async (patch: CreditedPatch): Promise<ReadPatch> => {
    const startedAt = performance.now();
    observer.entered('read');
    try {
      const outcome = await patch.session.reader.read(patch.ref, patch.slot);
      observer.left('read', 'ok', (performance.now() - startedAt) / 1000);
      return { ...patch, read: outcome };
    } catch (cause) {
      observer.left('read', 'failed', (performance.now() - startedAt) / 1000);
      const error = toStromaflowError(cause, 'SLIDE_UNREADABLE');
      if (error.code === 'OPENSLIDE_FAILED') patch.session.failure ??= error;
      return { ...patch, read: { outcome: 'failed', error } };
    }
  };
  return mergeMap(readOne);
}
