import { readFileSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import type { TrainRecipe, TrainState } from '#src/train/trainer.js';
import { THOROUGH } from '../support/thorough.js';
import { formulaBatch, formulaTrainer } from '../support/train-batch.js';
import { BOUND, CLEAR, type Sketches, tooFar } from './sketches.js';

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

const seen = { clear: 0, all: 0 };

/** Names of tensors that are too far off, with the figures. */
function wrong(found: TrainState['tensors'], wanted: Sketches, prefix = '', scale = 1): readonly string[] {
  const compared = tooFar(found, wanted, prefix, scale);
  seen.all += compared.seen;
  seen.clear += compared.clear;
  return compared.wrong;
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
