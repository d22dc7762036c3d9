import type * as tfjs from '@tensorflow/tfjs-core';
import { sidesOf } from '../graph/graph.js';
import { type Program, readsOf, type Term, type Word } from '../program/words.js';
import { convInGroups } from './conv.js';
import { convKernel, rotated, transposedInGroups, unpooled } from './gradient.js';
import { LOWEST, padded, reluOf, type Tf } from './layer.js';

type Tensor = tfjs.Tensor;
type Tensor4D = tfjs.Tensor4D;

/**
 * Runs a program on a TensorFlow.js device, word by word; what no later word reads is freed at once. Images are [N, H, W, C] there
 * and kernels [k, k, in, out]; `inputs` and what is returned are in the program's order ([N, C, H, W], [out, in, k, k]). Its own
 * gradients are not used: several of them are wrong, or missing.
 */
export async function runProgram(
  tf: Tf,
  program: Program,
  inputs: ReadonlyMap<string, Float32Array>,
): Promise<Map<string, Float32Array>> {
  const left = program.terms.map(() => 0);
  for (const term of program.words.flatMap(readsOf)) left[term.id]! += 1;
  for (const { id } of program.outputs.values()) left[id]! += 1;
  const tensors = new Map<number, Tensor>();
  const release = ({ id }: Term) => {
    left[id]! -= 1;
    if (left[id] === 0) tensors.get(id)!.dispose();
  };
  program.words.forEach((word, id) => {
    const read = ({ id: from }: Term) => tensors.get(from)!;
    const wordOf = ({ id: from }: Term) => program.words[from]!;
    const made = tf.tidy(() => run(tf, word, program.terms[id]!, read, wordOf, inputs));
    tensors.set(id, made);
    for (const term of readsOf(word)) release(term);
    if (left[id] === 0) made.dispose();
  });
  const found = new Map<string, Float32Array>();
  for (const [name, term] of program.outputs) {
    const moved = tf.tidy(() => outward(tf, tensors.get(term.id)!, program.words[term.id]!));
    found.set(name, (await moved.data<'float32'>()).slice());
    moved.dispose();
  }
  for (const term of program.outputs.values()) release(term);
  return found;
}

/** Back into the program's order. */
function outward(tf: Tf, tensor: Tensor, word: Word): Tensor {
  if (tensor.rank !== 4) return tf.clone(tensor);
  return tf.transpose(tensor, isKernel(word) ? [3, 2, 0, 1] : [0, 3, 1, 2]);
}

const isKernel = (word: Word): boolean =>
  word.op === 'kernel' || word.op === 'convKernel' || word.op === 'rotate' || ('as' in word && word.as === 'kernel');

/** Where the axes of an image [N, C, H, W] are in [N, H, W, C]. */
const AXIS = [0, 3, 1, 2] as const;

function run(
  tf: Tf,
  word: Word,
  { shape }: Term,
  read: (term: Term) => Tensor,
  wordOf: (term: Term) => Word,
  inputs: ReadonlyMap<string, Float32Array>,
): Tensor {
  const image = (term: Term) => read(term) as Tensor4D;
  switch (word.op) {
    case 'input':
      return tf.transpose(
        tf.tensor(inputs.get(word.name)!, [...shape]),
        word.as === 'kernel' ? [2, 3, 1, 0] : [0, 2, 3, 1],
      );
    case 'constant':
      return tf.tensor(word.values, [...shape], 'float32');
    case 'conv': {
      const convolved = convInGroups(tf, padded(tf, image(word.x), word.padding), image(word.by), word);
      return word.bias ? tf.add(convolved, image(word.bias)) : convolved;
    }
    case 'convTranspose': {
      const [n, channels, height, width] = shape as [number, number, number, number];
      const { padding, stride, groups, dilation } = word;
      const [top, left, bottom, right] = sidesOf(padding);
      const [tall, wide] = [height + top + bottom, width + left + right];
      const whole =
        groups === 1 && dilation === 1
          ? tf.conv2dTranspose(image(word.x), image(word.by), [n, tall, wide, channels], stride, 'valid')
          : transposedInGroups(tf, image(word.x), image(word.by), word, [tall, wide]);
      return tf.slice(whole, [0, top, left, 0], [n, height, width, channels]);
    }
    case 'convKernel':
      return convKernel(tf, image(word.x), image(word.by), word, shape[2]!);
    case 'rotate':
      return rotated(tf, image(word.x), word.groups);
    case 'headRows': {
      const [n, height, width, channels] = image(word.x).shape;
      const rows = tf.reshape(image(word.x), [n, height * width, word.heads, channels / word.heads]);
      return tf.reshape(tf.transpose(rows, [0, 2, 1, 3]), [...shape]);
    }
    case 'headImage': {
      const [n, channels, height, width] = shape as [number, number, number, number];
      const stack = tf.reshape(read(word.x), [n, word.heads, height * width, channels / word.heads]);
      return tf.reshape(tf.transpose(stack, [0, 2, 1, 3]), [n, height, width, channels]);
    }
    case 'reshape': {
      const x = read(word.x);
      const flat = x.rank === 4 ? tf.transpose(x, [0, 3, 1, 2]) : x;
      const made = tf.reshape(flat, [...shape]);
      return shape.length === 4 ? tf.transpose(made, [0, 2, 3, 1]) : made;
    }
    case 'stackMul':
      return tf.matMul(read(word.a), read(word.b), word.turned === 'a', word.turned === 'b');
    case 'softmax':
      return tf.softmax(read(word.x));
    case 'pad':
      return padded(tf, image(word.x), word.padding);
    case 'window': {
      const { top, left, stride, height, width } = word;
      const [n, , , channels] = image(word.x).shape;
      const end = [n, top + (height - 1) * stride + 1, left + (width - 1) * stride + 1, channels];
      return tf.reshape(tf.stridedSlice(image(word.x), [0, top, left, 0], end, [1, stride, stride, 1]), [...shape]);
    }
    case 'channelRows':
      return tf.transpose(tf.reshape(image(word.x), [shape[1]!, shape[0]!]));
    case 'matmul':
      return tf.matMul(read(word.a), read(word.b));
    case 'kernel': {
      const places = tf.stack(word.parts.map(read));
      return tf.reshape(tf.transpose(places, [0, 2, 1]), [shape[2]!, shape[3]!, shape[1]!, shape[0]!]);
    }
    case 'relu':
      return reluOf(tf, read(word.x));
    case 'sigmoid':
    case 'erf':
    case 'exp':
    case 'log':
    case 'rsqrt':
    case 'reciprocal':
      return tf[word.op](read(word.x));
    case 'step':
      return tf.cast(tf.greaterEqual(read(word.x), 0), 'float32');
    case 'add':
    case 'sub':
    case 'mul':
      return tf[word.op](read(word.a), read(word.b));
    case 'max':
      return tf.maximum(read(word.a), read(word.b));
    case 'gate':
      return tf.mul(read(word.x), tf.cast(tf.greater(read(word.by), 0), 'float32'));
    case 'sum':
      return summed(tf, read(word.x), word.axes);
    case 'sumSquares':
      return summed(tf, tf.square(read(word.x)), word.axes);
    case 'groupSum': {
      const [n, channels] = shape as [number, number];
      const each = channels / word.groups;
      const sums = tf.sum(tf.reshape(read(word.x), [n, word.groups, each]), 2, true);
      return tf.reshape(tf.tile(sums, [1, 1, each]), [n, 1, 1, channels]);
    }
    case 'expand': {
      const from = image(word.x);
      return tf.tile(
        from,
        [shape[0]!, shape[2]!, shape[3]!, shape[1]!].map((size, axis) => size / from.shape[axis]!),
      );
    }
    case 'concat':
      return tf.concat(word.parts.map(image), 3);
    case 'channels': {
      const [n, count, height, width] = shape as [number, number, number, number];
      return tf.slice(image(word.x), [0, 0, 0, word.from], [n, height, width, count]);
    }
    case 'maxPool':
      return tf.maxPool(padded(tf, image(word.x), word.padding, LOWEST), word.size, word.stride, 'valid');
    case 'upsample': {
      const size: [number, number] = [shape[2]!, shape[3]!];
      if (word.mode === 'nearest') return tf.image.resizeNearestNeighbor(image(word.x), size);
      return tf.image.resizeBilinear(image(word.x), size, word.mode === 'bilinear-corners', word.mode === 'bilinear');
    }
    case 'blockSum':
      return tf.mul(tf.avgPool(image(word.x), word.factor, word.factor, 'valid'), word.factor ** 2);
    case 'along':
      return along(tf, image(word.x), word.axis, word.matrix);
    case 'unpool': {
      const pool = wordOf(word.pool);
      if (pool.op !== 'maxPool') throw new RangeError(`${pool.op} is no pooling`);
      return unpooled(tf, image(word.by), image(word.pool), image(word.x), pool);
    }
  }
}

/** One axis after the other: in one long float32 sum small numbers are lost beside a large one. */
function summed(tf: Tf, x: Tensor, axes: readonly number[]): Tensor {
  return axes.reduce((sum: Tensor, axis) => tf.sum(sum, x.rank === 4 ? AXIS[axis]! : axis, true), x);
}

function along(tf: Tf, x: Tensor4D, axis: 2 | 3, matrix: readonly (readonly number[])[]): Tensor {
  const [n, height, width, channels] = x.shape;
  const weights = tf.tensor2d(matrix.map(row => [...row]));
  const times = (count: number) => tf.tile(tf.expandDims(weights, 0), [count, 1, 1]);
  if (axis === 2)
    return tf.reshape(tf.matMul(times(n), tf.reshape(x, [n, height, width * channels])), [
      n,
      matrix.length,
      width,
      channels,
    ]);
  const rows = tf.matMul(times(n * height), tf.reshape(x, [n * height, width, channels]));
  return tf.reshape(rows, [n, height, matrix.length, channels]);
}
