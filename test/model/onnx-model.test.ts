import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeModel, type OnnxModel } from '#src/model/onnx/model.js';
import { readOnnx } from '#src/model/onnx/ready.js';
import { OnnxWriter } from '#src/model/onnx/writer.js';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'onnx-'));
});
afterAll(() => rm(root, { recursive: true }));

async function bytesOf(model: OnnxModel): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of encodeModel(model)) pieces.push(piece.slice());
  return Buffer.concat(pieces);
}

/** A model of one output computed from `x` by what `build` writes. */
async function run(build: (out: OnnxWriter) => void, x: Tensor, shape: (number | string)[], options = {}) {
  const out = new OnnxWriter(options);
  build(out);
  const { nodes, initializers } = out;
  const model: OnnxModel = {
    name: 'test',
    nodes,
    initializers,
    inputs: [{ name: 'x', type: x.type === 'uint8' ? 'uint8' : 'float', shape: x.dims }],
    outputs: [{ name: 'y', type: 'float', shape }],
  };
  const session = await InferenceSession.create(await bytesOf(model));
  const { y } = await session.run({ x });
  await session.release();
  return y!;
}

describe('what is written runs', () => {
  const x = new Tensor('float32', Float32Array.of(1, -2, 3, -4, 5, -6), [1, 2, 3]);

  test('attributes of every kind: whole numbers, lists, floats, text', async () => {
    const y = await run(
      out => {
        const turned = out.node('Transpose', ['x'], { perm: [0, 2, 1] });
        const leaky = out.node('LeakyRelu', [turned], { alpha: { float: 0.5 } });
        const half = out.floats('scale', [1, 1, 2]);
        const wide = out.node('Resize', [leaky, '', half], {
          mode: 'nearest',
          nearest_mode: 'floor',
          coordinate_transformation_mode: 'asymmetric',
        });
        out.node('Concat', [wide, wide], { axis: 0 }, 'y');
      },
      x,
      [2, 3, 4],
    );
    expect(y.dims).toEqual([2, 3, 4]);
    expect([...(y.data as Float32Array).subarray(0, 12)]).toEqual([1, 1, -2, -2, -1, -1, 5, 5, 3, 3, -3, -3]);
  });

  test.each([11, 13, 18])('reductions say their axes as operator set %i wants it', async () => {
    const y = await run(
      out => {
        const sum = out.over('ReduceSum', 'x', [2]);
        const largest = out.over('ReduceMax', sum, [1]);
        out.over('Squeeze', out.node('Unsqueeze', [largest, out.integers('axes', [0])]), [0], 'y');
      },
      x,
      [1],
    );
    expect([...(y.data as Float32Array)]).toEqual([2]);
  });

  test('half precision rounds weights, not what stands around the network', async () => {
    const third = Float32Array.of(1 / 3);
    const y = await run(
      out => {
        const product = out.node('Mul', [out.cast('x', 'float16'), out.weights('third', [1], () => third)]);
        out.node('Add', [out.cast(product, 'float'), out.floats('thousandth', [1 / 1000])], {}, 'y');
      },
      new Tensor('float32', Float32Array.of(3), [1]),
      [1],
      { half: true },
    );
    const value = (y.data as Float32Array)[0]!;
    expect(value).toBeCloseTo(1.001, 2);
    expect(value).not.toBe(Math.fround(1.001));
  });
});

test('a constant asked for twice is stored once', () => {
  const out = new OnnxWriter();
  out.integers('axes', [1]);
  out.integers('axes', [1]);
  expect(out.initializers).toHaveLength(1);
});

test('weights that are not as many as announced stop the writing', async () => {
  const wrong: OnnxModel = {
    name: 'wrong',
    nodes: [],
    inputs: [],
    outputs: [],
    initializers: [{ name: 'w', type: 'float', shape: [2, 2], load: () => new Float32Array(3) }],
  };
  await expect(bytesOf(wrong)).rejects.toThrow('w: 12 bytes, not 16');
});

test('what is written is read back as a ready graph, sizes above 2³¹ included', async () => {
  const path = join(root, 'own.onnx');
  const model: OnnxModel = {
    name: 'own',
    nodes: [{ op: 'Sigmoid', inputs: ['x'], outputs: ['y'], attributes: {} }],
    inputs: [{ name: 'x', type: 'float', shape: ['N', 3, 2 ** 33, 2 ** 33] }],
    outputs: [{ name: 'y', type: 'float', shape: ['N', 3, 'H', 'W'] }],
    initializers: [],
  };
  await writeFile(path, await bytesOf(model));
  expect(await readOnnx(path)).toMatchObject({
    opset: 18,
    fixedBatch: null,
    fixedSide: 2 ** 33,
    outputs: 3,
    activation: 'sigmoid',
  });
});

describe('ready graphs that are no segmentation models are refused by name', () => {
  const port = (name: string, shape: (number | string)[], type: 'float' | 'uint8' = 'float') => ({ name, type, shape });
  const image = port('x', ['N', 3, 'H', 'W']);
  const map = port('y', ['N', 1, 'H', 'W']);
  test.each([
    ['two images', [image, port('z', ['N', 3, 'H', 'W'])], [map], 'it has 2 inputs (x, z)'],
    ['no map', [image], [port('y', ['N', 10])], '0 of its 1 outputs are maps'],
    ['two maps', [image], [map, port('z', ['N', 1, 'H', 'W'])], '2 of its 2 outputs are maps'],
    ['channels last', [port('x', ['N', 'H', 'W', 3])], [map], 'not [N, 3, H, W]'],
    ['one channel', [port('x', ['N', 1, 'H', 'W'])], [map], 'x is [?, 1, ?, ?], not [N, 3, H, W]'],
    ['bytes', [port('x', ['N', 3, 'H', 'W'], 'uint8')], [map], 'x is not float32'],
    ['a rectangle', [port('x', [1, 3, 256, 512])], [map], 'takes 512 × 256 pixels'],
  ])('%s', async (name, inputs, outputs, message) => {
    const path = join(root, `${name}.onnx`);
    await writeFile(path, await bytesOf({ name, nodes: [], inputs, outputs, initializers: [] }));
    await expect(readOnnx(path)).rejects.toMatchObject({
      code: 'MODEL_UNSUPPORTED',
      message: expect.stringContaining(message),
    });
  });
});
