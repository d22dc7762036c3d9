import { StromaflowError } from '../errors.js';
import { loadBundle, type ModelBundle } from '../model/bundle.js';
import type { BackendOptions } from './backend.js';

type Wanted = Pick<BackendOptions, 'model' | 'modelVersion' | 'engine' | 'norm' | 'fitted'>;

/**
 * Loads a bundle for an engine; it must still be of the version asked for (null: whatever it is). Throws MODEL_INVALID when it has
 * changed, MODEL_UNSUPPORTED for an int8 bundle on another engine than the one that computes on bytes.
 */
export async function loadExact({ model, modelVersion: version, engine, norm, fitted }: Wanted): Promise<ModelBundle> {
  const bundle = await loadBundle(model, undefined, { norm, fitted });
  if (bundle.network.kind === 'smp' && bundle.network.quantisation && engine !== 'cpu')
    throw new StromaflowError('MODEL_UNSUPPORTED', `${bundle.name} is quantised to int8, for --engine cpu only`, {
      fix: 'choose --engine cpu, or the bundle it was made of',
    });
  if (version === null || version === bundle.version) return bundle;
  throw new StromaflowError('MODEL_INVALID', `${model} was ${version} and is ${bundle.version} now`, {
    fix: 'reload the model (SIGHUP) so that masks carry its new version',
  });
}
