import type * as tfjs from '@tensorflow/tfjs-core';
import type { AttentionNode } from '../graph/graph.js';
import { type Layer, layer, type Tf } from './layer.js';

type Tensor4D = tfjs.Tensor4D;

/** On stacks of matrices, one a patch and head: [N, heads, pixels, C / heads]. */
export function attention(tf: Tf, { heads }: AttentionNode): Layer {
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
export function positionAttention(tf: Tf): Layer {
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
