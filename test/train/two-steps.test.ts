import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { THOROUGH } from '../support/thorough.js';
import { formulaBatch, formulaTrainer } from '../support/train-batch.js';
import { type Sketches, tooFar } from './sketches.js';

/**
 * Two steps of training of each family of encoders and of each decoder, as PyTorch takes them (test/golden/train_encoder_golden.py,
 * decoder_train_golden.py).
 */
interface Case {
  readonly side: number;
  readonly config: Readonly<Record<string, unknown>>;
  readonly losses: readonly number[];
  readonly gradients: Sketches;
  readonly 'after 2': Sketches;
}
const read = (file: string) =>
  JSON.parse(readFileSync(new URL(`../golden/${file}`, import.meta.url), 'utf8')) as {
    readonly rate: number;
    readonly cases: Readonly<Record<string, Case>>;
  };
const { rate, cases: encoders } = read('train_encoder_golden.json');
const { cases: decoders } = read('decoder_train_golden.json');

async function compare(
  { config, side, losses, gradients, 'after 2': two }: Case,
  engine: 'cpu' | 'tfjs-wasm',
  steps: number,
) {
  const trainer = await formulaTrainer(config, {}, engine);
  const batch = formulaBatch(side);
  for (let step = 1; step <= steps; step++) {
    const { loss } = await trainer.step([batch], rate);
    expect(Math.abs(loss / losses[step - 1]! - 1), `loss of step ${step}`).toBeLessThan(1e-3);
    const { tensors } = await trainer.save();
    // Adam's first moment is a tenth of the first gradient.
    const found = step === 1 ? tooFar(tensors, gradients, 'adam.m.', 10) : tooFar(tensors, two);
    expect(found.wrong).toEqual([]);
    expect(found.seen).toBeGreaterThan(30);
  }
  await trainer.close();
}

const cases = Object.entries({ ...encoders, ...decoders });
const few = cases.filter(
  ([name]) => THOROUGH || ['efficientnet', 'densenet', 'linknet', 'manet', 'pspnet'].includes(name),
);

test.each(cases)('%s trains as in PyTorch, on onnxruntime', (_name, given) => compare(given, 'cpu', 2));
test.each(few)('%s trains as in PyTorch, on TensorFlow.js', (_name, given) => compare(given, 'tfjs-wasm', 1));
