import type * as tfjs from '@tensorflow/tfjs-core';
import type { ConvNode, GraphNode, GroupNormNode, MaxPoolNode, UpsampleNode, Value } from '../graph/graph.js';
import { cubicWeights } from '../program/interpolation.js';
import { foldedConv, type WeightSource } from '../weights.js';

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
    case 'groupNorm':
      return groupNorm(tf, node, source);
    case 'maxPool':
      return maxPool(tf, node);
    case 'upsample':
      return upsample(tf, node);
    case 'relu':
      return layer(([x]) => reluOf(tf, x!));
    case 'sigmoid':
      return layer(([x]) => tf.sigmoid(x!));
    case 'globalAverage':
      return layer(([x]) => tf.mean(x!, [1, 2], true));
    case 'add':
      return layer(([a, b]) => tf.add(a!, b!));
    case 'multiply':
      return layer(([a, b]) => tf.mul(a!, b!));
    case 'concat':
      return layer(inputs => tf.concat([...inputs], 3));
  }
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
  const { kernel: size, stride, padding, input } = node;
  const { kernel, bias } = await foldedConv(node, source);
  const filter = tf.tensor4d(channelsLast(kernel, channels, input.channels, size), [
    size,
    size,
    input.channels,
    channels,
  ]);
  const shift = bias && tf.tensor1d(bias);
  const activation = !relu ? 'linear' : losesNaN(tf) ? 'leakyrelu' : 'relu';
  // 'same' means what PyTorch means only where the window moves by one; elsewhere it pads the far side more.
  const same = stride === 1 && padding === size >> 1;
  const run: Layer['run'] = ([x]) =>
    tf.tidy(() =>
      tf.fused.conv2d({
        x: same ? x! : padded(tf, x!, padding, 0),
        filter,
        strides: stride,
        pad: same ? 'same' : 'valid',
        activation,
        leakyreluAlpha: 0,
        ...(shift && { bias: shift }),
      }),
    );
  return layer(run, shift ? [filter, shift] : [filter]);
}

function maxPool(tf: Tf, { size, stride, padding }: MaxPoolNode): Layer {
  return layer(([x]) => tf.tidy(() => tf.maxPool(padded(tf, x!, padding, LOWEST), size, stride, 'valid')));
}

/** The lowest float32: never the largest of a window. */
export const LOWEST = -3.4028234663852886e38;

/** Native TensorFlow takes no padding in numbers. */
export function padded(tf: Tf, x: Tensor4D, padding: number, value = 0): Tensor4D {
  if (padding === 0) return x;
  const both: [number, number] = [padding, padding];
  return tf.pad(x, [[0, 0], both, both, [0, 0]], value);
}

/** [out, in, height, width], PyTorch's order, to [height, width, in, out], TensorFlow's. */
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

function upsample(tf: Tf, { factor, mode }: UpsampleNode): Layer {
  const sizeOf = ({ shape }: Tensor4D): [number, number] => [shape[1] * factor, shape[2] * factor];
  switch (mode) {
    case 'nearest':
      return layer(([x]) => tf.image.resizeNearestNeighbor(x!, sizeOf(x!)));
    case 'bilinear':
      return layer(([x]) => tf.image.resizeBilinear(x!, sizeOf(x!), false, true));
    case 'bilinear-corners':
      return layer(([x]) => tf.image.resizeBilinear(x!, sizeOf(x!), true, false));
    case 'bicubic':
      return layer(([x]) => bicubic(tf, x!, factor));
  }
}

/** TensorFlow.js has no bicubic kernel; each axis is a product with a matrix of weights instead. */
function bicubic(tf: Tf, x: Tensor4D, factor: number): Tensor4D {
  return tf.tidy(() => {
    const [n, height, width, channels] = x.shape;
    const tall = tf.matMul(repeated(tf, cubicWeights(height, factor), n), tf.reshape(x, [n, height, width * channels]));
    const rows = tf.reshape(tall, [n * height * factor, width, channels]);
    const wide = tf.matMul(repeated(tf, cubicWeights(width, factor), n * height * factor), rows);
    return tf.reshape(wide, [n, height * factor, width * factor, channels]);
  });
}

function repeated(tf: Tf, weights: number[][], times: number): tfjs.Tensor3D {
  return tf.tile(tf.expandDims(tf.tensor2d(weights), 0), [times, 1, 1]) as tfjs.Tensor3D;
}
