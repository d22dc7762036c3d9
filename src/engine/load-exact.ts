import { StromaflowError } from '../errors.js';
import { loadBundle, type ModelBundle } from '../model/bundle.js';

/** Loads a bundle that must still be of this version (null: whatever it is). Throws MODEL_INVALID when it has changed. */
export async function loadExact(model: string, version: string | null): Promise<ModelBundle> {
  const bundle = await loadBundle(model);
  if (version === null || version === bundle.version) return bundle;
  throw new StromaflowError('MODEL_INVALID', `${model} was ${version} and is ${bundle.version} now`, {
    fix: 'reload the model (SIGHUP) so that masks carry its new version',
  });
}
