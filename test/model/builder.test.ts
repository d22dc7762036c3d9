import { describe, expect, test } from 'vitest';
import { buildGraph, type GraphBuilder } from '#src/model/graph/builder.js';
import { multiplications } from '#src/model/graph/cost.js';
import { layerOf, type Value } from '#src/model/graph/graph.js';

const small = (g: GraphBuilder, name = 'c', out = 4) => g.conv(g.image, name, { out, kernel: 3 });

describe('shapes follow the layers', () => {
  test('a stride divides the size, an enlargement multiplies it, a global average leaves one pixel', () => {
    const seen: Value[] = [];
    buildGraph(g => {
      const a = g.conv(g.image, 'a', { out: 8, kernel: 7, stride: 2 });
      const b = g.maxPool(a, { size: 3, stride: 2, padding: 1 });
      const c = g.upsample(b, 4, 'bilinear');
      const d = g.globalAverage(c);
      seen.push(g.image, a, b, c, d, g.sigmoid(d), g.concat([a, g.relu(a)]));
      return c;
    });
    expect(seen.map(({ channels, stride }) => [channels, stride])).toEqual([
      [3, 1],
      [8, 2],
      [8, 4],
      [8, 1],
      [8, 'global'],
      [8, 'global'],
      [16, 2],
    ]);
  });

  test('enlarging by one is nothing', () => {
    const graph = buildGraph(g => g.upsample(small(g), 1, 'nearest'));
    expect(graph.nodes.map(({ op }) => op)).toEqual(['input', 'conv']);
  });
});

describe('parameters are named and shaped as in PyTorch', () => {
  test('a convolution has a bias unless a batch normalisation follows', () => {
    const { parameters } = buildGraph(g => {
      const x = g.conv(g.image, 'plain', { out: 2, kernel: 1 });
      const y = g.conv(x, 'normal', { out: 5, kernel: 3, batchNorm: 'bn' });
      return g.conv(y, 'both', { out: 1, kernel: 1, bias: true, batchNorm: { name: 'bn2', epsilon: 0.1 } });
    });
    expect([...parameters.keys()]).toEqual([
      ...['plain.weight', 'plain.bias', 'normal.weight'],
      ...['bn.weight', 'bn.bias', 'bn.running_mean', 'bn.running_var'],
      ...['both.weight', 'both.bias', 'bn2.weight', 'bn2.bias', 'bn2.running_mean', 'bn2.running_var'],
    ]);
    expect(parameters.get('normal.weight')).toEqual([5, 2, 3, 3]);
    expect(parameters.get('bn.running_var')).toEqual([5]);
  });

  test('in groups, linear layers and norms of their own', () => {
    const { parameters } = buildGraph(g => {
      const x = g.conv(small(g), 'deep', { out: 8, kernel: 5, groups: 4, bias: false });
      return g.layerNorm(g.batchNorm(g.conv(x, 'fc', { out: 3, kernel: 1, linear: true }), 'bn'), 'ln');
    });
    expect(parameters.get('deep.weight')).toEqual([8, 1, 5, 5]);
    expect(parameters.get('fc.weight')).toEqual([3, 8]);
    expect(parameters.get('bn.running_var')).toEqual([3]);
    expect(parameters.get('ln.bias')).toEqual([3]);
  });

  test('one used twice is a mistake', () => {
    expect(() => buildGraph(g => g.add(small(g), small(g)))).toThrow('parameter c.weight is used twice');
  });
});

describe('what does not fit is refused while it is built', () => {
  test.each<[string, (g: GraphBuilder) => Value]>([
    ['add of unequal channels', g => g.add(g.image, small(g))],
    ['add of unequal sizes', g => g.add(small(g), g.conv(g.image, 'd', { out: 4, kernel: 3, stride: 2 }))],
    ['concat of unequal sizes', g => g.concat([g.image, g.conv(g.image, 'd', { out: 4, kernel: 3, stride: 2 })])],
    ['concat of nothing', g => g.concat([])],
    ['multiply by other channels', g => g.multiply(small(g), small(g, 'd', 2))],
    ['multiply by another size', g => g.multiply(small(g), g.conv(g.image, 'd', { out: 1, kernel: 1, stride: 2 }))],
    ['groups that do not divide the channels', g => g.groupNorm(small(g), { name: 'n', groups: 3 })],
    ['inputs that groups do not divide', g => g.conv(small(g), 'd', { out: 6, kernel: 3, groups: 3 })],
    ['outputs that groups do not divide', g => g.conv(small(g), 'd', { out: 5, kernel: 3, groups: 2 })],
    ['a linear layer of 3 × 3', g => g.conv(small(g), 'd', { out: 4, kernel: 3, linear: true })],
    ['a convolution of nothing', g => g.conv(g.empty(2), 'd', { out: 4, kernel: 1 })],
    ['keys without values', g => g.attention(small(g), small(g, 'd'), 1)],
    ['heads that do not divide the channels', g => g.attention(small(g), small(g, 'd', 8), 3)],
  ])('%s', (_, build) => {
    expect(() => buildGraph(build)).toThrow(RangeError);
  });

  test('a tensor without channels is left out where tensors are set side by side', () => {
    const graph = buildGraph(g => g.concat([g.conv(g.image, 'c', { out: 4, kernel: 3, stride: 2 }), g.empty(2)]));
    expect(graph.nodes.map(({ op }) => op)).toEqual(['input', 'conv']);
    expect(graph.output).toMatchObject({ channels: 4, stride: 2 });
  });

  test('multiplying repeats one channel, or one pixel', () => {
    const graph = buildGraph(g => {
      const x = small(g);
      return g.multiply(g.multiply(x, small(g, 'one', 1)), g.globalAverage(x));
    });
    expect(graph.output).toMatchObject({ channels: 4, stride: 1 });
  });
});

test('layers are found by name; an unknown one lists those there are', () => {
  const graph = buildGraph(g => g.relu(g.layer(small(g), 'encoder.first')));
  expect(layerOf(graph, 'encoder.first').id).toBe(1);
  expect(layerOf(graph, 'logits')).toBe(graph.output);
  expect(() => layerOf(graph, 'encoder.second')).toThrow(
    expect.objectContaining({ code: 'MODEL_UNSUPPORTED', fix: 'known layers: logits, encoder.first' }),
  );
});

test('multiplications are counted at the size they happen', () => {
  const graph = buildGraph(g => {
    const x = g.conv(g.image, 'a', { out: 8, kernel: 3, stride: 2 });
    return g.conv(g.globalAverage(x), 'b', { out: 2, kernel: 1 });
  });
  expect(multiplications(graph, 64)).toBe(8 * 3 * 9 * 32 * 32 + 2 * 8);
});
