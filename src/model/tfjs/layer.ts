import type * as tfjs from '@tensorflow/tfjs-core';
import { type Padding, sidesOf } from '../graph/graph.js';

export type Tf = typeof tfjs;
type Tensor4D = tfjs.Tensor4D;

/** A layer with its weights on the device. Takes the tensors of the node's inputs, [N, H, W, C], and makes a new one. */
export interface Layer {
  run(inputs: readonly Tensor4D[]): Tensor4D;
  dispose(): void;
}

export function layer(run: Layer['run'], weights: readonly tfjs.Tensor[] = []): Layer {
  return { run, dispose: () => weights.forEach(tensor => void tensor.dispose()) };
}

/** In WebAssembly the larger of NaN and 0 is 0; a relu as LeakyRelu of slope 0 hands NaN on, as the other back ends do. */
export const losesNaN = (tf: Tf): boolean => tf.getBackend() === 'wasm';

export function reluOf<T extends tfjs.Tensor>(tf: Tf, x: T): T {
  return losesNaN(tf) ? tf.leakyRelu(x, 0) : tf.relu(x);
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
