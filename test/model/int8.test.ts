import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseArchitecture } from '#src/model/architecture/config.js';
import { buildNetwork } from '#src/model/architecture/network.js';
import { loadBundle } from '#src/model/bundle.js';
import { buildGraph } from '#src/model/graph/builder.js';
import { inputsOf } from '#src/model/graph/graph.js';
import { simplify } from '#src/model/graph/simplify.js';
import { importBundle } from '#src/model/import.js';
import { affineOf, quantiseConv } from '#src/model/int8/affine.js';
import { bytePlaces, isQuantised } from '#src/model/int8/places.js';
import { affines, measuredPlaces } from '#src/model/int8/quantisation.js';
import { goldenCases } from '../engine/parity.js';
import { makeBundle, SMALL } from '../support/formula-weights.js';

const graphOf = (config: Readonly<Record<string, unknown>>) =>
  simplify(buildNetwork(parseArchitecture(config, 'config')));
const cases = Object.entries(await goldenCases());

describe('bytes for a range', () => {
  const value = fc.float({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 });

  test('0 is exact, and every value of the range is within half a step', () => {
    fc.assert(
      fc.property(value, value, fc.double({ min: 0, max: 1, noNaN: true }), (a, b, part) => {
        const range = [Math.min(a, b), Math.max(a, b)] as const;
        const { scale, zero } = affineOf(range);
        expect(Number.isInteger(zero) && zero >= 0 && zero <= 255 && scale > 0).toBe(true);
        const x = range[0] + (range[1] - range[0]) * part;
        const byte = Math.min(255, Math.max(0, Math.round(x / scale) + zero));
        // The zero point is rounded too, so that an end of the range may lie half a step outside.
        expect(Math.abs((byte - zero) * scale - x)).toBeLessThanOrEqual(scale * 1.001);
      }),
    );
  });

  test('a range on one side of 0 is widened to it', () => {
    expect(affineOf([2, 5])).toEqual({ scale: Math.fround(5 / 255), zero: 0 });
    expect(affineOf([-5, -2])).toEqual({ scale: Math.fround(5 / 255), zero: 255 });
    expect(affineOf([0, 0])).toEqual({ scale: 1, zero: 0 });
  });
});

test('a convolution in whole numbers: seven bits, and within half a step of its weights and its bias', () => {
  const weight = fc.float({ noNaN: true, noDefaultInfinity: true, min: -100, max: 100 });
  const conv = fc.integer({ min: 1, max: 4 }).chain(outputs =>
    fc.record({
      kernel: fc.array(weight, { minLength: outputs * 3, maxLength: outputs * 3 }).map(k => Float32Array.from(k)),
      bias: fc.option(
        fc.array(weight, { minLength: outputs, maxLength: outputs }).map(b => Float32Array.from(b)),
        {
          nil: undefined,
        },
      ),
      inputScale: fc.double({ min: 1e-6, max: 10, noNaN: true }).map(Math.fround),
    }),
  );
  fc.assert(
    fc.property(conv, ({ kernel, bias, inputScale }) => {
      const outputs = kernel.length / 3;
      const whole = quantiseConv({ kernel, bias }, outputs, inputScale);
      kernel.forEach((w, i) => {
        const scale = whole.scales[Math.floor(i / 3)]!;
        expect(Math.abs(whole.kernel[i]!)).toBeLessThanOrEqual(64);
        expect(Math.abs(whole.kernel[i]! * scale - w)).toBeLessThanOrEqual(scale * 0.501);
      });
      whole.scales.forEach((scale, c) => {
        const step = scale * inputScale;
        const error = Math.abs(whole.bias[c]! * step - (bias?.[c] ?? 0));
        expect(error).toBeLessThanOrEqual(step * 0.501 + Math.abs(bias?.[c] ?? 0) * 1e-6);
      });
    }),
  );
});

describe('where a network becomes bytes', () => {
  test.each(cases)('%s', (_, { config }) => {
    const graph = graphOf(config);
    const places = bytePlaces(graph);
    expect(new Set(places.map(({ name }) => name)).size).toBe(places.length);
    const found = new Set(places.map(({ value }) => value.id));
    for (const node of graph.nodes) {
      if (node.op !== 'conv') continue;
      if (isQuantised(node)) expect(found).toContain(node.input.id);
      else expect(node.name).toMatch(/segmentation_head|attention/);
    }
    expect(found).not.toContain(graph.output.id);
    // A range that is taken from another place is there before it is needed.
    const met = new Set<number>();
    for (const { value, like } of places) {
      if (like) expect(met).toContain(like.id);
      met.add(value.id);
    }
  });

  test('between two convolutions, sums, pooling and doubling stay in bytes; groups, attention and the head do not', () => {
    const graph = buildGraph(g => {
      const a = g.relu(g.conv(g.image, 'a', { out: 4, kernel: 3 }));
      const pooled = g.maxPool(a, { size: 2, stride: 2 });
      const b = g.conv(pooled, 'b', { out: 4, kernel: 3 });
      const sum = g.relu(g.add(b, pooled));
      const c = g.conv(g.upsample(sum, 2, 'nearest'), 'c', { out: 4, kernel: 3 });
      const normal = g.relu(g.groupNorm(c, { name: 'n', groups: 2 }));
      return g.conv(normal, 'segmentation_head.0', { out: 1, kernel: 1 });
    });
    const places = bytePlaces(graph).map(({ name, like }) => [name, like ? graph.nodes[like.id]!.op : null]);
    expect(places).toEqual([
      ['image', null],
      ['a/relu', null],
      ['a/relu/maxPool', 'relu'],
      ['b', null],
      ['b/add/relu', null],
      ['b/add/relu/upsample', 'relu'],
      ['c', null],
    ]);
    const ranges = Object.fromEntries(measuredPlaces(graph).map(({ name }, i) => [name, [0, i + 1] as const]));
    const found = affines(graph, { patches: 1, ranges });
    expect(found.size).toBe(7);
    for (const { value, like } of bytePlaces(graph)) if (like) expect(found.get(value)).toBe(found.get(like));
    expect(graph.nodes.filter(({ op }) => op === 'groupNorm').flatMap(inputsOf)).toHaveLength(1);
  });
});

test.each([
  ['mit_b0', /^encoder\.patch_embed\d\.proj$/],
  ['mobilenet_v2', /^encoder\.features\.0\.0$|\.conv\.(0|1|2|3)(\.0)?$|features\.18\.0$/],
  ['resnext50_32x4d', /^encoder\.conv1$|\.conv[13]$|\.downsample\.0$/],
  ['efficientnet-b0', /_conv_stem$|_expand_conv$|_project_conv$/],
])('of %s, what is in groups, linear or squeezed to one pixel stays float32', (encoder_name, whole) => {
  const graph = simplify(buildNetwork(parseArchitecture({ _model_class: 'Unet', encoder_name }, 'config.json')));
  const convs = graph.nodes.filter(node => node.op === 'conv').filter(({ name }) => name.startsWith('encoder.'));
  const quantised = convs.filter(isQuantised);
  expect(quantised.length).toBeGreaterThan(3);
  expect(quantised.length).toBeLessThan(convs.length);
  for (const node of quantised) {
    expect(node.groups ?? 1).toBe(1);
    expect(node.linear).toBeUndefined();
    expect(node.input.stride).not.toBe('global');
    expect(node.name).toMatch(whole);
  }
});

describe('quantisation.json', () => {
  const ranges = Object.fromEntries(measuredPlaces(graphOf(SMALL)).map(({ name }) => [name, [-1, 2]]));
  const bundleWith = async (json: unknown) => {
    const path = await makeBundle({ config: SMALL });
    await writeFile(join(path, 'quantisation.json'), typeof json === 'string' ? json : JSON.stringify(json));
    return path;
  };

  test('makes another version of the bundle, and stays with it when it is imported', async () => {
    const path = await bundleWith({ patches: 3, ranges });
    const bundle = await loadBundle(path);
    expect(bundle.network).toMatchObject({ quantisation: { patches: 3 } });
    expect(bundle.version).not.toBe((await loadBundle(await makeBundle({ config: SMALL }))).version);
    const copy = await importBundle(path, join(path, 'copy'));
    expect(copy.network).toMatchObject({ quantisation: { patches: 3, ranges } });
    expect(JSON.parse(await readFile(join(copy.path, 'quantisation.json'), 'utf8'))).toEqual({ patches: 3, ranges });
  });

  const [first, ...rest] = Object.entries(ranges);
  test.each([
    ['no JSON', '{', /not JSON/],
    ['no object', 7, /patches is no number above 0/],
    ['no patches', { patches: 0, ranges }, /patches is no number above 0/],
    ['no ranges', { patches: 1 }, /ranges is no object/],
    ['a range missing', { patches: 1, ranges: Object.fromEntries(rest) }, /the range of image is missing/],
    [
      'a range upside down',
      { patches: 1, ranges: { ...ranges, [first![0]]: [2, 1] } },
      /the range of image is \[2,1\]/,
    ],
    ['a range of text', { patches: 1, ranges: { ...ranges, [first![0]]: ['0', 1] } }, /the range of image/],
    ['a tensor of another network', { patches: 1, ranges: { ...ranges, other: [0, 1] } }, /has no other/],
  ])('%s is refused', async (_, json, message) => {
    await expect(loadBundle(await bundleWith(json))).rejects.toMatchObject({ code: 'MODEL_INVALID', message });
  });
});
