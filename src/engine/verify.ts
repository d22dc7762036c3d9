import { join, resolve } from 'node:path';
import { StromaflowError, toStromaflowError } from '../errors.js';
import { parseArchitecture } from '../model/architecture/config.js';
import { buildNetwork } from '../model/architecture/network.js';
import { loadBundle, type ModelBundle, readJson } from '../model/bundle.js';
import { SafetensorsFile } from '../model/safetensors.js';
import { trialSide } from '../model/sides.js';
import { negativeVariance, parameterProblems } from '../model/weights.js';
import { entryOf } from './catalogue.js';
import { chooseEngine } from './choose.js';
import { type EvaluateOptions, type Evaluation, evaluateImages } from './evaluate.js';
import { extremeImages } from './extreme-images.js';

export interface Verification {
  /** Absent when the bundle cannot be loaded. */
  readonly bundle?: ModelBundle;
  /** Everything found wrong, not only the first; empty when the bundle is sound. */
  readonly problems: readonly StromaflowError[];
  /** A trial run on noise; absent when there was anything wrong before it. */
  readonly trial?: {
    readonly engine: string;
    readonly seconds: number;
    readonly lowest: number;
    readonly highest: number;
  };
  /**
   * The same in float16: pictures whose scores are NaN or infinite there. Absent where the engine or the bundle has no float16.
   * It is a problem only for who asks for float16.
   */
  readonly float16?: { readonly notFinite: readonly string[] };
}

const TRIAL_SIDE = 64;

/**
 * Checks a bundle as far as it can be checked without labels: files, options, every tensor's name, shape, type and
 * values, and a trial run on noise and on pictures at the ends of what a model can be given. Throws only for what is no bundle at all (MODEL_NOT_FOUND) and for the signal's reason.
 */
export async function verifyBundle(path: string, options: EvaluateOptions = {}): Promise<Verification> {
  const { signal } = options;
  let bundle: ModelBundle;
  try {
    bundle = await loadBundle(path, signal, { norm: options.norm });
  } catch (error) {
    signal?.throwIfAborted();
    const problem = toStromaflowError(error, 'MODEL_INVALID');
    if (problem.code === 'MODEL_NOT_FOUND') throw problem;
    const tensors = problem.code === 'MODEL_TENSOR' ? await everyTensorProblem(resolve(path)) : [];
    // The weights may be sound, and the tensor one of the statistics beside them.
    return { problems: tensors.length > 0 ? tensors : [problem] };
  }
  const problems = await badValues(bundle, signal);
  if (problems.length > 0) return { bundle, problems };
  try {
    const side = trialSide(bundle, TRIAL_SIDE);
    const { half = false } = options;
    const plain = await tryOut(path, side, { ...options, half: false });
    const float16 = (await hasHalf(bundle, options)) ? await inHalf(path, side, options) : undefined;
    const found = [
      ...notFiniteProblem(path, plain.notFinite, 'float32'),
      ...(half && float16 ? notFiniteProblem(path, float16.notFinite, 'float16') : []),
    ];
    const both = { bundle, problems: found, ...(float16 && { float16 }) };
    if (plain.notFinite.length > 0) return both;
    const { outputs, engine, seconds } = plain.noise;
    const { values } = outputs[0]!;
    const [lowest, highest] = [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
    return { ...both, trial: { engine, seconds, lowest, highest } };
  } catch (error) {
    signal?.throwIfAborted();
    return { bundle, problems: [toStromaflowError(error, 'ENGINE_FAILED')] };
  }
}

/** Runs the model on the extreme images; which of them give scores that are NaN or infinite. */
async function tryOut(path: string, side: number, options: EvaluateOptions) {
  const images = extremeImages(side);
  const evaluations = await evaluateImages(path, [...images.values()], options);
  const finite = ({ outputs }: Evaluation) => outputs[0]!.values.every(Number.isFinite);
  return { noise: evaluations[0]!, notFinite: [...images.keys()].filter((_, i) => !finite(evaluations[i]!)) };
}

/** Not every GPU can; that is a problem only for who asks for it. */
async function inHalf(path: string, side: number, options: EvaluateOptions) {
  try {
    const { notFinite } = await tryOut(path, side, { ...options, half: true });
    return { notFinite };
  } catch (error) {
    options.signal?.throwIfAborted();
    if (options.half) throw error;
    return undefined;
  }
}

function notFiniteProblem(path: string, pictures: readonly string[], type: 'float32' | 'float16'): StromaflowError[] {
  if (pictures.length === 0) return [];
  const message = `${path}: in ${type} the scores are not finite on ${pictures.join(', ')}`;
  return [new StromaflowError('MODEL_NOT_FINITE', message)];
}

/** A ready graph computes as it was exported, an int8 bundle on bytes, TensorFlow.js in float32. */
async function hasHalf({ path, network }: ModelBundle, options: EvaluateOptions): Promise<boolean> {
  if (network.kind === 'onnx' || network.quantisation) return false;
  const { threads, cacheFolder, signal } = options;
  const probing = {
    model: path,
    ...(threads && { threads }),
    ...(cacheFolder && { cacheFolder }),
    ...(signal && { signal }),
  };
  const { engine } = await chooseEngine(options.engine ?? 'auto', probing);
  return entryOf(engine).library === 'onnxruntime';
}

async function everyTensorProblem(folder: string): Promise<StromaflowError[]> {
  const config = join(folder, 'config.json');
  const graph = buildNetwork(parseArchitecture(await readJson(config), config));
  const file = await SafetensorsFile.open(join(folder, 'model.safetensors'));
  await file.close();
  return parameterProblems(graph, file);
}

/** Tensors the network uses that hold a value no number can be made of, or a variance below 0. */
async function badValues({ network }: ModelBundle, signal?: AbortSignal): Promise<StromaflowError[]> {
  if (network.kind === 'onnx') return [];
  const problems: StromaflowError[] = [];
  const file = await SafetensorsFile.open(network.weights);
  try {
    for (const name of buildNetwork(network.architecture).parameters.keys()) {
      signal?.throwIfAborted();
      try {
        const values = await file.read(name);
        const negative = name.endsWith('.running_var') ? values.findIndex(value => value < 0) : -1;
        if (negative >= 0) problems.push(negativeVariance(`${file.path}: tensor ${name}`, values[negative]!, negative));
      } catch (error) {
        problems.push(toStromaflowError(error, 'MODEL_INVALID'));
      }
    }
  } finally {
    await file.close();
  }
  return problems;
}
