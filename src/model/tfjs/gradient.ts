import type * as tfjs from '@tensorflow/tfjs-core';
import { type Padding, sidesOf } from '../graph/graph.js';
import type { ConvKernelWord, Sliding } from '../program/words.js';
import { convInGroups } from './conv.js';
import { LOWEST, padded, type Tf } from './layer.js';

type Tensor = tfjs.Tensor;
type Tensor4D = tfjs.Tensor4D;

/** Place by place of the window: where the input equals the largest value and no place before did. */
export function unpooled(
  tf: Tf,
  by: Tensor4D,
  largest: Tensor4D,
  x: Tensor4D,
  { size, stride, padding }: { readonly size: number; readonly stride: number; readonly padding: Padding },
): Tensor {
  const source = padded(tf, x, padding, LOWEST);
  const [n, tall, wide, channels] = source.shape;
  const [, height, width] = by.shape;
  let free: Tensor = tf.onesLike(largest);
  let sum: Tensor = tf.zeros(source.shape);
  for (let place = 0; place < size * size; place++) {
    const [top, left] = [Math.floor(place / size), place % size];
    const end = [n, top + (height - 1) * stride + 1, left + (width - 1) * stride + 1, channels];
    const window = tf.stridedSlice(source, [0, top, left, 0], end, [1, stride, stride, 1]);
    const hit = tf.mul(tf.cast(tf.equal(window, largest), 'float32'), free);
    free = tf.sub(free, hit);
    const apart = spread(tf, tf.mul(hit, by) as Tensor4D, stride);
    const below = Math.max(0, tall - top - height * stride);
    const right = Math.max(0, wide - left - width * stride);
    const placed = tf.pad(apart, [
      [0, 0],
      [top, below],
      [left, right],
      [0, 0],
    ]);
    sum = tf.add(sum, tf.slice(placed, [0, 0, 0, 0], source.shape));
  }
  const [above, beside] = sidesOf(padding);
  return tf.slice(sum, [0, above, beside, 0], x.shape);
}

/** A kernel [k, k, in / groups, out] turned by 180°, [k, k, out / groups, in]. */
export function rotated(tf: Tf, kernel: Tensor4D, groups: number): Tensor4D {
  const [height, width, within, out] = kernel.shape;
  const turned = tf.reshape(tf.reverse(kernel, [0, 1]), [height, width, within, groups, out / groups]);
  return tf.reshape(tf.transpose(turned, [0, 1, 4, 3, 2]), [height, width, out / groups, groups * within]);
}

/** Zeros between the pixels, then a convolution by the kernel turned round; of `size`, padding included. */
export function transposedInGroups(
  tf: Tf,
  x: Tensor4D,
  kernel: Tensor4D,
  { stride, dilation, groups }: Sliding,
  [tall, wide]: readonly [number, number],
): Tensor4D {
  const reach = dilation * (kernel.shape[0] - 1);
  const [, height, width] = x.shape;
  const rest = (to: number, from: number) => Math.max(0, to - from * stride);
  const apart = tf.pad(spread(tf, x, stride), [
    [0, 0],
    [reach, rest(tall, height)],
    [reach, rest(wide, width)],
    [0, 0],
  ]);
  const [n, , , channels] = x.shape;
  const cut = tf.slice(apart, [0, 0, 0, 0], [n, tall + reach, wide + reach, channels]) as Tensor4D;
  return convInGroups(tf, cut, rotated(tf, kernel, groups), { groups, stride: 1, dilation });
}

/** Place by place of the kernel: the output's gradient times the input shifted there, summed over pixels; [k, k, in / groups, out]. */
export function convKernel(
  tf: Tf,
  x: Tensor4D,
  by: Tensor4D,
  { stride, dilation, padding, groups }: ConvKernelWord,
  size: number,
): Tensor {
  const source = padded(tf, x, padding);
  const [n, height, width, out] = by.shape;
  const channels = x.shape[3];
  const within = channels / groups;
  const pixels = n * height * width;
  const columns = tf.transpose(tf.reshape(by, [pixels, groups, out / groups]), [1, 0, 2]);
  const parts = Array.from({ length: size * size }, (_, place) => {
    const [top, left] = [Math.floor(place / size) * dilation, (place % size) * dilation];
    const end = [n, top + (height - 1) * stride + 1, left + (width - 1) * stride + 1, channels];
    const window = tf.stridedSlice(source, [0, top, left, 0], end, [1, stride, stride, 1]);
    const rows = tf.transpose(tf.reshape(window, [pixels, groups, within]), [1, 0, 2]);
    return tf.transpose(tf.matMul(rows, columns, true, false), [1, 0, 2]);
  });
  return tf.reshape(tf.stack(parts), [size, size, within, out]);
}

/** Every pixel becomes the first of a square of zeros. */
function spread(tf: Tf, x: Tensor4D, stride: number): Tensor4D {
  const [n, height, width, channels] = x.shape;
  const after = [0, stride - 1] as [number, number];
  const wide = tf.pad(tf.reshape(x, [n * height, width, 1, channels]), [[0, 0], [0, 0], after, [0, 0]]);
  const rows = tf.reshape(wide, [n, height, 1, width * stride * channels]);
  const tall = tf.pad(rows, [[0, 0], [0, 0], after, [0, 0]]);
  return tf.reshape(tall, [n, height * stride, width * stride, channels]);
}
