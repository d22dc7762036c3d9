import { describe, expect, test } from 'vitest';
import { THOROUGH } from '../support/thorough.js';
import { differences, goldenCases } from './parity.js';

/** Every decoder with formula weights through PyTorch (golden numbers, test/golden/decoder_golden.py) and through two engines. */
const cases = await goldenCases('decoder_cases.json');
/** JavaScript gets one case a decoder, and onnxruntime all of them. */
const FEW = Object.keys(cases).filter(name => name.endsWith('-resnet18'));
const ENGINES = [
  { engine: 'cpu', names: Object.keys(cases) },
  { engine: 'tfjs-wasm', names: THOROUGH ? Object.keys(cases) : FEW },
];

describe.each(ENGINES)('$engine equals PyTorch', ({ engine, names }) => {
  test.each(names)('%s', async name => {
    const found = await differences(name, cases[name]!, engine, 'decoder_golden.safetensors');
    expect(found.map(({ name }) => name)).toEqual(['logits', ...cases[name]!.layers]);
    for (const { name, max, range, flipped } of found) {
      expect(range, `${name} is not the same everywhere`).toBeGreaterThan(0.05);
      expect(max / range, name).toBeLessThanOrEqual(1e-4);
      if (name === 'logits') expect(flipped).toBe(0);
    }
  });
});
