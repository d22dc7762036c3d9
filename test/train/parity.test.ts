import { readFileSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import type { TrainRecipe, TrainState } from '#src/train/trainer.js';
import { hashed } from '../support/formula-weights.js';
import { THOROUGH } from '../support/thorough.js';
import { formulaBatch, formulaTrainer } from '../support/train-batch.js';

/** Norm, products with vectors of ±1, and how far PyTorch's own float32 is from its float64, relative to the norm. */
type Sketch = readonly number[];
type Sketches = Readonly<Record<string, Sketch>>;
interface Case {
  readonly side: number;
  readonly config: Readonly<Record<string, unknown>>;
  readonly loss: TrainRecipe['loss'];
  readonly optimizer: TrainRecipe['optimizer'];
  readonly losses: readonly number[];
  readonly gradients: Sketches;
  readonly 'after 1': Sketches;
  readonly 'after 5': Sketches;
}
const golden = JSON.parse(readFileSync(new URL('../golden/train_golden.json', import.meta.url), 'utf8')) as {
  readonly rate: number;
  readonly weightDecay: number;
  readonly cases: Readonly<Record<string, Case>>;
};

const BOUND = 1e-3;
/**
 * Rounding that turns a relu near 0 moves every gradient behind it, in PyTorch too: what its own float32 is off by, when weights move in the last
 * place, says how far. No engine can be asked for less than some times that.
 */
const ROUNDINGS = 4;
/** Where PyTorch's float32 is nearer than this, the bound is BOUND. */
const CLEAR = BOUND / ROUNDINGS;

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

const seen = { clear: 0, all: 0 };

/** Names of tensors that are too far off, with the figures. */
function wrong(found: TrainState['tensors'], wanted: Sketches, prefix = '', scale = 1): string[] {
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

async function compare(
  { config, loss, optimizer, side, losses, ...wanted }: Case,
  engine: 'cpu' | 'tfjs-wasm',
  steps: number,
) {
  const decay = optimizer === 'adamw' ? golden.weightDecay : 0;
  const trainer = await formulaTrainer(config, { loss, optimizer, weightDecay: decay }, engine);
  const batch = formulaBatch(side);
  for (let step = 1; step <= steps; step++) {
    const result = await trainer.step([batch], golden.rate);
    expect(Math.abs(result.loss / losses[step - 1]! - 1), `loss of step ${step}`).toBeLessThan(BOUND);
    const { tensors } = await trainer.save();
    // Adam's first moment is a tenth of the first gradient.
    if (step === 1) {
      expect(wrong(tensors, wanted.gradients, 'adam.m.', 10)).toEqual([]);
      expect(wrong(tensors, wanted['after 1'])).toEqual([]);
    }
    if (step === 5) expect(wrong(tensors, wanted['after 5'])).toEqual([]);
  }
  await trainer.close();
}

const cases = Object.entries(golden.cases);
/** The study's networks take JavaScript a minute a step, and onnxruntime twenty seconds for all of it. */
const small = cases.filter(([, { side }]) => THOROUGH || side <= 64);
const most = cases.filter(([name]) => THOROUGH || !['unet-resnet34', 'unet-vgg16'].includes(name));

test.each(most)('%s trains as in PyTorch, on onnxruntime', (_name, given) => compare(given, 'cpu', 5));
test.each(small)('%s trains as in PyTorch, on TensorFlow.js', (_name, given) => compare(given, 'tfjs-wasm', 1));

afterAll(() => {
  // Otherwise the bound above would be one that nothing can miss.
  expect(seen.clear / seen.all).toBeGreaterThan(0.6);
});

test('where no relu is near 0, nothing is left to rounding', () => {
  for (const name of ['fpn-bilinear', 'fpn-bicubic', 'unet-instancenorm']) {
    const { gradients, 'after 1': one, 'after 5': five } = golden.cases[name]!;
    const own = [gradients, one, five].flatMap(sketches => Object.values(sketches).map(sketch => sketch.at(-1)!));
    expect(Math.max(...own.filter(value => value <= 1))).toBeLessThan(CLEAR);
  }
});
