import { afterAll, expect, test } from 'vitest';
import { THOROUGH } from '../support/thorough.js';
import { CLEAR, compareTraining, trainGolden } from './sketch.js';

const golden = trainGolden('train_golden.json');
const decoders = trainGolden('decoder_train_golden.json');
const seen = { clear: 0, all: 0 };

const cases = Object.entries(golden.cases);
/** The study's networks take JavaScript a minute a step, and onnxruntime twenty seconds for all of it. */
const small = cases.filter(([, { side }]) => THOROUGH || side <= 64);
const most = cases.filter(([name]) => THOROUGH || !['unet-resnet34', 'unet-vgg16'].includes(name));

test.each(most)('%s trains as in PyTorch, on onnxruntime', (_name, given) =>
  compareTraining(golden, given, 'cpu', 5, seen),
);
test.each(small)('%s trains as in PyTorch, on TensorFlow.js', (_name, given) =>
  compareTraining(golden, given, 'tfjs-wasm', 1, seen),
);

/** Two steps of every decoder. */
const each = Object.entries(decoders.cases);
test.each(each)('%s trains as in PyTorch, on onnxruntime', (_name, given) =>
  compareTraining(decoders, given, 'cpu', 2, seen),
);
test.each(THOROUGH ? each : each.filter(([name]) => ['linknet', 'manet', 'pspnet'].includes(name)))(
  '%s trains as in PyTorch, on TensorFlow.js',
  (_name, given) => compareTraining(decoders, given, 'tfjs-wasm', 1, seen),
);

afterAll(() => {
  // Otherwise the bound above would be one that nothing can miss.
  expect(seen.clear / seen.all).toBeGreaterThan(0.6);
});

test('where no relu is near 0, nothing is left to rounding', () => {
  for (const name of ['fpn-bilinear', 'fpn-bicubic', 'unet-instancenorm']) {
    const { gradients, 'after 1': one, 'after 5': five } = golden.cases[name]!;
    const own = [gradients, one!, five!].flatMap(sketches => Object.values(sketches).map(sketch => sketch.at(-1)!));
    expect(Math.max(...own.filter(value => value <= 1))).toBeLessThan(CLEAR);
  }
});
