import { describe, expect, test } from 'vitest';
import { parseArchitecture } from '#src/model/architecture/config.js';
import { buildNetwork } from '#src/model/architecture/network.js';
import { buildGraph } from '#src/model/graph/builder.js';
import { type Graph, inputsOf } from '#src/model/graph/graph.js';
import { simplify } from '#src/model/graph/simplify.js';

/** The graph in one line, for comparison: up(…), conv(…), add(…, …). */
function written({ nodes, output }: Graph): string {
  const write = (id: number): string => {
    const node = nodes[id]!;
    if (node.op === 'input') return 'x';
    const name =
      node.op === 'conv'
        ? `${node.name}${node.bias ? '+' : ''}`
        : node.op === 'upsample'
          ? `up${node.factor}`
          : node.op;
    return `${name}(${inputsOf(node)
      .map(input => write(input.id))
      .join(',')})`;
  };
  return write(output.id);
}

const half = { kernel: 3, stride: 2, bias: false } as const;

describe('sums and 1 × 1 convolutions move below enlargements', () => {
  test('a sum of equal enlargements is enlarged once', () => {
    const graph = buildGraph(g => {
      const [a, b] = ['a', 'b'].map(name => g.conv(g.image, name, { ...half, out: 4 }));
      return g.add(g.upsample(a!, 2, 'bilinear'), g.upsample(b!, 2, 'bilinear'));
    });
    expect(written(simplify(graph))).toBe('up2(add(a(x),b(x)))');
  });

  test('a narrowing convolution is done before enlarging, its bias once', () => {
    const graph = buildGraph(g => {
      const coarse = g.conv(g.image, 'a', { ...half, out: 8 });
      const fine = g.conv(g.image, 'b', { ...half, stride: 1, out: 8 });
      return g.conv(g.add(g.upsample(coarse, 2, 'nearest'), fine), 'head', { out: 1, kernel: 1 });
    });
    expect(written(simplify(graph))).toBe('add(up2(head+(a(x))),head(b(x)))');
  });

  test('a narrowing convolution of an enlargement alone', () => {
    const graph = buildGraph(g => {
      const coarse = g.conv(g.image, 'a', { ...half, out: 8 });
      return g.conv(g.upsample(coarse, 2, 'bicubic'), 'head', { out: 2, kernel: 1 });
    });
    expect(written(simplify(graph))).toBe('up2(head+(a(x)))');
  });

  test('not a convolution in groups, whose channels do not mix', () => {
    const graph = buildGraph(g => {
      const coarse = g.conv(g.image, 'a', { ...half, out: 8 });
      return g.conv(g.upsample(coarse, 2, 'nearest'), 'head', { out: 2, kernel: 1, groups: 2 });
    });
    expect(written(simplify(graph))).toBe('head+(up2(a(x)))');
  });

  test('not a sum of unequal enlargements', () => {
    const graph = buildGraph(g => {
      const [a, b] = ['a', 'b'].map(name => g.conv(g.image, name, { ...half, out: 4 }));
      return g.add(g.upsample(a!, 2, 'bilinear'), g.upsample(b!, 2, 'nearest'));
    });
    expect(written(simplify(graph))).toBe(written(graph));
  });

  test('not where the enlarged tensor is needed elsewhere, nor where it is a layer to keep', () => {
    const shared = buildGraph(g => {
      const up = g.layer(g.upsample(g.conv(g.image, 'a', { ...half, out: 4 }), 2, 'nearest'), 'up');
      return g.multiply(g.add(up, up), g.conv(up, 'head', { out: 1, kernel: 1 }));
    });
    expect(written(simplify(shared))).toBe(written(shared));
    const layered = buildGraph(g => {
      const up = g.layer(g.upsample(g.conv(g.image, 'a', { ...half, out: 4 }), 2, 'nearest'), 'up');
      return g.conv(up, 'head', { out: 1, kernel: 1 });
    });
    expect(written(simplify(layered, ['up']))).toBe(written(layered));
    expect(written(simplify(layered))).not.toBe(written(layered));
  });

  test('not where the convolution widens, strides or looks around', () => {
    for (const head of [
      { out: 8, kernel: 1 },
      { out: 1, kernel: 3 },
      { out: 1, kernel: 1, stride: 2 },
    ]) {
      const graph = buildGraph(g =>
        g.conv(g.upsample(g.conv(g.image, 'a', { ...half, out: 4 }), 2, 'nearest'), 'head', head),
      );
      expect(written(simplify(graph))).toBe(written(graph));
    }
  });
});

test('FPN: every 128-channel enlargement to the finest level is gone; the graph stays sound', () => {
  const graph = buildNetwork(parseArchitecture({ _model_class: 'FPN' }, 'config.json'));
  const simple = simplify(graph, ['decoder.p2']);
  const enlarged = ({ nodes, values }: Graph) =>
    nodes.flatMap((node, id) =>
      node.op === 'upsample' && node.mode === 'bilinear-corners' ? [[values[id]!.channels, values[id]!.stride]] : [],
    );
  expect(enlarged(graph).filter(([channels, stride]) => channels === 128 && stride === 4)).toHaveLength(3);
  expect(enlarged(simple).filter(([channels, stride]) => channels === 128 && stride === 4)).toHaveLength(0);
  expect(simple.values.map(({ id }) => id)).toEqual(simple.values.map((_, id) => id));
  simple.nodes.forEach((node, id) => {
    for (const input of inputsOf(node)) expect(input.id).toBeLessThan(id);
  });
  expect(simple.layers.get('decoder.p2')).toMatchObject({ channels: 256, stride: 4 });
  expect([...simple.layers.keys()]).toContain('segmentation_head');
  expect(simple.output).toMatchObject({ channels: 1, stride: 1 });
});
