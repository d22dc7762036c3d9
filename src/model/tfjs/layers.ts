import type * as tfjs from '@tensorflow/tfjs-core';
import type {
  Activation,
  AttentionNode,
  AveragePoolNode,
  BatchNormNode,
  ConvNode,
  ConvTransposeNode,
  GraphNode,
  GroupNormNode,
  LayerNormNode,
  MaxPoolNode,
  Padding,
  Value,
} from '../graph/graph.js';
import { sidesOf } from '../graph/graph.js';
import { type ConvWeights, foldedConv, foldedNorm, type WeightSource } from '../weights.js';

import { adaptiveAverage, resized, upsample } from './resize.js';

export type Tf = typeof tfjs;
type Tensor4D = tfjs.Tensor4D;

/** A layer with its weights on the device. Takes the tensors of the node's inputs, [N, H, W, C], and makes a new one. */
export interface Layer {
  run(inputs: readonly Tensor4D[]): Tensor4D;
  dispose(): void;
}

/** Makes the layer of a node. `relu`: the activation that follows is done in the same step. */
export async function makeLayer(
  tf: Tf,
  node: Exclude<GraphNode, { op: 'input' }>,
  value: Value,
  source: WeightSource,
  relu: boolean,
): Promise<Layer> {
  switch (node.op) {
    case 'conv':
      return conv(tf, node, value, source, relu);
    case 'batchNorm':
      return batchNorm(tf, node, source);
    case 'groupNorm':
      return groupNorm(tf, node, source);
    case 'layerNorm':
      return layerNorm(tf, node, source);
    case 'attention':
      return attention(tf, node);
    case 'maxPool':
      return maxPool(tf, node);
    case 'averagePool':
      return averagePool(tf, node);
    case 'convTranspose':
      return convTranspose(tf, node, value, source);
    case 'positionAttention':
      return positionAttention(tf);
    case 'upsample':
      return layer(([x]) => upsample(tf, x!, node));
    case 'resize':
      return layer(([x, like]) => resized(tf, x!, [like!.shape[1], like!.shape[2]], node.mode));
    case 'adaptiveAverage':
      return layer(([x]) => adaptiveAverage(tf, x!, node.side));
    case 'globalAverage':
      // Rows before columns: one long float32 sum over a patch would lose digits.
      return layer(([x]) => tf.tidy(() => tf.mean(tf.mean(x!, 2, true), 1, true)));
    case 'add':
      return layer(([a, b]) => tf.add(a!, b!));
    case 'multiply':
      return layer(([a, b]) => tf.mul(a!, b!));
    case 'concat':
      return layer(inputs => tf.concat([...inputs], 3));
    default: {
      const { op } = node;
      return layer(([x]) => tf.tidy(() => activate(tf, op, x!)));
    }
  }
}

function activate(tf: Tf, activation: Activation, x: Tensor4D): Tensor4D {
  switch (activation) {
    case 'relu':
      return reluOf(tf, x);
    case 'relu6':
      return relu6(tf, x);
    case 'sigmoid':
      return tf.sigmoid(x);
    case 'silu':
      return tf.mul(x, tf.sigmoid(x));
    case 'hardSigmoid':
      return tf.mul(relu6(tf, tf.add(x, 3)), 1 / 6);
    case 'hardSwish':
      return tf.mul(x, tf.mul(relu6(tf, tf.add(x, 3)), 1 / 6));
    case 'gelu':
      return tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1));
  }
}

/** 6 − relu(6 − relu(x)), which hands NaN on where the smaller of NaN and 6 is 6. */
function relu6(tf: Tf, x: Tensor4D): Tensor4D {
  if (!losesNaN(tf)) return tf.minimum(reluOf(tf, x), 6);
  return tf.sub(6, reluOf(tf, tf.sub(6, reluOf(tf, x)))) as Tensor4D;
}

/** In WebAssembly the larger of NaN and 0 is 0; a relu as LeakyRelu of slope 0 hands NaN on, as the other back ends do. */
const losesNaN = (tf: Tf): boolean => tf.getBackend() === 'wasm';

export function reluOf<T extends tfjs.Tensor>(tf: Tf, x: T): T {
  return losesNaN(tf) ? tf.leakyRelu(x, 0) : tf.relu(x);
}

function layer(run: Layer['run'], weights: readonly tfjs.Tensor[] = []): Layer {
  return { run, dispose: () => weights.forEach(tensor => void tensor.dispose()) };
}

async function conv(tf: Tf, node: ConvNode, { channels }: Value, source: WeightSource, relu: boolean): Promise<Layer> {
  const { kernel: size, stride, padding, input, dilation = 1, groups = 1 } = node;
  const { kernel, bias } = await foldedConv(node, source);
  if (groups > 1) return groupedConv(tf, node, channels, { kernel, bias }, relu);
  const filter = tf.tensor4d(channelsLast(kernel, channels, input.channels, size), [
    size,
    size,
    input.channels,
    channels,
  ]);
  const shift = bias && tf.tensor1d(bias);
  const activation = !relu ? 'linear' : losesNaN(tf) ? 'leakyrelu' : 'relu';
  // 'same' means what PyTorch means only where the window moves by one; elsewhere it pads the far side more.
  const same = stride === 1 && padding === (size >> 1) * dilation && size % 2 === 1;
  const run: Layer['run'] = ([x]) =>
    tf.tidy(() =>
      tf.fused.conv2d({
        x: same ? x! : padded(tf, x!, padding, 0),
        filter,
        strides: stride,
        dilations: dilation,
        pad: same ? 'same' : 'valid',
        activation,
        leakyreluAlpha: 0,
        ...(shift && { bias: shift }),
      }),
    );
  return layer(run, shift ? [filter, shift] : [filter]);
}

async function convTranspose(
  tf: Tf,
  node: ConvTransposeNode,
  { channels }: Value,
  source: WeightSource,
): Promise<Layer> {
  const { kernel: size, stride, padding, input } = node;
  const { kernel, bias } = await foldedConv(node, source);
  // The kernel's first axis is the input's, which TensorFlow wants last, too.
  const shape = [size, size, channels, input.channels] as const;
  const filter = tf.tensor4d(channelsLast(kernel, input.channels, channels, size), [...shape]);
  const shift = tf.tensor1d(bias!);
  const run: Layer['run'] = ([x]) =>
    tf.tidy(() => {
      const [n, height, width] = x!.shape;
      const whole = [n, height * stride + 2 * padding, width * stride + 2 * padding, channels] as const;
      const spread = tf.conv2dTranspose(x!, filter, [...whole], stride, 'valid');
      const inner = tf.slice(spread, [0, padding, padding, 0], [n, height * stride, width * stride, channels]);
      return tf.add(inner, shift) as Tensor4D;
    });
  return layer(run, [filter, shift]);
}

/** Depthwise where each group has one input; otherwise group by group. */
function groupedConv(
  tf: Tf,
  { kernel: size, stride, padding, input, dilation = 1, groups = 1 }: ConvNode,
  channels: number,
  { kernel, bias }: ConvWeights,
  relu: boolean,
): Layer {
  const shape = [size, size, input.channels / groups, channels] as const;
  const filter = tf.tensor4d(channelsLast(kernel, channels, shape[2], size), [...shape]);
  const shift = bias && tf.tensor1d(bias);
  const run: Layer['run'] = ([x]) =>
    tf.tidy(() => {
      const y = convInGroups(tf, padded(tf, x!, padding), filter, { groups, stride, dilation });
      const shifted = shift ? tf.add<Tensor4D>(y, shift) : y;
      return relu ? reluOf(tf, shifted) : shifted;
    });
  return layer(run, shift ? [filter, shift] : [filter]);
}

/** Without padding; `filter` [k, k, in / groups, out]. */
export function convInGroups(
  tf: Tf,
  x: Tensor4D,
  filter: Tensor4D,
  { groups, stride, dilation }: { groups: number; stride: number; dilation: number },
): Tensor4D {
  const [height, width, within, out] = filter.shape;
  if (groups === 1) return tf.conv2d(x, filter, stride, 'valid', 'NHWC', dilation);
  if (within === 1) {
    const each = tf.reshape(filter, [height, width, groups, out / groups]) as Tensor4D;
    return tf.depthwiseConv2d(x, each, stride, 'valid', 'NHWC', dilation);
  }
  const inputs = tf.split(x, groups, 3) as Tensor4D[];
  const filters = tf.split(filter, groups, 3) as Tensor4D[];
  const parts = inputs.map((input, i) => tf.conv2d(input, filters[i]!, stride, 'valid', 'NHWC', dilation));
  return tf.concat(parts as Tensor4D[], 3);
}

async function batchNorm(tf: Tf, node: BatchNormNode, source: WeightSource): Promise<Layer> {
  const folded = await foldedNorm(node, source);
  const scale = tf.tensor1d(folded.scale);
  const shift = tf.tensor1d(folded.shift);
  return layer(([x]) => tf.tidy(() => tf.add(tf.mul(x!, scale), shift)), [scale, shift]);
}

async function layerNorm(tf: Tf, { name, epsilon }: LayerNormNode, source: WeightSource): Promise<Layer> {
  const weight = tf.tensor1d(await source.read(`${name}.weight`));
  const bias = tf.tensor1d(await source.read(`${name}.bias`));
  const run: Layer['run'] = ([x]) =>
    tf.tidy(() => {
      const centred = tf.sub(x!, tf.mean(x!, 3, true));
      const spread = tf.rsqrt(tf.add(tf.mean(tf.square(centred), 3, true), epsilon));
      return tf.add(tf.mul(tf.mul(centred, spread), weight), bias) as Tensor4D;
    });
  return layer(run, [weight, bias]);
}

/** On stacks of matrices, one a patch and head: [N, heads, pixels, C / heads]. */
function attention(tf: Tf, { heads }: AttentionNode): Layer {
  return layer(([queries, both]) =>
    tf.tidy(() => {
      const [n, height, width, channels] = queries!.shape;
      const each = channels / heads;
      const rows = (x: tfjs.Tensor) => tf.transpose(tf.reshape(x, [n, -1, heads, each]), [0, 2, 1, 3]);
      const [keys, values] = tf.split(both!, 2, 3).map(rows);
      const scaled = tf.mul(rows(queries!), each ** -0.5);
      const weights = tf.softmax(tf.matMul(scaled, keys!, false, true));
      const found = tf.transpose(tf.matMul(weights, values!), [0, 2, 1, 3]);
      return tf.reshape(found, [n, height, width, channels]) as Tensor4D;
    }),
  );
}

/** See PositionAttentionNode; matrices are [N, pixels, channels]. */
function positionAttention(tf: Tf): Layer {
  return layer(([top, centre, bottom]) =>
    tf.tidy(() => {
      const [n, height, width, channels] = bottom!.shape;
      const rows = (x: Tensor4D) => tf.reshape(x, [n, height * width, x.shape[3]]);
      const scores = tf.matMul(rows(centre!), rows(top!), false, true);
      const weights = tf.reshape(tf.softmax(tf.reshape(scores, [n, -1])), scores.shape);
      const found = tf.reshape(tf.matMul(weights, rows(bottom!)), [n, channels, height, width]);
      return tf.transpose(found, [0, 2, 3, 1]) as Tensor4D;
    }),
  );
}

/** The sum over a window, padding as zeros, over how many pixels count. */
function averagePool(tf: Tf, { size, stride, padding, countsPadding }: AveragePoolNode): Layer {
  const pool = (x: Tensor4D) => tf.avgPool(padded(tf, x, padding), size, stride, 'valid');
  if (countsPadding || padding === 0) return layer(([x]) => tf.tidy(() => pool(x!)));
  return layer(([x]) =>
    tf.tidy(() => {
      const [, height, width] = x!.shape;
      return tf.div(pool(x!), pool(tf.ones([1, height, width, 1])));
    }),
  );
}

function maxPool(tf: Tf, { size, stride, padding }: MaxPoolNode): Layer {
  return layer(([x]) => tf.tidy(() => tf.maxPool(padded(tf, x!, padding, LOWEST), size, stride, 'valid')));
}

/** The lowest float32: never the largest of a window. */
export const LOWEST = -3.4028234663852886e38;

/** Native TensorFlow takes no padding in numbers. */
export function padded(tf: Tf, x: Tensor4D, padding: Padding, value = 0): Tensor4D {
  const [top, left, bottom, right] = sidesOf(padding);
  if (top + left + bottom + right === 0) return x;
  return tf.pad(
    x,
    [
      [0, 0],
      [top, bottom],
      [left, right],
      [0, 0],
    ],
    value,
  );
}

/** [out, in / groups, height, width], PyTorch's order, to [height, width, in, out], TensorFlow's. */
export function channelsLast(kernel: Float32Array, out: number, input: number, size: number): Float32Array {
  const area = size * size;
  const moved = new Float32Array(kernel.length);
  for (let o = 0, from = 0; o < out; o++)
    for (let i = 0; i < input; i++)
      for (let place = 0; place < area; place++) moved[(place * input + i) * out + o] = kernel[from++]!;
  return moved;
}

/**
 * Statistics over a group's channels and pixels. Rows are averaged before columns: one long float32 sum over a patch
 * would lose digits.
 */
async function groupNorm(tf: Tf, { name, groups, epsilon }: GroupNormNode, source: WeightSource): Promise<Layer> {
  const weight = tf.tensor1d(await source.read(`${name}.weight`));
  const bias = tf.tensor1d(await source.read(`${name}.bias`));
  const run: Layer['run'] = ([x]) =>
    tf.tidy(() => {
      const [n, height, width, channels] = x!.shape;
      const grouped = tf.reshape(x!, [n * height, width, groups, channels / groups]);
      const overGroup = (values: tfjs.Tensor) => {
        const rows = tf.reshape(tf.mean(values, [1, 3]), [n, height, groups]);
        return tf.reshape(tf.tile(tf.mean(rows, 1, true), [1, height, 1]), [n * height, 1, groups, 1]);
      };
      const centred = tf.sub(grouped, overGroup(grouped));
      const spread = tf.rsqrt(tf.add(overGroup(tf.square(centred)), epsilon));
      const normal = tf.reshape(tf.mul(centred, spread), [n, height, width, channels]);
      return tf.add(tf.mul(normal, weight), bias) as Tensor4D;
    });
  return layer(run, [weight, bias]);
}
