import type * as tfjs from '@tensorflow/tfjs-core';
import type { Bilinear, UpsampleNode } from '../graph/graph.js';
import { averages, cubicWeights } from '../program/interpolation.js';
import type { Tf } from './layer.js';

type Tensor4D = tfjs.Tensor4D;

/** Layers that give a tensor [N, H, W, C] another height and width. */

export function upsample(tf: Tf, x: Tensor4D, { factor, mode }: Pick<UpsampleNode, 'factor' | 'mode'>): Tensor4D {
  const [, height, width] = x.shape;
  const size: [number, number] = [height * factor, width * factor];
  if (mode === 'nearest') return tf.image.resizeNearestNeighbor(x, size);
  if (mode !== 'bicubic') return resized(tf, x, size, mode);
  // TensorFlow.js has no bicubic kernel.
  return alongBoth(tf, x, cubicWeights(height, size[0]), cubicWeights(width, size[1]));
}

export function resized(tf: Tf, x: Tensor4D, size: [number, number], mode: Bilinear): Tensor4D {
  return tf.image.resizeBilinear(x, size, mode === 'bilinear-corners', mode === 'bilinear');
}

export function adaptiveAverage(tf: Tf, x: Tensor4D, side: number): Tensor4D {
  const [, height, width] = x.shape;
  return alongBoth(tf, x, averages(height, side), averages(width, side));
}

/** Each axis times a matrix [to, from] of weights. */
function alongBoth(tf: Tf, x: Tensor4D, tall: number[][], wide: number[][]): Tensor4D {
  return tf.tidy(() => {
    const [n, height, width, channels] = x.shape;
    const rows = tf.matMul(repeated(tf, tall, n), tf.reshape(x, [n, height, width * channels]));
    const columns = tf.reshape(rows, [n * tall.length, width, channels]);
    const both = tf.matMul(repeated(tf, wide, n * tall.length), columns);
    return tf.reshape(both, [n, tall.length, wide.length, channels]);
  });
}

function repeated(tf: Tf, weights: number[][], times: number): tfjs.Tensor3D {
  return tf.tile(tf.expandDims(tf.tensor2d(weights), 0), [times, 1, 1]) as tfjs.Tensor3D;
}
