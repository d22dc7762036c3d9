import { createRequire } from 'node:module';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { beforeAll, describe, expect, test } from 'vitest';
import { buildGraph, type GraphBuilder } from '#src/model/graph/builder.js';
import { ACTIVATIONS, type Activation, type Graph, type Value } from '#src/model/graph/graph.js';
import { emitOnnx } from '#src/model/onnx/emit.js';
import { encodeModel } from '#src/model/onnx/model.js';
import { PORTS } from '#src/model/onnx/surround.js';
import type { Tf } from '#src/model/tfjs/layer.js';
import { buildTfjs } from '#src/model/tfjs/network.js';
import { formulaWeights, hashed } from '../support/formula-weights.js';

/** Words of the graph on both back ends, against what they are by definition. */
const require = createRequire(import.meta.url);
const tf = require('@tensorflow/tfjs-core') as Tf;
beforeAll(async () => {
  tf.enableProdMode();
  require('@tensorflow/tfjs-backend-cpu');
  await tf.setBackend('cpu');
});

const SIDE = 32;
const pixels = Uint8Array.from(hashed('pixels', SIDE * SIDE * 3), u => (u + 1) * 127.5);
/** From −6 to 6: beyond the bends of every activation. */
const input = { range: [0, 1], mean: [0.5, 0.5, 0.5], std: [1 / 12, 1 / 12, 1 / 12] } as const;
const image = Float32Array.from(pixels, byte => (byte / 255 - 0.5) * 12);
const PLANE = SIDE * SIDE;
/** The image's values, channel by channel. */
const planes = Float32Array.from({ length: 3 * PLANE }, (_, i) => image[(i % PLANE) * 3 + Math.floor(i / PLANE)]!);

const sourceOf = (graph: Graph) => ({
  read: async (name: string) => formulaWeights(name, graph.parameters.get(name)!) as Float32Array<ArrayBuffer>,
});

async function onOnnx(graph: Graph, keepNaN: boolean): Promise<Float32Array> {
  const decision = { rule: 'any', channels: [0], of: 'logits', bar: 0, threshold: 0.5 } as const;
  const model = emitOnnx(graph, sourceOf(graph), { name: 'words', input, decision, keepNaN });
  const pieces: Uint8Array[] = [];
  for await (const piece of encodeModel(model)) pieces.push(piece.slice());
  const session = await InferenceSession.create(Buffer.concat(pieces));
  const found = await session.run({ [PORTS.patches]: new Tensor('uint8', pixels, [1, SIDE, SIDE, 3]) });
  await session.release();
  return found[PORTS.logits]!.data as Float32Array;
}

async function onTfjs(graph: Graph): Promise<Float32Array> {
  const network = await buildTfjs(tf, graph, sourceOf(graph));
  const [output] = network.run(tf.tensor4d(image, [1, SIDE, SIDE, 3]), [graph.output]);
  const values = (await tf.transpose(output!, [0, 3, 1, 2]).data()) as Float32Array;
  network.dispose();
  tf.disposeVariables();
  return values;
}

async function expectEverywhere(define: (g: GraphBuilder) => Value, expected: ArrayLike<number>): Promise<void> {
  const graph = buildGraph(define);
  for (const values of [await onOnnx(graph, false), await onOnnx(graph, true), await onTfjs(graph)]) {
    expect(values.length).toBe(expected.length);
    let most = 0;
    for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i]! - expected[i]!));
    expect(most).toBeLessThan(2e-5);
  }
}

const relu6 = (x: number) => Math.min(Math.max(x, 0), 6);
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
/** By its series, which is exact enough below 5. */
function erf(x: number): number {
  if (Math.abs(x) > 5) return Math.sign(x);
  let [sum, term] = [x, x];
  for (let n = 1; n < 200; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}
const BY_DEFINITION: Readonly<Record<Activation, (x: number) => number>> = {
  relu: x => Math.max(x, 0),
  relu6,
  sigmoid,
  silu: x => x * sigmoid(x),
  hardSigmoid: x => relu6(x + 3) / 6,
  hardSwish: x => (x * relu6(x + 3)) / 6,
  gelu: x => (x / 2) * (1 + erf(x / Math.SQRT2)),
};

describe('functions of one number', () => {
  test.each([...ACTIVATIONS])('%s', name =>
    expectEverywhere(g => g.activate(g.image, name), planes.map(BY_DEFINITION[name])),
  );
});

/** Window by window: the mean over `size` × `size` pixels from (top, left) on, of those inside or of all. */
function averages(size: number, stride: number, [top, left, bottom]: readonly number[], countsPadding: boolean) {
  const out = Math.floor((SIDE + top! + bottom! - size) / stride) + 1;
  return Float32Array.from({ length: 3 * out * out }, (_, i) => {
    const [channel, row, column] = [Math.floor(i / out / out), Math.floor(i / out) % out, i % out];
    let [sum, count] = [0, 0];
    for (let y = row * stride - top!; y < row * stride - top! + size; y++)
      for (let x = column * stride - left!; x < column * stride - left! + size; x++)
        if (y >= 0 && x >= 0 && y < SIDE && x < SIDE) {
          sum += planes[channel * PLANE + y * SIDE + x]!;
          count++;
        }
    return sum / (countsPadding ? size * size : count);
  });
}

describe('average pooling', () => {
  test.each([
    [2, 2, [0, 0, 0, 0], true],
    [3, 2, [1, 1, 1, 1], true],
    [3, 2, [1, 1, 1, 1], false],
    [3, 2, [0, 0, 1, 1], false],
  ] as const)('%i by %i, padding %j, counted: %s', (size, stride, padding, countsPadding) =>
    expectEverywhere(
      g => g.averagePool(g.image, { size, stride, padding, countsPadding }),
      averages(size, stride, padding, countsPadding),
    ),
  );
});
