import { join, resolve } from 'node:path';
import { StromaflowError, toStromaflowError } from '../errors.js';
import { parseArchitecture } from '../model/architecture/config.js';
import { buildNetwork } from '../model/architecture/network.js';
import { loadBundle, type ModelBundle, readJson } from '../model/bundle.js';
import { SafetensorsFile } from '../model/safetensors.js';
import { parameterProblems } from '../model/weights.js';
import { type EvaluateOptions, evaluateImage } from './evaluate.js';

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
}

const TRIAL_SIDE = 64;

/**
 * Checks a bundle as far as it can be checked without labels: files, options, every tensor's name, shape, type and
 * values, and a trial run. Throws only for what is no bundle at all (MODEL_NOT_FOUND) and for the signal's reason.
 */
export async function verifyBundle(path: string, options: EvaluateOptions = {}): Promise<Verification> {
  const { signal } = options;
  let bundle: ModelBundle;
  try {
    bundle = await loadBundle(path, signal);
  } catch (error) {
    signal?.throwIfAborted();
    const problem = toStromaflowError(error, 'MODEL_INVALID');
    if (problem.code === 'MODEL_NOT_FOUND') throw problem;
    return { problems: problem.code === 'MODEL_TENSOR' ? await everyTensorProblem(resolve(path)) : [problem] };
  }
  const problems = await badValues(bundle, signal);
  if (problems.length > 0) return { bundle, problems };
  try {
    const side = bundle.network.kind === 'onnx' ? (bundle.network.ready.fixedSide ?? TRIAL_SIDE) : TRIAL_SIDE;
    const pixels = Uint8Array.from({ length: side * side * 3 }, (_, i) => Math.imul(i, 0x9e3779b1) >>> 24);
    const { outputs, engine, seconds } = await evaluateImage(path, { pixels, width: side, height: side }, options);
    const { values } = outputs[0]!;
    if (!values.every(Number.isFinite))
      return { bundle, problems: [new StromaflowError('MODEL_INVALID', `${path}: logits of noise are not finite`)] };
    const [lowest, highest] = [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
    return { bundle, problems, trial: { engine, seconds, lowest, highest } };
  } catch (error) {
    signal?.throwIfAborted();
    return { bundle, problems: [toStromaflowError(error, 'ENGINE_FAILED')] };
  }
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
        if (negative >= 0)
          problems.push(
            new StromaflowError(
              'MODEL_INVALID',
              `${file.path}: tensor ${name} holds ${values[negative]} at ${negative}, a variance below 0`,
            ),
          );
      } catch (error) {
        problems.push(toStromaflowError(error, 'MODEL_INVALID'));
      }
    }
  } finally {
    await file.close();
  }
  return problems;
}
