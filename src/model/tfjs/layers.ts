import type * as tfjs from '@tensorflow/tfjs-core';
import type { Activation, AveragePoolNode, GraphNode, MaxPoolNode, Value } from '../graph/graph.js';
import type { WeightSource } from '../weights.js';
import { attention, positionAttention } from './attention.js';
import { conv, convTranspose } from './conv.js';
import { type Layer, LOWEST, layer, losesNaN, padded, reluOf, type Tf } from './layer.js';
import { batchNorm, groupNorm, layerNorm } from './norms.js';
import { adaptiveAverage, resized, upsample } from './resize.js';

type Tensor4D = tfjs.Tensor4D;

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
