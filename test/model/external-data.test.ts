import { truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { readOnnx } from '#src/model/onnx/ready.js';
import { PORTS } from '#src/model/onnx/surround.js';
import { wrapModel } from '#src/model/onnx/wrap.js';
import { emptyFolder } from '../support/paths.js';

type Entries = Readonly<Record<string, string>>;
function message(writer: BinaryWriter, field: number, fill: (inner: BinaryWriter) => void): void {
  fill(writer.tag(field, WireType.LengthDelimited).fork());
  writer.join();
}
const text = (writer: BinaryWriter, field: number, value: string) =>
  void writer.tag(field, WireType.LengthDelimited).string(value);
const number = (writer: BinaryWriter, field: number, value: number) =>
  void writer.tag(field, WireType.Varint).int64(value);

/** y = x · w of three channels, w [1, 3, 1, 1] kept where `entries` say; written by hand from onnx.proto. */
async function modelWith(entries: Entries, opset = 17): Promise<string> {
  const out = new BinaryWriter();
  number(out, 1, 8);
  message(out, 8, set => number(set, 2, opset));
  message(out, 7, graph => {
    message(graph, 1, node => {
      text(node, 1, 'x');
      text(node, 1, 'w');
      text(node, 2, 'y');
      text(node, 4, 'Mul');
    });
    message(graph, 5, tensor => {
      for (const size of [1, 3, 1, 1]) number(tensor, 1, size);
      number(tensor, 2, 1);
      text(tensor, 8, 'w');
      for (const [key, value] of Object.entries(entries))
        message(tensor, 13, entry => {
          text(entry, 1, key);
          text(entry, 2, value);
        });
      number(tensor, 14, 1);
    });
    for (const [field, name] of [
      [11, 'x'],
      [12, 'y'],
    ] as const)
      message(graph, field, info => {
        text(info, 1, name);
        message(info, 2, type =>
          message(type, 1, tensor => {
            number(tensor, 1, 1);
            message(tensor, 2, shape => {
              for (const size of [0, 3, 0, 0]) message(shape, 1, dimension => number(dimension, 1, size));
            });
          }),
        );
      });
  });
  const path = join(await emptyFolder(), 'lab.onnx');
  await writeFile(path, out.finish());
  return path;
}

/** Sixteen bytes that are no weights, then 2, 3 and 4, then more. */
async function weightsBeside(path: string, name = 'w.bin'): Promise<string> {
  const file = join(dirname(path), name);
  await writeFile(file, new Uint8Array(Float32Array.of(9, 9, 9, 9, 2, 3, 4, 9).buffer));
  return file;
}

async function wrapped(path: string): Promise<Uint8Array> {
  const decision = { rule: 'any', channels: [0], of: 'logits', bar: 1, threshold: 0.75 } as const;
  const input = { range: [0, 255], mean: [0, 0, 0], std: [1, 1, 1] } as const;
  const pieces: Uint8Array[] = [];
  for await (const piece of wrapModel(await readOnnx(path), { input, decision, classes: 3 }))
    pieces.push(piece.slice());
  return Buffer.concat(pieces);
}

const AT = { location: 'w.bin', offset: '16', length: '12' };

describe('weights in a file of their own', () => {
  test.each<[string, Entries, number, number[]]>([
    ['from where they lie', AT, 32, [2, 30, 400]],
    ['to the end of the file where no length is stated', { location: 'w.bin', offset: '16' }, 28, [2, 30, 400]],
    ['from the beginning where no place is', { location: 'w.bin', length: '12' }, 32, [9, 90, 900]],
  ])('are taken in %s', async (_, entries, bytes, expected) => {
    const path = await modelWith(entries);
    await truncate(await weightsBeside(path), bytes);
    const session = await InferenceSession.create(await wrapped(path));
    const pixels = new Tensor('uint8', Uint8Array.of(1, 10, 100), [1, 1, 1, 3]);
    const { [PORTS.logits]: logits } = await session.run({ [PORTS.patches]: pixels });
    await session.release();
    expect([...(logits!.data as Float32Array)]).toEqual(expected);
  });

  test.each<[string, Entries]>([
    ['behind its end', { ...AT, offset: '24' }],
    ['from behind its end', { location: 'w.bin', offset: '33' }],
    ['before its beginning', { ...AT, offset: '-4' }],
    ['of negative length', { ...AT, length: '-1' }],
    ['at no number', { ...AT, offset: 'many' }],
    ['of no number of bytes', { ...AT, length: 'x' }],
    ['at half a byte', { ...AT, offset: '16.5' }],
    ['of half a byte', { ...AT, length: '11.5' }],
  ])('%s are refused, with both files named', async (_, entries) => {
    const path = await modelWith(entries);
    const file = await weightsBeside(path);
    await expect(wrapped(path)).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      message: `${file} ends before the weights that ${path} looks for in it`,
    });
  });

  test('that are not there are named', async () => {
    const path = await modelWith(AT);
    await expect(wrapped(path)).rejects.toMatchObject({
      code: 'MODEL_NOT_FOUND',
      message: expect.stringContaining(`w.bin, which holds weights of ${path}, cannot be opened`),
    });
  });

  test.each(['../w.bin', '/etc/hosts', 'a/../../w.bin', '', '.', 'w\0.bin'])('may not lie at %j', async location => {
    await expect(readOnnx(await modelWith({ ...AT, location }))).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringContaining('tensor w keeps its data outside the folder'),
    });
  });

  test('may lie in a folder below', async () => {
    const path = await modelWith({ ...AT, location: 'deep/./w.bin' });
    expect((await readOnnx(path)).external).toEqual([join(dirname(path), 'deep', 'w.bin')]);
  });
});

test('the oldest operator set that runs is 11', async () => {
  expect((await readOnnx(await modelWith(AT, 11))).opset).toBe(11);
  await expect(readOnnx(await modelWith(AT, 10))).rejects.toMatchObject({
    code: 'MODEL_UNSUPPORTED',
    message: expect.stringContaining('operator set 10 is too old'),
    fix: 'export again with opset_version=17',
  });
});
