import { createRequire } from 'node:module';
import { describe, expect, test } from 'vitest';
import type { Loss } from '#src/model/gradient/loss.js';
import { STEP, trainingProgram } from '#src/model/gradient/step.js';
import { buildGraph, type ConvOptions, type GraphBuilder } from '#src/model/graph/builder.js';
import { freezeNorms } from '#src/model/graph/freeze.js';
import { ACTIVATIONS, type Graph, type Value } from '#src/model/graph/graph.js';
import { simplify } from '#src/model/graph/simplify.js';
import type { Program } from '#src/model/program/words.js';
import type { Tf } from '#src/model/tfjs/layer.js';
import { openOrtPrograms } from '#src/train/ort-programs.js';
import type { LoadedProgram } from '#src/train/program-engine.js';
import { openTfjsPrograms } from '#src/train/tfjs-programs.js';
import { formulaWeights, hashed } from '../support/formula-weights.js';

type Inputs = Map<string, Float32Array>;

/** An operation between two convolutions; the first shows the gradient of the operation's input. */
const between = (make: (g: GraphBuilder, x: Value) => Value): Graph =>
  buildGraph(g => g.conv(make(g, g.conv(g.image, 'first', { out: 4, kernel: 3 })), 'head', { out: 1, kernel: 1 }));
const convolution = (options: Partial<ConvOptions> & { kernel: number }) =>
  between((g, x) => g.conv(x, 'second', { out: 5, ...options }));

const GRAPHS: Readonly<Record<string, Graph>> = {
  'conv 1 × 1': convolution({ kernel: 1 }),
  'conv 3 × 3': convolution({ kernel: 3 }),
  'conv 3 × 3 without padding': convolution({ kernel: 3, padding: 0 }),
  'conv 3 × 3 by 2': convolution({ kernel: 3, stride: 2 }),
  'conv 1 × 1 by 2': convolution({ kernel: 1, stride: 2 }),
  'conv 7 × 7 by 2': convolution({ kernel: 7, stride: 2 }),
  'conv 5 × 5 by 3': convolution({ kernel: 5, stride: 3 }),
  'conv 3 × 3 padded on two sides, by 2': convolution({ kernel: 3, stride: 2, padding: [0, 0, 1, 1] }),
  'conv 5 × 5 padded unevenly': convolution({ kernel: 5, padding: [1, 2, 3, 0] }),
  'conv 3 × 3 dilated': convolution({ kernel: 3, dilation: 2 }),
  'conv 3 × 3 in groups': convolution({ kernel: 3, groups: 2, out: 6 }),
  'conv 3 × 3 in groups by 2': convolution({ kernel: 3, groups: 2, out: 6, stride: 2 }),
  'conv depthwise': convolution({ kernel: 5, groups: 4, out: 4, bias: false, batchNorm: 'norm' }),
  'conv depthwise by 2, padded on two sides': convolution({
    kernel: 5,
    groups: 4,
    out: 8,
    stride: 2,
    padding: [1, 1, 2, 2],
  }),
  'conv depthwise dilated': convolution({ kernel: 3, groups: 4, out: 4, dilation: 3 }),
  linear: convolution({ kernel: 1, linear: true }),
  'batch norm behind a sum': between((g, x) => g.batchNorm(g.add(x, x), 'norm')),
  'layer norm': between((g, x) => g.layerNorm(x, 'norm')),
  ...Object.fromEntries(
    ACTIVATIONS.filter(name => name !== 'relu' && name !== 'sigmoid').map(name => [
      name,
      between((g, x) => g.activate(g.conv(x, 'wide', { out: 4, kernel: 1 }), name)),
    ]),
  ),
  attention: between((g, x) => {
    const few = g.conv(x, 'few', { out: 4, kernel: 2, stride: 2, padding: 0 });
    return g.attention(x, g.conv(few, 'kv', { out: 8, kernel: 1, linear: true }), 2);
  }),
  'average pool 2 by 2': between((g, x) => g.averagePool(x, { size: 2, stride: 2 })),
  'average pool 3 by 2, padded': between((g, x) => g.averagePool(x, { size: 3, stride: 2, padding: 1 })),
  'average pool 3 by 2, of what is there': between((g, x) =>
    g.averagePool(x, { size: 3, stride: 2, padding: [0, 0, 1, 1], countsPadding: false }),
  ),
  'batch norm': convolution({ kernel: 3, bias: true, batchNorm: 'norm' }),
  'group norm': between((g, x) => g.groupNorm(x, { name: 'norm', groups: 2 })),
  'instance norm': between((g, x) => g.groupNorm(x, { name: 'norm', groups: 4 })),
  'frozen group norm': freezeNorms(between((g, x) => g.groupNorm(x, { name: 'norm', groups: 4 }))),
  relu: between((g, x) => g.relu(x)),
  sigmoid: between((g, x) => g.sigmoid(x)),
  add: between((g, x) => g.add(g.sigmoid(x), x)),
  'multiply and global average': between((g, x) => g.multiply(x, g.sigmoid(g.globalAverage(x)))),
  'multiply by one channel': between((g, x) => g.multiply(x, g.conv(x, 'one', { out: 1, kernel: 1 }))),
  concat: between((g, x) => g.concat([x, g.conv(x, 'beside', { out: 3, kernel: 1 }), x])),
  'max pool 3 by 2': between((g, x) => g.maxPool(x, { size: 3, stride: 2, padding: 1 })),
  'max pool 3 by 2, padded on two sides': between((g, x) =>
    g.maxPool(x, { size: 3, stride: 2, padding: [0, 0, 1, 1] }),
  ),
  'max pool 2 by 2': between((g, x) => g.maxPool(g.relu(x), { size: 2, stride: 2 })),
  nearest: between((g, x) => g.upsample(x, 2, 'nearest')),
  bilinear: between((g, x) => g.upsample(x, 2, 'bilinear')),
  'bilinear by corners': between((g, x) => g.upsample(x, 4, 'bilinear-corners')),
  bicubic: between((g, x) => g.upsample(x, 2, 'bicubic')),
  'transposed conv 4 × 4 by 2': between((g, x) =>
    g.convTranspose(x, 'up', { out: 3, kernel: 4, stride: 2, padding: 1, batchNorm: { name: 'norm', epsilon: 1e-5 } }),
  ),
  'transposed conv 3 × 3 by 1': between((g, x) =>
    g.convTranspose(x, 'up', { out: 5, kernel: 3, stride: 1, padding: 1 }),
  ),
  'average of 5 × 5 parts': between((g, x) => g.adaptiveAverage(x, 5)),
  'resize to more': between((g, x) => g.add(g.resize(g.adaptiveAverage(x, 5), x, 'bilinear'), x)),
  'resize to more by corners': between((g, x) => g.add(g.resize(g.adaptiveAverage(x, 5), x, 'bilinear-corners'), x)),
  'resize to less': between((g, x) => g.resize(x, g.maxPool(x, { size: 2, stride: 2 }), 'bilinear')),
  'resize of one pixel': between((g, x) => g.add(g.resize(g.globalAverage(x), x, 'bilinear'), x)),
  'position attention': between((g, image) => {
    const x = g.maxPool(image, { size: 2, stride: 2 });
    const [top, centre] = ['top', 'centre'].map(name => g.conv(x, name, { out: 3, kernel: 1 }));
    return g.positionAttention(top!, centre!, g.conv(x, 'bottom', { out: 5, kernel: 1 }));
  }),
  'a value read twice': between((g, x) => {
    const kept = g.conv(x, 'shared', { out: 4, kernel: 1, bias: false });
    return g.add(kept, g.sigmoid(kept));
  }),
};

const SIDE = 12;
const ENGINES = {
  onnxruntime: () => openOrtPrograms('cpu', 1),
  'TensorFlow.js in WebAssembly': () => openTfjsPrograms('tfjs-wasm'),
} as const;

function programOf(graph: Graph, loss: Loss): Program {
  return trainingProgram(graph, {
    batch: 2,
    side: SIDE,
    loss,
    trains: name => !name.includes('running'),
    usesBatch: () => true,
  });
}

function inputsOf({ words, terms }: Program): Inputs {
  return new Map(
    words.flatMap((word, id): [string, Float32Array][] => {
      if (word.op !== 'input') return [];
      const { name } = word;
      const { shape } = terms[id]!;
      const count = shape.reduce((product, size) => product * size, 1);
      const numbers = hashed(name, count);
      // Stroma has to be counted; the last fifth of every row is ignored.
      const counted = (i: number) => i % shape[3]! < shape[3]! * 0.8;
      if (name === STEP.images) return [[name, Float32Array.from(numbers)]];
      if (name === STEP.valid) return [[name, Float32Array.from(numbers, (_, i) => (counted(i) ? 1 : 0))]];
      if (name === STEP.truth) return [[name, Float32Array.from(numbers, (u, i) => (u > 0.2 && counted(i) ? 1 : 0))]];
      return [
        [name, formulaWeights(name, shape.length === 4 && shape[0] === 1 && word.as === 'image' ? [count] : shape)],
      ];
    }),
  );
}

const STRIDE = 0.01;

/** The loss's change along a direction of unit length from a parameter, by central differences, over the length. */
async function slope(program: LoadedProgram, inputs: Inputs, name: string, direction: Float32Array): Promise<number> {
  const at = async (step: number) => {
    const moved = inputs.get(name)!.map((value, i) => value + step * direction[i]!);
    return (await program.run(new Map([...inputs, [name, moved]]))).get(STEP.loss)![0]!;
  };
  return ((await at(STRIDE)) - (await at(-STRIDE))) / (2 * STRIDE);
}

const length = (values: Float32Array) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);

async function check(program: LoadedProgram, inputs: Inputs): Promise<void> {
  const outputs = new Map([...(await program.run(inputs))].map(([name, values]) => [name, values.slice()]));
  const gradients = [...outputs].filter(([name]) => name.startsWith(STEP.gradient('')));
  expect(gradients.length).toBeGreaterThan(2);
  const whole = Math.max(...gradients.map(([, values]) => length(values)));
  for (const [port, gradient] of gradients) {
    const name = port.slice(STEP.gradient('').length);
    const size = length(gradient);
    const other = Float32Array.from(hashed(`along ${name}`, gradient.length));
    const unit = other.map(value => value / length(other));
    // float32 losses of about 1 differ by 1e-7 from what they should be: 1e-5 in their slope.
    const allowed = 0.02 * size + 1e-4 * Math.max(1, whole);
    expect(Math.abs((await slope(program, inputs, name, unit)) - dot(gradient, unit)), name).toBeLessThan(allowed);
    if (size < 1e-4) continue;
    const steepest = gradient.map(value => value / size);
    expect(Math.abs((await slope(program, inputs, name, steepest)) - size), name).toBeLessThan(allowed);
  }
}

describe.each(Object.entries(ENGINES))('gradients are what finite differences say, on %s', (_engine, open) => {
  test.each(Object.entries(GRAPHS))('%s', async (_name, graph) => {
    const engine = await open();
    const program = programOf(graph, 'bce-dice');
    const loaded = await engine.load(program);
    await check(loaded, inputsOf(program));
    await loaded.close();
    await engine.close();
  });

  test.each(['dice', 'bce-dice', 'focal'] as const)('%s loss', async loss => {
    const engine = await open();
    const program = programOf(GRAPHS['relu']!, loss);
    const loaded = await engine.load(program);
    await check(loaded, inputsOf(program));
    await loaded.close();
    await engine.close();
  });
});

test('a program on TensorFlow.js leaves no tensor behind', async () => {
  const tf = createRequire(import.meta.url)('@tensorflow/tfjs-core') as Tf;
  const engine = await openTfjsPrograms('tfjs-wasm');
  const program = programOf(GRAPHS['max pool 3 by 2']!, 'bce-dice');
  const loaded = await engine.load(program);
  const { numTensors } = tf.memory();
  for (let run = 0; run < 3; run++) {
    await loaded.run(inputsOf(program));
    expect(tf.memory().numTensors).toBe(numTensors);
  }
});

test('dropout: gradients by finite differences, of a head that is split over a sum too', async () => {
  const sum = buildGraph(g => {
    const x = g.conv(g.image, 'first', { out: 4, kernel: 3 });
    const small = g.maxPool(x, { size: 2, stride: 2 });
    return g.conv(g.add(g.upsample(small, 2, 'bilinear-corners'), x), 'segmentation_head.0', { out: 1, kernel: 1 });
  });
  const results: Float32Array[] = [];
  for (const graph of [sum, simplify(sum)]) {
    const options = {
      batch: 2,
      side: SIDE,
      loss: 'dice',
      trains: () => true,
      usesBatch: () => true,
      dropout: true,
    } as const;
    const program = trainingProgram(graph, options);
    const engine = openOrtPrograms('cpu', 1);
    const loaded = await engine.load(program);
    const inputs = inputsOf(program);
    inputs.set(STEP.dropout, Float32Array.of(2, 0, 2, 0, 0, 0, 2, 2));
    await check(loaded, inputs);
    results.push((await loaded.run(inputs)).get(STEP.gradient('segmentation_head.0.weight'))!.slice());
    await loaded.close();
  }
  expect(results[0]![1]).toBe(0);
  expect(results[1]![1]).toBe(0);
  expect(length(results[0]!.map((value, i) => value - results[1]![i]!))).toBeLessThan(1e-5 * length(results[0]!));
});

test('both engines agree on every output of every program', async () => {
  const [a, b] = [openOrtPrograms('cpu', 1), await openTfjsPrograms('tfjs-wasm')];
  for (const [name, graph] of Object.entries(GRAPHS)) {
    const program = programOf(graph, 'focal');
    const inputs = inputsOf(program);
    const [one, other] = [await a.load(program), await b.load(program)];
    const found = await one.run(inputs);
    for (const [port, values] of await other.run(inputs)) {
      const size = Math.max(1e-3, length(values));
      const off = length(values.map((value, i) => value - found.get(port)![i]!));
      expect(off / size, `${name}: ${port}`).toBeLessThan(1e-4);
    }
    await one.close();
  }
});
