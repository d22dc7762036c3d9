import { StromaflowError } from '../errors.js';
import { loadModel, type Model } from '../model/model.js';
import type { BackendOptions } from './backend.js';

type Wanted = Pick<BackendOptions, 'model' | 'modelVersion' | 'engine' | 'norm' | 'fitted' | 'tta'>;

/**
 * Loads a model for an engine; it must still be of the version asked for (null: whatever it is). Throws what loadModel throws, MODEL_INVALID
 * when it has changed, MODEL_UNSUPPORTED for an int8 bundle on another engine than the one that computes on bytes.
 */
export async function loadExact({ model: source, modelVersion: version, engine, ...how }: Wanted): Promise<Model> {
  const { norm, fitted, tta } = how;
  const model = await loadModel(source, undefined, { norm, fitted, tta });
  for (const { name, network } of model.members)
    if (network.kind === 'smp' && network.quantisation && engine !== 'cpu')
      throw new StromaflowError('MODEL_UNSUPPORTED', `${name} is quantised to int8, for --engine cpu only`, {
        fix: 'choose --engine cpu, or the bundle it was made of',
      });
  if (version === null || version === model.version) return model;
  throw new StromaflowError('MODEL_INVALID', `${source} was ${version} and is ${model.version} now`, {
    fix: 'reload the model (SIGHUP) so that masks carry its new version',
  });
}

/** The only bundle of a model that is no ensemble. */
export async function loadExactBundle(wanted: Wanted) {
  const { members } = await loadExact(wanted);
  if (members.length !== 1) throw new RangeError(`${members.length} bundles for one backend`);
  return members[0]!;
}
