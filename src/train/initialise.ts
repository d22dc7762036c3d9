import type { Graph } from '../model/graph/graph.js';
import type { WeightSource } from '../model/weights.js';
import { Random } from '../random.js';
import { DRAWS, seedOf } from './order.js';

/**
 * Weights to begin with where there are none, distributed as PyTorch's: encoders by torchvision (He et al. 2015: normal, variance
 * 2 ÷ fan out), decoders by smp's `initialize_decoder` (He: uniform, variance 2 ÷ fan in), heads by its `initialize_head` (Glorot and
 * Bengio 2010: uniform, variance 2 ÷ (fan in + fan out)); biases 0, norms 1 and 0, running statistics 0 and 1. Every tensor has random
 * numbers of its own, so that the order of reading does not matter.
 */
export function randomWeights({ parameters }: Pick<Graph, 'parameters'>, seed: number): WeightSource {
  const numbers = new Map([...parameters.keys()].map((name, index) => [name, index]));
  return {
    read: async name => {
      const shape = parameters.get(name);
      if (!shape) throw new RangeError(`the network has no tensor ${name}`);
      const values = new Float32Array(shape.reduce((product, length) => product * length, 1));
      if (shape.length > 1)
        fillKernel(values, shape, name, new Random(seedOf(seed, DRAWS.weights, numbers.get(name)!)));
      else if (name.endsWith('.running_var') || (name.endsWith('.weight') && shape.length === 1)) values.fill(1);
      return values;
    },
  };
}

/** Shape [out, in, k, k], or [out, in]. */
function fillKernel(values: Float32Array, shape: readonly number[], name: string, random: Random): void {
  const [out = 1, within = 1, height = 1, width = 1] = shape;
  const [fanIn, fanOut] = [within * height * width, out * height * width];
  if (name.startsWith('encoder.')) {
    const deviation = Math.sqrt(2 / fanOut);
    for (let i = 0; i < values.length; i += 2) {
      const [a, b] = normals(random);
      values[i] = a * deviation;
      if (i + 1 < values.length) values[i + 1] = b * deviation;
    }
    return;
  }
  const bound = Math.sqrt(6 / (name.startsWith('segmentation_head.') ? fanIn + fanOut : fanIn));
  for (let i = 0; i < values.length; i++) values[i] = (2 * random.float() - 1) * bound;
}

/** Two numbers of the standard normal distribution (Box and Muller 1958). */
function normals(random: Random): [number, number] {
  const radius = Math.sqrt(-2 * Math.log(1 - random.float()));
  const angle = 2 * Math.PI * random.float();
  return [radius * Math.cos(angle), radius * Math.sin(angle)];
}
