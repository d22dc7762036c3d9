import type * as tfjs from '@tensorflow/tfjs-core';
import type { BatchNormNode, GroupNormNode, LayerNormNode } from '../graph/graph.js';
import { foldedNorm, type WeightSource } from '../weights.js';
import { type Layer, layer, type Tf } from './layer.js';

type Tensor4D = tfjs.Tensor4D;

export async function batchNorm(tf: Tf, node: BatchNormNode, source: WeightSource): Promise<Layer> {
  const folded = await foldedNorm(node, source);
  const scale = tf.tensor1d(folded.scale);
  const shift = tf.tensor1d(folded.shift);
  return layer(([x]) => tf.tidy(() => tf.add(tf.mul(x!, scale), shift)), [scale, shift]);
}

/**
 * Statistics over a group's channels and pixels. Rows are averaged before columns: one long float32 sum over a patch
 * would lose digits.
 */
export async function groupNorm(
  tf: Tf,
  { name, groups, epsilon }: GroupNormNode,
  source: WeightSource,
): Promise<Layer> {
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

export async function layerNorm(tf: Tf, { name, epsilon }: LayerNormNode, source: WeightSource): Promise<Layer> {
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
