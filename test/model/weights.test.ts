import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Decision, decisionOf } from '#src/model/decision.js';
import { buildGraph } from '#src/model/graph/builder.js';
import type { ConvNode, ConvTransposeNode } from '#src/model/graph/graph.js';
import { foldedConv, foldedNorm, parameterProblems } from '#src/model/weights.js';

/** A 1 × 1 convolution of `input` channels with a batch normalisation, and its numbers. */
function normalised(input: number, out: number, numbers: readonly number[]) {
  const graph = buildGraph(g => {
    const x = g.conv(g.image, 'first', { out: input, kernel: 1 });
    return g.conv(x, 'conv', { out, kernel: 1, bias: true, batchNorm: { name: 'bn', epsilon: 0.01 } });
  });
  let next = 0;
  const take = (count: number) => Float32Array.from({ length: count }, () => numbers[next++ % numbers.length]!);
  const tensors: Record<string, Float32Array<ArrayBuffer>> = {
    'conv.weight': take(out * input),
    'conv.bias': take(out),
    'bn.weight': take(out),
    'bn.bias': take(out),
    'bn.running_mean': take(out),
    'bn.running_var': take(out).map(Math.abs),
  };
  return { node: graph.nodes.at(-1) as ConvNode, tensors, source: { read: async (name: string) => tensors[name]! } };
}

test('a folded convolution equals convolution, then normalisation', async () => {
  const value = fc.float({ min: -4, max: 4, noNaN: true });
  const size = fc.integer({ min: 1, max: 5 });
  await fc.assert(
    fc.asyncProperty(
      size,
      size,
      fc.array(value, { minLength: 7, maxLength: 60 }),
      fc.array(value, { minLength: 5, maxLength: 5 }),
      async (input, out, numbers, pixel) => {
        const { node, tensors, source } = normalised(input, out, numbers);
        const { kernel, bias } = await foldedConv(node, source);
        for (let o = 0; o < out; o++) {
          let plain = tensors['conv.bias']![o]!;
          let folded = bias![o]!;
          for (let i = 0; i < input; i++) {
            plain += tensors['conv.weight']![o * input + i]! * pixel[i]!;
            folded += kernel[o * input + i]! * pixel[i]!;
          }
          const deviation = Math.sqrt(tensors['bn.running_var']![o]! + 0.01);
          const expected =
            ((plain - tensors['bn.running_mean']![o]!) / deviation) * tensors['bn.weight']![o]! +
            tensors['bn.bias']![o]!;
          expect(Math.abs(folded - expected)).toBeLessThanOrEqual(1e-4 * Math.max(1, Math.abs(expected)));
        }
      },
    ),
  );
});

test("a transposed convolution's kernel [in, out, k, k] is scaled by its second axis, by statistics of groups too", async () => {
  const node = {
    op: 'convTranspose',
    input: { id: 0, channels: 2, stride: 2 },
    name: 'up',
    kernel: 2,
    stride: 2,
    padding: 0,
    bias: true,
    batchNorm: { name: 'norm', epsilon: 0, groups: 2 },
  } as const satisfies ConvTransposeNode;
  const tensors: Record<string, readonly number[]> = {
    'up.weight': new Array<number>(2 * 4 * 4).fill(1),
    'up.bias': [1, 2, 3, 4],
    'norm.weight': [1, 2, 3, 4],
    'norm.bias': [0, 0, 0, 10],
    'norm.running_mean': [1, 2],
    'norm.running_var': [4, 0.25],
  };
  const { kernel, bias } = await foldedConv(node, { read: async name => Float32Array.from(tensors[name]!) });
  const scales = [0.5, 1, 6, 8];
  expect([...kernel]).toEqual([0, 1].flatMap(() => scales.flatMap(scale => [scale, scale, scale, scale])));
  expect([...bias!]).toEqual([0, 1, 6, 26]);
});

test('a norm with nothing to fold into is a scale and a shift', async () => {
  const norm = { name: 'bn', epsilon: 0.5 };
  const tensors: Record<string, readonly number[]> = {
    'bn.weight': [2, 3],
    'bn.bias': [1, -1],
    'bn.running_mean': [4, 5],
    'bn.running_var': [0.5, 3.5],
  };
  const { scale, shift } = await foldedNorm(norm, { read: async name => Float32Array.from(tensors[name]!) });
  expect([...scale]).toEqual([2, 1.5]);
  expect([...shift]).toEqual([1 - 8, -1 - 7.5]);
  const negative = { read: async () => Float32Array.of(-1, 1) };
  await expect(foldedNorm(norm, negative)).rejects.toMatchObject({ code: 'MODEL_INVALID' });
});

test('without normalisation the numbers are handed on as they are', async () => {
  const { nodes } = buildGraph(g => g.conv(g.image, 'conv', { out: 2, kernel: 1, bias: false }));
  const kernel = Float32Array.of(1, 2, 3, 4, 5, 6);
  expect(await foldedConv(nodes[1] as ConvNode, { read: async () => kernel })).toEqual({ kernel, bias: undefined });
});

test('all that is wrong with the tensors is listed, in the order of the network', () => {
  const graph = buildGraph(g => {
    const x = g.conv(g.image, 'a', { out: 2, kernel: 1 });
    return g.conv(x, 'b', { out: 1, kernel: 3 });
  });
  const entry = (name: string, shape: number[], dtype = 'F32') =>
    [name, { name, shape, dtype, offset: 0, bytes: 0 }] as const;
  const tensors = new Map([entry('a.weight', [2, 3, 1, 1], 'I64'), entry('b.weight', [1, 2, 3]), entry('b.bias', [2])]);
  expect(parameterProblems(graph, { path: 'm', tensors }).map(({ code, message }) => `${code} ${message}`)).toEqual([
    'MODEL_UNSUPPORTED m: tensor a.weight is I64',
    'MODEL_TENSOR m: tensor a.bias [2] is missing',
    'MODEL_TENSOR m: tensor b.weight is [1, 2, 3] but config.json makes it [1, 2, 3, 3]',
    'MODEL_TENSOR m: tensor b.bias is [2] but config.json makes it [1]',
  ]);
});

describe('the threshold', () => {
  test('on a logit says the same as on its probability', () => {
    const threshold = fc.double({ min: 0.001, max: 0.999, noNaN: true });
    fc.assert(
      fc.property(threshold, fc.double({ min: -20, max: 20, noNaN: true }), (threshold, logit) => {
        const { bar, rule } = decisionOf({ activation: 'sigmoid', of: 'logits' }, { threshold, positiveClasses: [0] });
        const probability = 1 / (1 + Math.exp(-logit));
        expect(rule).toBe('any');
        if (Math.abs(probability - threshold) > 1e-12) expect(logit > bar).toBe(probability > threshold);
      }),
    );
  });

  test.each<[Parameters<typeof decisionOf>[0], Partial<Decision>]>([
    [
      { activation: 'sigmoid', of: 'probabilities' },
      { rule: 'any', bar: 0.7 },
    ],
    [
      { activation: 'softmax', of: 'logits' },
      { rule: 'sum', bar: 0.7, of: 'logits' },
    ],
    [
      { activation: 'softmax', of: 'probabilities' },
      { rule: 'sum', bar: 0.7, of: 'probabilities' },
    ],
  ])('%j', (scores, expected) => {
    expect(decisionOf(scores, { threshold: 0.7, positiveClasses: [2, 0] })).toMatchObject({
      ...expected,
      channels: [2, 0],
    });
  });
});
