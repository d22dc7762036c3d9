import type { TrainState } from '#src/train/trainer.js';
import { hashed } from '../support/formula-weights.js';

/** Norm, products with vectors of ±1, and how far PyTorch's own float32 is from its float64, relative to the norm. */
export type Sketch = readonly number[];
export type Sketches = Readonly<Record<string, Sketch>>;

export const BOUND = 1e-3;
/**
 * Rounding that turns a relu near 0 moves every gradient behind it, in PyTorch too: what its own float32 is off by, when weights move in the last
 * place, says how far. No engine can be asked for less than some times that.
 */
const ROUNDINGS = 4;
/** Where PyTorch's float32 is nearer than this, the bound is BOUND. */
export const CLEAR = BOUND / ROUNDINGS;

/** How far a tensor is from the sketched one, estimated, over the norm of that one. */
function distance(name: string, values: Float32Array, [norm, ...products]: Sketch, scale: number): number {
  const squares = products.slice(0, -1).map((product, i) => {
    const signs = hashed(`${name}/${i}`, values.length);
    let sum = 0;
    for (let at = 0; at < values.length; at++) sum += signs[at]! < 0 ? -values[at]! : values[at]!;
    return (sum * scale - product) ** 2;
  });
  // A unit that is off for the whole batch has no gradient at all.
  return Math.sqrt(squares.reduce((a, b) => a + b) / squares.length) / (norm! || 1);
}

/** Tensors that were compared, those among them held to BOUND, and names of those that are too far off, with the figures. */
export interface Compared {
  readonly seen: number;
  readonly clear: number;
  readonly wrong: readonly string[];
}

export function tooFar(found: TrainState['tensors'], wanted: Sketches, prefix = '', scale = 1): Compared {
  const wrong: string[] = [];
  let [seen, clear] = [0, 0];
  for (const [name, sketch] of Object.entries(wanted)) {
    const tensor = found.get(prefix + name);
    // smp keeps stages of an encoder that a shallower network does not run.
    if (!tensor) continue;
    const own = sketch.at(-1)!;
    // A bias in front of a batch normalisation has the gradient 0; what there is, is rounding.
    if (own > 1) continue;
    seen++;
    if (own <= CLEAR) clear++;
    const off = distance(name, tensor.values, sketch, scale);
    if (off > Math.max(BOUND, ROUNDINGS * own))
      wrong.push(`${name}: ${off.toExponential(1)}, PyTorch's float32 ${own}`);
  }
  return { seen, clear, wrong };
}
