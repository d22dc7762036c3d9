import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { evaluateImage } from '#src/engine/evaluate.js';
import { verifyBundle } from '#src/engine/verify.js';
import { loadBundle } from '#src/model/bundle.js';
import { lastStep, type Step, scalesItself } from '#src/model/onnx/ends.js';
import type { OnnxWriter } from '#src/model/onnx/writer.js';
import { goldenPatch } from '../engine/parity.js';
import { makeReadyBundle, type ReadyGraph } from '../support/ready-graph.js';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'ready-ends-'));
});
afterAll(() => rm(root, { recursive: true }));

const bundleOf = async (build: ReadyGraph['build'], more: Partial<ReadyGraph> = {}): Promise<string> =>
  makeReadyBundle(await mkdtemp(join(root, 'bundle-')), { build, ...more });

const run = async (path: string) =>
  (await evaluateImage(path, await goldenPatch(64), { engine: 'cpu', cacheFolder: root, threads: 1 })).outputs[0]!;

/** 4 × (red − green) − 0.5: below 0 on white, black and noise's greener half. */
function logits(out: OnnxWriter, input: string): string {
  const weights = out.constant('w', 'float', [1, 3, 1, 1], () => Float32Array.of(4, -4, 0));
  return out.node('Conv', [input, weights, out.floats('b', [-0.5])]);
}
const sigmoid = (out: OnnxWriter, input: string) => out.node('Sigmoid', [logits(out, input)]);
const scale = (out: OnnxWriter) => [
  out.floats('scale', [1 / 255], []),
  out.constant('zero', 'uint8', [], () => new Uint8Array(1)),
];

/** What exporters and quantisers put behind an activation. */
const TAILS: Readonly<Record<string, (out: OnnxWriter, from: string, to: string) => void>> = {
  nothing: (out, from, to) => void out.node('Identity', [from], {}, to),
  'two casts, as onnxconverter-common leaves': (out, from, to) => void out.cast(out.cast(from, 'float16'), 'float', to),
  'a clip': (out, from, to) =>
    void out.node('Clip', [from, out.floats('low', [0], []), out.floats('high', [1], [])], {}, to),
  'two transposes': (out, from, to) =>
    void out.node('Transpose', [out.node('Transpose', [from], { perm: [0, 2, 3, 1] })], { perm: [0, 3, 1, 2] }, to),
  'squeezed and expanded': (out, from, to) => {
    const axis = out.integers('axis', [1]);
    out.node('Unsqueeze', [out.node('Squeeze', [from, axis]), axis], {}, to);
  },
  'a quantised pair, as onnxruntime leaves': (out, from, to) => {
    const [step, zero] = scale(out);
    out.node('DequantizeLinear', [out.node('QuantizeLinear', [from, step!, zero!]), step!, zero!], {}, to);
  },
};

describe('probabilities are known as such', () => {
  test.each(Object.keys(TAILS))('with %s behind the sigmoid', async name => {
    const path = await bundleOf((out, input, output) => TAILS[name]!(out, sigmoid(out, input), output));
    const bundle = await loadBundle(path);
    expect(bundle.scores).toEqual({ activation: 'sigmoid', of: 'probabilities' });
    expect(bundle.assumed).not.toContain('output');
    const plain = await run(
      await bundleOf((out, input, output) => void out.node('Identity', [logits(out, input)], {}, output)),
    );
    const { values } = await run(path);
    // float16 and bytes round; nothing else changes.
    const off = values.map((value, i) => Math.abs(value - 1 / (1 + Math.exp(-plain.values[i]!))));
    expect(Math.max(...off)).toBeLessThan(0.003);
  });

  test('when all classes exclude each other, too', async () => {
    const path = await bundleOf(
      (out, input, output) =>
        void out.cast(out.node('Softmax', [out.node('Identity', [input])], { axis: 1 }), 'float', output),
      { classes: 3, manifest: { positiveClasses: [1] } },
    );
    expect((await loadBundle(path)).scores).toEqual({ activation: 'softmax', of: 'probabilities' });
  });
});

describe('what cannot be read is asked', () => {
  /** Between 0 and 1, and no step says so: a sigmoid spelled out. */
  const hidden: ReadyGraph['build'] = (out, input, output) => {
    const exp = out.node('Exp', [out.node('Neg', [logits(out, input)])]);
    out.node('Reciprocal', [out.node('Add', [exp, out.floats('one', [1], [])])], {}, output);
  };
  const refused = (path: string) =>
    run(path).then(
      () => undefined,
      (error: unknown) => error,
    );

  test('scores that are never below 0 are no logits, unless somebody says so', async () => {
    const path = await bundleOf(hidden);
    expect((await loadBundle(path)).assumed).toContain('output');
    expect(await refused(path)).toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringMatching(/none below 0/),
    });
    expect(await refused(path)).toMatchObject({ fix: expect.stringContaining('"output": "probabilities"') });
    const { problems } = await verifyBundle(path, { engine: 'cpu', cacheFolder: root, threads: 1 });
    expect(problems).toMatchObject([{ code: 'MODEL_INVALID' }]);
    for (const output of ['probabilities', 'logits'])
      expect(await refused(await bundleOf(hidden, { manifest: { output } }))).toBeUndefined();
  });

  test('probabilities are 0 to 1', async () => {
    const plain: ReadyGraph['build'] = (out, input, output) =>
      void out.node('Identity', [logits(out, input)], {}, output);
    expect(await refused(await bundleOf(plain))).toBeUndefined();
    expect(await refused(await bundleOf(plain, { manifest: { output: 'probabilities' } }))).toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringMatching(/its probabilities are -\d.* to \d.*, not 0 to 1/),
    });
  });

  test('a map is as large as its image', async () => {
    const half: ReadyGraph['build'] = (out, input, output) =>
      void out.node('MaxPool', [logits(out, input)], { kernel_shape: [2, 2], strides: [2, 2] }, output);
    expect(await refused(await bundleOf(half))).toMatchObject({
      code: 'MODEL_UNSUPPORTED',
      message: expect.stringContaining('map is [1, 1, 32, 32] for an image of 64 × 64 pixels'),
    });
  });
});

test('classes a pixel are no scores', async () => {
  const path = await bundleOf((out, input, output) => {
    const best = out.node('ArgMax', [out.node('Identity', [input])], { axis: 1, keepdims: 1 });
    out.cast(best, 'float', output);
  });
  await expect(loadBundle(path)).rejects.toMatchObject({
    code: 'MODEL_UNSUPPORTED',
    message: expect.stringContaining('map is what was decided'),
    fix: 'export the scores before it',
  });
});

test('a graph that scales its image itself must say what it wants', async () => {
  const build: ReadyGraph['build'] = (out, input, output) => {
    const scaled = out.node('Div', [
      out.node('Sub', [input, out.floats('mean', [0.5], [])]),
      out.floats('std', [0.2], []),
    ]);
    out.node('Identity', [logits(out, scaled)], {}, output);
  };
  await expect(loadBundle(await bundleOf(build, { manifest: { input: undefined } }))).rejects.toMatchObject({
    code: 'MODEL_INVALID',
    message: expect.stringContaining('scales its image itself'),
  });
  await expect(loadBundle(await bundleOf(build))).resolves.toMatchObject({ input: { range: [0, 1] } });
});

test('a graph that goes round is looked through once', () => {
  const round = new Map<string, Step>([
    ['a', { op: 'Identity', inputs: ['b'] }],
    ['b', { op: 'Cast', inputs: ['a'] }],
  ]);
  expect(lastStep(round, 'a')).toBeNull();
  expect(scalesItself(round, 'a')).toBe(false);
});
