import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FieldSpan, ProtobufFile } from '#src/model/onnx/spans.js';

let path: string;
let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'spans-'));
  path = join(root, 'message');
});
afterAll(() => rm(root, { recursive: true }));

async function spansOf(bytes: Uint8Array): Promise<{ spans: FieldSpan[]; contents: Uint8Array[] }> {
  await writeFile(path, bytes);
  const file = await ProtobufFile.open(path);
  try {
    const spans: FieldSpan[] = [];
    for await (const span of file.fields()) spans.push(span);
    return { spans, contents: await Promise.all(spans.map(span => file.content(span))) };
  } finally {
    await file.close();
  }
}

const field = fc.oneof(
  fc.record({
    type: fc.constant('bytes' as const),
    number: fc.integer({ min: 1, max: 2000 }),
    value: fc.uint8Array({ maxLength: 300 }),
  }),
  fc.record({ type: fc.constant('varint' as const), number: fc.integer({ min: 1, max: 2000 }), value: fc.integer() }),
  fc.record({
    type: fc.constant('float' as const),
    number: fc.integer({ min: 1, max: 2000 }),
    value: fc.float({ noNaN: true }),
  }),
);

test('fields follow one another and hold what was written', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(field, { maxLength: 12 }), async fields => {
      const writer = new BinaryWriter();
      for (const { type, number, value } of fields) {
        if (type === 'bytes') writer.tag(number, WireType.LengthDelimited).bytes(value);
        else if (type === 'varint') writer.tag(number, WireType.Varint).int64(value);
        else writer.tag(number, WireType.Bit32).float(value);
      }
      const bytes = writer.finish();
      const { spans, contents } = await spansOf(bytes);
      expect(spans.map(span => span.field)).toEqual(fields.map(({ number }) => number));
      let position = 0;
      for (const [i, { start, end }] of spans.entries()) {
        expect(start).toBe(position);
        position = end;
        const { type, value } = fields[i]!;
        if (type === 'bytes') expect(contents[i]).toEqual(value);
      }
      expect(position).toBe(bytes.length);
    }),
    { numRuns: 60 },
  );
});

test('heads across the window that is read at once are found', async () => {
  const writer = new BinaryWriter();
  const lengths = [65_530, 3, 65_536, 0, 200_000, 1];
  for (const length of lengths)
    writer.tag(9, WireType.LengthDelimited).bytes(new Uint8Array(length).fill(length & 255));
  const { contents } = await spansOf(writer.finish());
  expect(contents.map(content => content.length)).toEqual(lengths);
  expect(contents.every((content, i) => content.every(byte => byte === (lengths[i]! & 255)))).toBe(true);
});

test('numbers and text are read', async () => {
  const bytes = new BinaryWriter()
    .tag(1, WireType.LengthDelimited)
    .string('µm')
    .tag(2, WireType.Varint)
    .int64(-3)
    .tag(3, WireType.Varint)
    .int64(2 ** 40)
    .finish();
  await writeFile(path, bytes);
  const file = await ProtobufFile.open(path);
  const spans: FieldSpan[] = [];
  for await (const span of file.fields()) spans.push(span);
  expect(await file.text(spans[0]!)).toBe('µm');
  expect([await file.number(spans[1]!), await file.number(spans[2]!)]).toEqual([-3, 2 ** 40]);
  await file.close();
});

test('any prefix of a message is read up to where it ends, or refused', async () => {
  const bytes = new BinaryWriter()
    .tag(7, WireType.LengthDelimited)
    .bytes(new Uint8Array(40))
    .tag(8, WireType.Varint)
    .int64(300)
    .finish();
  const whole = [0, 42, bytes.length];
  for (let length = 0; length <= bytes.length; length++) {
    const read = spansOf(bytes.subarray(0, length));
    if (whole.includes(length)) expect((await read).spans).toHaveLength(whole.indexOf(length));
    else
      await expect(read).rejects.toMatchObject({ code: 'MODEL_INVALID', message: expect.stringContaining('at byte') });
  }
});

test('a file that is not there', async () => {
  await expect(ProtobufFile.open(join(root, 'absent'))).rejects.toMatchObject({ code: 'MODEL_NOT_FOUND' });
});
