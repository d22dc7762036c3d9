import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { StromaflowError } from '#src/errors.js';
import { parseHeader, SafetensorsFile } from '#src/model/safetensors.js';
import { writeSafetensors } from '#src/model/safetensors-write.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'safetensors-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** A file from a header (object or text) and its data. */
async function fileOf(header: unknown, data: Uint8Array | number, name = 'file.safetensors'): Promise<string> {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = typeof data === 'number' ? new Uint8Array(data) : data;
  const file = new Uint8Array(8 + json.length + bytes.length);
  new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true);
  file.set(json, 8);
  file.set(bytes, 8 + json.length);
  const path = join(folder, name);
  await writeFile(path, file);
  return path;
}

const tensor = (dtype: string, shape: number[], from: number, to: number) => ({
  dtype,
  shape,
  data_offsets: [from, to],
});
const failure = async (path: string) => SafetensorsFile.open(path).catch((error: StromaflowError) => error);

describe('what is written is read', () => {
  test('any shapes and values, as F32', async () => {
    const shapes = fc.array(fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(shapes, fc.float({ noNaN: true, noDefaultInfinity: true }), async (all, value) => {
        const path = join(folder, 'any.safetensors');
        const tensors = all.map((shape, i) => {
          const count = shape.reduce((product, size) => product * size, 1);
          return { name: `layer "${i}"`, shape, values: new Float32Array(count).map((_, j) => value + j) };
        });
        await writeSafetensors(path, tensors);
        const file = await SafetensorsFile.open(path);
        for (const { name, shape, values } of tensors) {
          expect(file.tensors.get(name)?.shape).toEqual(shape);
          expect(await file.read(name)).toEqual(values);
        }
        await file.close();
      }),
      { numRuns: 50 },
    );
  });

  test('F16 keeps what binary16 can hold', async () => {
    const path = join(folder, 'half.safetensors');
    await writeSafetensors(
      path,
      [{ name: 'a', shape: [2, 2], values: Float32Array.of(1, -0.5, 1.0001, 65504) }],
      'F16',
    );
    const file = await SafetensorsFile.open(path);
    expect(file.tensors.get('a')?.dtype).toBe('F16');
    expect(await file.read('a')).toEqual(Float32Array.of(1, -0.5, 1, 65504));
    await file.close();
  });

  test('a count that does not fit the shape, or a name given twice, is refused', async () => {
    const path = join(folder, 'wrong.safetensors');
    const a = { name: 'a', shape: [3], values: new Float32Array(2) };
    await expect(writeSafetensors(path, [a])).rejects.toThrow('a: 2 values for [3]');
    const b = { name: 'b', shape: [2], values: new Float32Array(2) };
    await expect(writeSafetensors(path, [b, b])).rejects.toThrow('b is given twice');
  });
});

test('the golden file, written by the reference library, is read', async () => {
  const file = await SafetensorsFile.open(new URL('../golden/model_golden.safetensors', import.meta.url).pathname);
  expect(file.tensors.get('fpn-resnet34/logits')).toMatchObject({ dtype: 'F32', shape: [1, 1, 128, 128] });
  expect((await file.read('fpn-resnet34/logits')).some(value => value > 1)).toBe(true);
  await file.close();
});

test('bfloat16 is widened', async () => {
  const path = await fileOf({ a: tensor('BF16', [2], 0, 4) }, Uint8Array.of(0x80, 0x3f, 0x00, 0xc0));
  const file = await SafetensorsFile.open(path);
  expect(await file.read('a')).toEqual(Float32Array.of(1, -2));
  await file.close();
});

describe('damaged and hostile files are refused', () => {
  const f32 = (from: number, to: number) => tensor('F32', [(to - from) / 4], from, to);
  test.each([
    ['overlapping ranges', { a: f32(0, 8), b: f32(4, 12) }, 12, 'tensor b overlaps another one'],
    ['a hole', { a: f32(0, 4), b: f32(8, 12) }, 12, '4 unused bytes before tensor b'],
    ['data behind the last tensor', { a: f32(0, 4) }, 8, 'its header describes'],
    ['a range past the end', { a: f32(0, 8) }, 4, 'tensor a lies past the end'],
    [
      'a length that does not fit the shape',
      { a: tensor('F32', [3], 0, 8) },
      8,
      'of F32 [3] needs 12 bytes but is given 8',
    ],
    ['a shape whose product overflows', { a: tensor('U8', [2 ** 40, 2 ** 40], 0, 8) }, 8, 'needs'],
    ['a negative size', { a: tensor('F32', [-1], 0, 0) }, 0, 'malformed shape [-1]'],
    ['a fraction of an offset', { a: tensor('U8', [1], 0.5, 1.5) }, 2, 'malformed data_offsets'],
    ['offsets the wrong way round', { a: tensor('U8', [1], 1, 0) }, 1, 'malformed data_offsets'],
    ['an unknown type', { a: tensor('F128', [1], 0, 16) }, 16, 'unknown type "F128"'],
    ['a type from the prototype', { a: tensor('constructor', [1], 0, 1) }, 1, 'unknown type'],
    ['a tensor without description', { a: 7 }, 0, 'tensor a has no description'],
    ['a list as header', '[1]', 0, 'does not start with {'],
    ['text as header', '{"a"', 0, 'the header is not JSON'],
    [
      'a name listed twice',
      '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\\u0061":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
      1,
      'tensor a is listed twice',
    ],
  ])('%s', async (_, header, data, message) => {
    const error = await failure(await fileOf(header, data));
    expect(error).toBeInstanceOf(StromaflowError);
    expect(error).toMatchObject({ code: 'MODEL_INVALID', message: expect.stringContaining(message) });
  });

  test('a header longer than the file, or than the limit, is not allocated', async () => {
    const path = join(folder, 'huge.safetensors');
    for (const announced of [2n ** 63n, 100_000_001n, 100n]) {
      const prefix = new DataView(new ArrayBuffer(16));
      prefix.setBigUint64(0, announced, true);
      await writeFile(path, new Uint8Array(prefix.buffer));
      expect(await failure(path)).toMatchObject({
        code: 'MODEL_INVALID',
        message: expect.stringContaining(`announce a header of ${announced} bytes`),
      });
    }
    await writeFile(path, 'short');
    expect(await failure(path)).toMatchObject({ code: 'MODEL_INVALID', message: expect.stringContaining('too short') });
  });

  test('a missing file', async () => {
    expect(await failure(join(folder, 'absent'))).toMatchObject({ code: 'MODEL_NOT_FOUND' });
  });

  test.each([Number.NaN, Number.NEGATIVE_INFINITY])('a weight of %s names tensor and place', async value => {
    const path = join(folder, 'nan.safetensors');
    await writeSafetensors(path, [{ name: 'encoder.conv1.weight', shape: [3], values: Float32Array.of(1, value, 2) }]);
    const file = await SafetensorsFile.open(path);
    const message = `tensor encoder.conv1.weight holds ${value} at 1`;
    await expect(file.read('encoder.conv1.weight')).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      message: expect.stringContaining(message),
    });
    await expect(file.read('absent')).rejects.toMatchObject({ code: 'MODEL_TENSOR' });
    await file.close();
  });

  test('integers are no weights', async () => {
    const file = await SafetensorsFile.open(await fileOf({ a: tensor('I64', [1], 0, 8) }, 8));
    await expect(file.read('a')).rejects.toMatchObject({
      code: 'MODEL_UNSUPPORTED',
      message: expect.stringContaining('I64'),
    });
    await file.close();
  });
});

describe('no header can do more than be refused', () => {
  test('random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat(200), (bytes, size) => {
        try {
          parseHeader(bytes, size, 'x');
        } catch (error) {
          expect(error).toMatchObject({ code: 'MODEL_INVALID' });
        }
      }),
    );
  });

  test('random JSON near the format: accepted tensors lie in the file and apart', () => {
    const entry = fc.record(
      {
        dtype: fc.constantFrom('F32', 'F16', 'U8', 'X'),
        shape: fc.array(fc.integer({ min: -1, max: 3 }), { maxLength: 2 }),
        data_offsets: fc.tuple(fc.integer({ min: -1, max: 12 }), fc.integer({ min: -1, max: 12 })),
      },
      { requiredKeys: ['shape', 'data_offsets'] },
    );
    fc.assert(
      fc.property(fc.dictionary(fc.string({ maxLength: 3 }), entry, { maxKeys: 3 }), fc.nat(12), (header, data) => {
        const bytes = new TextEncoder().encode(JSON.stringify(header));
        const size = 8 + bytes.length + data;
        try {
          const tensors = [...parseHeader(bytes, size, 'x').values()].sort(
            (a, b) => a.offset - b.offset || a.bytes - b.bytes,
          );
          let end = 8 + bytes.length;
          for (const tensor of tensors) {
            expect(tensor.offset).toBe(end);
            end += tensor.bytes;
          }
          expect(end).toBe(size);
        } catch (error) {
          expect(error).toMatchObject({ code: 'MODEL_INVALID' });
        }
      }),
      { numRuns: 2000 },
    );
  });
});
