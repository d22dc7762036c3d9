import { createRequire } from 'node:module';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { parseArchitecture } from '#src/model/architecture/config.js';
import { buildNetwork } from '#src/model/architecture/network.js';
import { simplify } from '#src/model/graph/simplify.js';
import { averages, cubicWeights } from '#src/model/program/interpolation.js';
import { channelsLast } from '#src/model/tfjs/conv.js';
import type { Tf } from '#src/model/tfjs/layer.js';
import { buildTfjs } from '#src/model/tfjs/network.js';
import { formulaWeights, SMALL } from '../support/formula-weights.js';

const require = createRequire(import.meta.url);
const tf = require('@tensorflow/tfjs-core') as Tf;
beforeAll(async () => {
  tf.enableProdMode();
  require('@tensorflow/tfjs-backend-cpu');
  await tf.setBackend('cpu');
});

describe('a network on a device', () => {
  const graph = simplify(buildNetwork(parseArchitecture(SMALL, 'config.json')), ['encoder.layer1']);
  const source = {
    read: async (name: string) => formulaWeights(name, graph.parameters.get(name)!) as Float32Array<ArrayBuffer>,
  };

  test('frees everything but what was asked for, and its weights when it goes', async () => {
    const before = tf.memory().numTensors;
    const network = await buildTfjs(tf, graph, source);
    const weights = tf.memory().numTensors;
    expect(weights).toBeGreaterThan(before);
    const image = tf.randomUniform([1, 32, 32, 3]) as ReturnType<Tf['tensor4d']>;
    for (const wanted of [
      [graph.output],
      [graph.output, graph.layers.get('encoder.layer1')!],
      [graph.output, graph.output],
      [graph.values[0]!],
    ]) {
      const outputs = network.run(image, wanted);
      expect(tf.memory().numTensors).toBe(weights + 1 + new Set(outputs).size);
      for (const output of new Set(outputs)) output.dispose();
    }
    expect(image.isDisposed).toBe(false);
    image.dispose();
    expect(tf.memory().numTensors).toBe(weights);
    network.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  test('a patch gives the same beside another one as alone', async () => {
    const network = await buildTfjs(tf, graph, source);
    const [a, b] = [1, 2].map(
      seed => tf.randomUniform([1, 32, 32, 3], -2, 2, 'float32', seed) as ReturnType<Tf['tensor4d']>,
    );
    const run = (x: ReturnType<Tf['tensor4d']>) => network.run(x, [graph.output])[0]!.dataSync() as Float32Array;
    const both = run(tf.concat([a!, b!]));
    const alone = [...run(a!), ...run(b!)];
    expect(Math.max(...alone.map((value, i) => Math.abs(value - both[i]!)))).toBeLessThan(1e-5);
    tf.disposeVariables();
    network.dispose();
  });
});

test('kernels are turned from [out, in, height, width] to [height, width, in, out]', () => {
  const size = fc.integer({ min: 1, max: 4 });
  fc.assert(
    fc.property(size, size, size, (out, input, side) => {
      const kernel = Float32Array.from({ length: out * input * side * side }, (_, i) => i);
      const moved = channelsLast(kernel, out, input, side);
      for (let o = 0; o < out; o++)
        for (let i = 0; i < input; i++)
          for (let y = 0; y < side; y++)
            for (let x = 0; x < side; x++)
              expect(moved[((y * side + x) * input + i) * out + o]).toBe(
                kernel[((o * input + i) * side + y) * side + x],
              );
    }),
  );
});

describe('bicubic weights', () => {
  test("are PyTorch's: torch.nn.functional.interpolate([0, 1, 4, 9], scale_factor=2, mode='bicubic')", () => {
    const values = [0, 1, 4, 9];
    const enlarged = cubicWeights(4, 8).map(row => row.reduce((sum, weight, i) => sum + weight * values[i]!, 0));
    const expected = [-0.10546875, 0.12109375, 0.45703125, 1.609375, 2.828125, 5.44921875, 7.97265625, 9.52734375];
    enlarged.forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i]!, 6);
    });
  });

  test('keep constants, and are mirrored at the other end', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 2, max: 4 }), (size, factor) => {
        const rows = cubicWeights(size, size * factor);
        expect(rows).toHaveLength(size * factor);
        rows.forEach((row, i) => {
          expect(row.reduce((a, b) => a + b)).toBeCloseTo(1, 10);
          const mirrored = [...rows[rows.length - 1 - i]!].reverse();
          row.forEach((weight, k) => {
            expect(weight).toBeCloseTo(mirrored[k]!, 10);
          });
        });
      }),
    );
  });
});

describe('averages of parts', () => {
  test("are PyTorch's: torch.nn.functional.adaptive_avg_pool1d of 5 and of 2 numbers", () => {
    const of = (values: readonly number[], parts: number) =>
      averages(values.length, parts).map(row => row.reduce((sum, weight, i) => sum + weight * values[i]!, 0));
    expect(of([1, 2, 4, 8, 16], 3)).toEqual([1.5, 14 / 3, 12].map(value => expect.closeTo(value, 10)));
    expect(of([1, 3], 6)).toEqual([1, 1, 1, 3, 3, 3]);
    expect(of([1, 3, 5], 2)).toEqual([2, 4]);
  });
});
