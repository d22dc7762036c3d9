import type * as tfjs from '@tensorflow/tfjs-core';
import type { ConvNode, ConvTransposeNode, Value } from '../graph/graph.js';
import { type ConvWeights, foldedConv, type WeightSource } from '../weights.js';
import { type Layer, layer, losesNaN, padded, reluOf, type Tf } from './layer.js';

type Tensor4D = tfjs.Tensor4D;

export async function conv(
  tf: Tf,
  node: ConvNode,
  { channels }: Value,
  source: WeightSource,
  relu: boolean,
): Promise<Layer> {
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

export async function convTranspose(
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

/** [out, in / groups, height, width], PyTorch's order, to [height, width, in, out], TensorFlow's. */
export function channelsLast(kernel: Float32Array, out: number, input: number, size: number): Float32Array {
  const area = size * size;
  const moved = new Float32Array(kernel.length);
  for (let o = 0, from = 0; o < out; o++)
    for (let i = 0; i < input; i++)
      for (let place = 0; place < area; place++) moved[(place * input + i) * out + o] = kernel[from++]!;
  return moved;
}
