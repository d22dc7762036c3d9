import { StromaflowError } from '../errors.js';
import type { BatchNorm, ConvNode, ConvTransposeNode, Graph } from './graph/graph.js';
import { FLOATS, notFloat, type SafetensorsFile } from './safetensors.js';

type Header = Pick<SafetensorsFile, 'path' | 'tensors'>;

/** Everything wrong with the names, shapes and types of a file's tensors for this graph, in the network's order. */
export function parameterProblems(graph: Pick<Graph, 'parameters'>, { path, tensors }: Header): StromaflowError[] {
  return [...graph.parameters].flatMap(([name, shape]) => {
    const wanted = `[${shape.join(', ')}]`;
    const entry = tensors.get(name);
    if (!entry) return [new StromaflowError('MODEL_TENSOR', `${path}: tensor ${name} ${wanted} is missing`)];
    const { dtype } = entry;
    if (entry.shape.length !== shape.length || entry.shape.some((size, i) => size !== shape[i])) {
      const message = `${path}: tensor ${name} is [${entry.shape.join(', ')}] but config.json makes it ${wanted}`;
      return [new StromaflowError('MODEL_TENSOR', message)];
    }
    return FLOATS.includes(dtype) ? [] : [notFloat(path, name, dtype)];
  });
}

/** Throws the first of parameterProblems: MODEL_TENSOR, with the tensor's name and both shapes, or MODEL_UNSUPPORTED. */
export function checkParameters(graph: Pick<Graph, 'parameters'>, file: Header): void {
  const [problem] = parameterProblems(graph, file);
  if (problem) throw problem;
}

/** Where weights come from: a file, or a formula in tests. */
export interface WeightSource {
  read(name: string): Promise<Float32Array<ArrayBuffer>>;
}

/** Kernel [out, in / groups, k, k], or [in, out, k, k] of a transposed one, and, where there is any, bias [out] of a convolution. */
export interface ConvWeights {
  readonly kernel: Float32Array<ArrayBuffer>;
  readonly bias: Float32Array<ArrayBuffer> | undefined;
}

/**
 * A convolution with the normalisation behind it folded in. Inference normalises by stored statistics,
 *     y = (conv(x) + b − mean) · w / √(var + ε) + shift,
 * which is a convolution with each output channel's kernel scaled by s = w / √(var + ε) and bias (b − mean) · s + shift; mean
 * and var are the channel's own (batch normalisation) or its group's.
 */
export async function foldedConv(node: ConvNode | ConvTransposeNode, source: WeightSource): Promise<ConvWeights> {
  const kernel = await source.read(`${node.name}.weight`);
  const bias = node.bias ? await source.read(`${node.name}.bias`) : undefined;
  if (!node.batchNorm) return { kernel, bias };
  const channels = await channelsOf(node.batchNorm, source);
  // A transposed convolution's kernel is [in, out, k, k]: an output channel's numbers come in runs, one an input.
  const run = node.op === 'convTranspose' ? node.kernel ** 2 : kernel.length / channels.length;
  const folded = { kernel: new Float32Array(kernel.length), bias: new Float32Array(channels.length) };
  channels.forEach(({ scale, mean, shift }, c) => {
    folded.bias[c] = ((bias?.[c] ?? 0) - mean) * scale + shift;
    for (let start = c * run; start < kernel.length; start += run * channels.length)
      for (let i = start; i < start + run; i++) folded.kernel[i] = kernel[i]! * scale;
  });
  return folded;
}

/** A normalisation by stored statistics as y = scale · x + shift, each [channels]. */
export async function foldedNorm(
  norm: BatchNorm,
  source: WeightSource,
): Promise<{ readonly scale: Float32Array<ArrayBuffer>; readonly shift: Float32Array<ArrayBuffer> }> {
  const channels = await channelsOf(norm, source);
  return {
    scale: Float32Array.from(channels, ({ scale }) => scale),
    shift: Float32Array.from(channels, ({ scale, mean, shift }) => shift - mean * scale),
  };
}

async function channelsOf({ name, epsilon }: BatchNorm, source: WeightSource) {
  const weight = await source.read(`${name}.weight`);
  const shift = await source.read(`${name}.bias`);
  const mean = await source.read(`${name}.running_mean`);
  const variance = await source.read(`${name}.running_var`);
  const perStatistic = weight.length / mean.length;
  return Array.from(weight, (factor, c) => {
    const place = Math.floor(c / perStatistic);
    if (variance[place]! < 0) throw negativeVariance(`tensor ${name}.running_var`, variance[place]!, place);
    return { scale: factor / Math.sqrt(variance[place]! + epsilon), mean: mean[place]!, shift: shift[c]! };
  });
}

export const negativeVariance = (what: string, value: number, place: number): StromaflowError =>
  new StromaflowError('MODEL_INVALID', `${what} holds ${value} at ${place}, a variance below 0`);
