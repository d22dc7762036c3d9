import { describe, expect, test } from 'vitest';
import { ENCODERS } from '#src/model/architecture/encoder/encoders.js';
import { THOROUGH } from '../support/thorough.js';
import { differences, type GoldenCase, goldenCases } from './parity.js';

/**
 * Every encoder against PyTorch (test/golden/encoder_golden.py): one of each family at two sizes, its relatives, which differ in numbers of
 * blocks and channels only, for THOROUGH=1.
 */
const cases = Object.entries(await goldenCases('encoder_cases.json'));
const nameOf = ({ config }: GoldenCase) => String(config['encoder_name']);
/** Networks of 100 MB take seconds to write: one size of them. */
const large = (name: string) => /resne/.test(name) && name.endsWith('-64');
const families = cases.filter(([name, { layers }]) => layers.length > 0 && (THOROUGH || !large(name)));
const shallow = cases.filter(([name]) => name.includes('-depth') || name.endsWith('-advprop'));
const relatives = cases.filter(
  ([name, { layers }]) => layers.length === 0 && !shallow.some(([other]) => other === name),
);

/** In JavaScript, where each takes seconds: every kind of layer once. */
const FEW = [
  'resnext50_32x4d-64',
  'densenet121-64',
  'efficientnet-b2-64',
  'mit_b0-64',
  'mobilenet_v2-64',
  'tu-tf_efficientnet_b0-64',
];
const wasm = cases.filter(([name]) => THOROUGH || FEW.includes(name));

async function expectParity(name: string, golden: GoldenCase, engine: string): Promise<void> {
  const found = await differences(name, golden, engine, 'encoder_golden.safetensors');
  expect(found.map(one => one.name)).toEqual(['logits', ...golden.layers]);
  for (const { name: layer, max, range, flipped } of found) {
    expect(range, `${layer} is not trivially the same everywhere`).toBeGreaterThan(0.3);
    expect(max / range, layer).toBeLessThanOrEqual(1e-4);
    if (layer === 'logits') expect(flipped).toBe(0);
  }
}

describe('on onnxruntime', () => {
  test.each(families)('%s equals PyTorch', (name, golden) => expectParity(name, golden, 'cpu'));
  test.each(shallow)('%s equals PyTorch', (name, golden) => expectParity(name, golden, 'cpu'));
  test.runIf(THOROUGH).each(relatives)('%s equals PyTorch', (name, golden) => expectParity(name, golden, 'cpu'));
});

test.each(wasm)('%s equals PyTorch on TensorFlow.js in WebAssembly', (name, golden) =>
  expectParity(name, golden, 'tfjs-wasm'),
);

test('no encoder is without a case', () => {
  const tried = new Set(cases.map(([, golden]) => nameOf(golden).replace(/\.\w+$/, '')));
  // Their own cases are in model_cases.json.
  const elsewhere = /^(vgg\d+(_bn)?|resnet(18|34))$/;
  expect([...ENCODERS.keys()].filter(name => !tried.has(name) && !elsewhere.test(name))).toEqual([]);
});
