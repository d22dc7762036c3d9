import { mergeMap, type OperatorFunction } from 'rxjs';
import { StromaflowError, toStromaflowError } from '../errors.js';
import { hasTissue, type ReadPatch } from './item.js';

/** Says why a patch must not reach the model; undefined where it may. */
export type Objection = (patch: ReadPatch) => string | undefined | Promise<string | undefined>;

/**
 * An operator of one's own between reader and model, of the kind that cannot lose a patch: every patch comes out once, those that are objected to
 * as failed with PATCH_REJECTED, so that they are published, counted and tried again as failed patches are. Patches without tissue are not asked about.
 *
 * @param object is given the patch while its pixels are in its slot (`parts.pixels(patch.slot)`); what it throws fails the patch too.
 * @param concurrency patches looked at once; the order may change with more than one.
 */
export function reject(object: Objection, concurrency = 1): OperatorFunction<ReadPatch, ReadPatch> {
  const look = async (patch: ReadPatch): Promise<ReadPatch> => {
    if (!hasTissue(patch)) return patch;
    const error = await objectionTo(patch, object);
    return error ? { ...patch, read: { outcome: 'failed', error } } : patch;
  };
  return mergeMap(look, concurrency);
}

async function objectionTo(patch: ReadPatch, object: Objection): Promise<StromaflowError | undefined> {
  try {
    const reason = await object(patch);
    return reason === undefined ? undefined : new StromaflowError('PATCH_REJECTED', reason);
  } catch (error) {
    return toStromaflowError(error, 'PATCH_REJECTED');
  }
}
