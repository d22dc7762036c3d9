import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import type { EngineName } from '#src/engine/catalogue.js';
import type { TrainRecipe, TrainState } from '#src/train/trainer.js';
import { hashed } from '../support/formula-weights.js';
import { formulaBatch, formulaTrainer } from '../support/train-batch.js';

/** Training parity with PyTorch: what test/golden/train_golden.py stored of tensors, and how far others are from them. */

/** Norm, products with vectors of ±1, and how far PyTorch's own float32 is from its float64, relative to the norm. */
export type Sketch = readonly number[];
type Sketches = Readonly<Record<string, Sketch>>;

export interface TrainCase {
  readonly side: number;
  readonly config: Readonly<Record<string, unknown>>;
  readonly loss: TrainRecipe['loss'];
  readonly optimizer: TrainRecipe['optimizer'];
  readonly losses: readonly number[];
  readonly gradients: Sketches;
  readonly [after: `after ${number}`]: Sketches;
}

export interface TrainGolden {
  readonly rate: number;
  readonly weightDecay?: number;
  readonly cases: Readonly<Record<string, TrainCase>>;
}

export const trainGolden = (file: string): TrainGolden =>
  JSON.parse(readFileSync(new URL(`../golden/${file}`, import.meta.url), 'utf8')) as TrainGolden;

const BOUND = 1e-3;
/**
 * Rounding that turns a relu near 0 moves every gradient behind it, in PyTorch too: what its own float32 is off by, when weights move in the last
 * place, says how far. No engine can be asked for less than some times that.
 */
const ROUNDINGS = 4;
/** Where PyTorch's float32 is nearer than this, the bound is BOUND. */
export const CLEAR = BOUND / ROUNDINGS;

/** Tensors that were compared, and those of them that BOUND holds for. */
export interface Seen {
  clear: number;
  all: number;
}

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

/** Names of tensors that are too far off, with the figures. */
function wrong(seen: Seen, found: TrainState['tensors'], wanted: Sketches, prefix = '', scale = 1): string[] {
  return Object.entries(wanted).flatMap(([name, sketch]) => {
    const tensor = found.get(prefix + name);
    // smp keeps stages of an encoder that a shallower network does not run.
    if (!tensor) return [];
    const own = sketch.at(-1)!;
    // A bias in front of a batch normalisation has the gradient 0; what there is, is rounding.
    if (own > 1) return [];
    seen.all++;
    if (own <= CLEAR) seen.clear++;
    const off = distance(name, tensor.values, sketch, scale);
    return off <= Math.max(BOUND, ROUNDINGS * own)
      ? []
      : [`${name}: ${off.toExponential(1)}, PyTorch's float32 ${own}`];
  });
}

/** Takes `steps` steps and compares losses, the first gradients, and the parameters wherever they are known. */
export async function compareTraining(
  { rate, weightDecay = 0 }: TrainGolden,
  given: TrainCase,
  engine: EngineName,
  steps: number,
  seen: Seen,
): Promise<void> {
  const { config, loss, optimizer, side, losses, gradients } = given;
  const decay = optimizer === 'adamw' ? weightDecay : 0;
  const trainer = await formulaTrainer(config, { loss, optimizer, weightDecay: decay }, engine);
  const batch = formulaBatch(side);
  for (let step = 1; step <= steps; step++) {
    const result = await trainer.step([batch], rate);
    expect(Math.abs(result.loss / losses[step - 1]! - 1), `loss of step ${step}`).toBeLessThan(BOUND);
    const { tensors } = await trainer.save();
    // Adam's first moment is a tenth of the first gradient.
    if (step === 1) expect(wrong(seen, tensors, gradients, 'adam.m.', 10)).toEqual([]);
    const after = given[`after ${step}`];
    if (after) expect(wrong(seen, tensors, after)).toEqual([]);
  }
  await trainer.close();
}
