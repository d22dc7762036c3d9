import { mergeMap, type OperatorFunction } from 'rxjs';
import { StromaflowError, toStromaflowError } from '../errors.js';
import type { ReadOutcome } from '../read/reader-pool.js';
import { endsSlide } from '../slide/ends-slide.js';
import type { CreditedPatch, ReadPatch } from './item.js';
import type { PipelineObserver } from './observer.js';
import type { SlideSession } from './session.js';

/**
 * Reads each patch into its slot on the slide's reader threads, the tissue filter included. A patch that cannot be read
 * goes on as failed: one bad tile never ends the stream; a slide that keeps ending the process it is read in fails as a whole. One whose
 * folder is away waits until it is back, or until the signal aborts: then it has no outcome. In flight at once: what the credits allow.
 */
export function read(
  observer: PipelineObserver,
  signal: AbortSignal = new AbortController().signal,
): OperatorFunction<CreditedPatch, ReadPatch> {
  const readOne = async (patch: CreditedPatch): Promise<ReadPatch> => {
    const startedAt = performance.now();
    observer.entered('read');
    try {
      const outcome = await readWhenThere(patch.session, patch, signal);
      observer.left('read', 'ok', (performance.now() - startedAt) / 1000);
      return { ...patch, read: outcome };
    } catch (cause) {
      observer.left('read', 'failed', (performance.now() - startedAt) / 1000);
      const error = toStromaflowError(cause, 'SLIDE_UNREADABLE');
      if (endsSlide(error)) patch.session.failure ??= error;
      return { ...patch, read: { outcome: 'failed', error } };
    }
  };
  return mergeMap(readOne);
}

/** Of a slide: what its patches are read by, and what became of it. */
export type ReadFrom = Pick<SlideSession, 'reader' | 'folder' | 'slide' | 'failure'>;

/** Reads a patch into its slot; while the slide's folder is away it waits. Rejects as SlideHandle.read does. */
export async function readWhenThere(
  session: ReadFrom,
  { ref, slot }: Pick<CreditedPatch, 'ref' | 'slot'>,
  signal: AbortSignal,
): Promise<ReadOutcome> {
  const { reader, folder, slide } = session;
  for (let tries = 1; ; tries++) {
    const outages = folder?.outages;
    const { openings } = reader;
    try {
      return await reader.read(ref, slot);
    } catch (error) {
      if (!folder || session.failure) throw error;
      const wasAway = folder.isAway() || folder.outages !== outages;
      // A share may have been away for a moment that nobody saw; damage in a file stays what it is.
      if (!wasAway && (tries > 1 || toStromaflowError(error).code !== 'SLIDE_UNREADABLE')) throw error;
      if (!(await folder.back(signal))) {
        session.failure ??= new StromaflowError('INTERRUPTED', `${slide.id}: interrupted while its folder was away`);
        throw error;
      }
      await reader.reopen(openings);
    }
  }
}
