import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteReader, bufferBytes } from '#src/slide/dicom/byte-reader.js';
import { readDataSet, type Wanted } from '#src/slide/dicom/data-set.js';
import { element, itemHead, sequence, sequenceEnd } from '#src/slide/dicom/elements.js';
import { TAG } from '#src/slide/dicom/tags.js';
import { failureOf } from '../fixture.js';

const reader = (bytes: Buffer) => new ByteReader(bufferBytes('slide.dcm', bytes), 0);

describe('ByteReader', () => {
  it('reads what a buffer holds, over the edges of its window, and not a byte beyond', async () => {
    const bytes = Buffer.from(Uint8Array.from({ length: 200_000 }, (_, i) => (i * 31 + (i >> 8)) & 255));
    const step = fc.tuple(
      fc.constantFrom('uint16', 'uint32', 'bytes', 'skip', 'back'),
      fc.constantFrom(0, 1, 3, 999, 65_535, 65_536, 65_537),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async steps => {
        const read = reader(bytes);
        let at = 0;
        for (const [what, length] of steps) {
          const size = what === 'uint16' ? 2 : what === 'uint32' ? 4 : length;
          if (what === 'back') {
            at = Math.max(0, at - length);
            read.position = at;
            continue;
          }
          const call = () =>
            what === 'uint16'
              ? read.uint16()
              : what === 'uint32'
                ? read.uint32()
                : what === 'skip'
                  ? read.skip(size)
                  : read.bytes(size);
          if (at + size > bytes.length) {
            expect((await failureOf(call)).code).toBe('SLIDE_TRUNCATED');
            expect(read.position).toBe(at);
            continue;
          }
          const got = call();
          if (what === 'uint16') expect(got).toBe(bytes[at]! + bytes[at + 1]! * 256);
          if (what === 'uint32') expect(got).toBe(bytes.readUIntLE(at, 4));
          if (what === 'bytes') expect(bytes.subarray(at, at + size).equals(got as Buffer)).toBe(true);
          at += size;
          expect([read.position, read.left]).toEqual([at, bytes.length - at]);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('hands out bytes that later reading does not change', () => {
    const read = reader(Buffer.concat([Buffer.alloc(8, 1), Buffer.alloc(70_000, 2)]));
    const first = read.bytes(8);
    read.skip(66_000);
    read.uint32();
    expect(first).toEqual(Buffer.alloc(8, 1));
  });

  it('says where a file ends', async () => {
    const { message } = await failureOf(() => reader(Buffer.alloc(3)).uint32());
    expect(message).toBe('slide.dcm: ends at byte 3, inside its data set');
  });
});

const NUMBER = 0x0048_0006;
const SEQUENCE = 0x5200_9230;
const INNER = 0x0048_021a;
const value = (number: number) => element(NUMBER, 'UL', number);
/** A sequence or item head in explicit VR with any length. */
const head = (tag: number, vr: string, length: number): Buffer => {
  const bytes = Buffer.alloc(12);
  bytes.writeUInt16LE(tag >>> 16, 0);
  bytes.writeUInt16LE(tag & 0xffff, 2);
  bytes.write(vr, 4, 'latin1');
  bytes.writeUInt32LE(length, 8);
  return bytes;
};
const open = 0xffff_ffff;
const endOfItem = Buffer.from('feff0de000000000', 'hex');

/** Every wanted number of a data set with the items it lies in: [item, item of it, ..., number]. */
function numbers(bytes: Buffer, explicit = true): number[][] {
  const found: number[][] = [];
  const wanted = (place: readonly number[]): Wanted => ({
    values: { [NUMBER]: data => found.push([...place, data.readUInt32LE()]) },
    sequences: { [SEQUENCE]: index => wanted([...place, index]) },
  });
  readDataSet(reader(bytes), bytes.length, wanted([]), { explicit });
  return found;
}

interface Tree {
  readonly number: number;
  readonly items: readonly Tree[];
  readonly openSequence: boolean;
  readonly openItems: boolean;
}

const tree = fc.letrec<{ tree: Tree }>(tie => ({
  tree: fc.record({
    number: fc.nat(),
    items: fc.oneof({ depthSize: 'small' }, fc.constant([]), fc.array(tie('tree'), { maxLength: 3 })),
    openSequence: fc.boolean(),
    openItems: fc.boolean(),
  }),
})).tree;

function written({ number, items, openSequence, openItems }: Tree): Buffer {
  const parts = items
    .map(written)
    .map(body =>
      openItems ? Buffer.concat([itemHead(open), body, endOfItem]) : Buffer.concat([itemHead(body.length), body]),
    );
  const body = Buffer.concat(parts);
  // Between the two: a text that is not wanted.
  return Buffer.concat([
    element(0x0010_0010, 'LO', 'Some^Name'),
    value(number),
    openSequence
      ? Buffer.concat([head(SEQUENCE, 'SQ', open), body, sequenceEnd()])
      : Buffer.concat([head(SEQUENCE, 'SQ', body.length), body]),
  ]);
}

const listed = ({ number, items }: Tree, place: readonly number[] = []): number[][] => [
  [...place, number],
  ...items.flatMap((inner, index) => listed(inner, [...place, index])),
];

describe('readDataSet', () => {
  it('finds every wanted value with its items, with and without stated lengths', () => {
    fc.assert(
      fc.property(tree, root => {
        expect(numbers(written(root))).toEqual(listed(root));
      }),
      { numRuns: 200 },
    );
  });

  it('passes over sequences that nobody wants, of unknown VR too', () => {
    const implicit = Buffer.from('480006000400000007000000', 'hex');
    const unknown = Buffer.concat([head(0x0009_1001, 'UN', open), itemHead(open), implicit, endOfItem, sequenceEnd()]);
    const other = Buffer.concat([head(INNER, 'SQ', open), itemHead(open), value(1), endOfItem, sequenceEnd()]);
    expect(numbers(Buffer.concat([unknown, other, value(5)]))).toEqual([[5]]);
  });

  it('does not read a value of more than 64 KiB', () => {
    const got: number[] = [];
    const wanted = {
      values: { [0x0008_0070]: (data: Buffer) => got.push(data.length), [0x0008_0080]: () => got.push(-1) },
    };
    const bytes = Buffer.concat([
      element(0x0008_0070, 'OB', Buffer.alloc(65_536)),
      element(0x0008_0080, 'OB', Buffer.alloc(65_538)),
    ]);
    readDataSet(reader(bytes), bytes.length, wanted, { explicit: true });
    expect(got).toEqual([65_536]);
  });

  it('stops where it is told, but never inside a sequence', () => {
    const inner = Buffer.concat([head(SEQUENCE, 'SQ', open), itemHead(open), value(1), endOfItem, sequenceEnd()]);
    const bytes = Buffer.concat([inner, value(2), value(3)]);
    const seen: number[] = [];
    const read = reader(bytes);
    const wanted: Wanted = {
      values: { [NUMBER]: data => seen.push(data.readUInt32LE()) },
      sequences: { [SEQUENCE]: () => wanted },
    };
    readDataSet(read, bytes.length, wanted, { explicit: true, stopAt: ({ tag }) => tag === NUMBER });
    expect([seen, read.position]).toEqual([[1], inner.length + 8]);
  });

  const nested = (depth: number): Buffer =>
    depth === 0
      ? value(depth)
      : Buffer.concat([head(SEQUENCE, 'SQ', open), itemHead(open), nested(depth - 1), endOfItem, sequenceEnd()]);

  it('follows sixteen sequences in each other, and not seventeen', async () => {
    expect(numbers(nested(16))).toEqual([[...Array<number>(17).fill(0)]]);
    const failure = await failureOf(() => numbers(nested(17)));
    expect([failure.code, failure.message]).toEqual([
      'SLIDE_UNREADABLE',
      expect.stringContaining('nests its sequences too deep'),
    ]);
  });

  it.each<[string, Buffer, string, RegExp]>([
    ['a hole of zeros', Buffer.alloc(64), 'SLIDE_UNREADABLE', /without a value representation at byte 6/],
    [
      'an element without a VR',
      Buffer.from('48000600646404000700000000000000', 'hex'),
      'SLIDE_UNREADABLE',
      /without a value representation at byte 6/,
    ],
    ['a value past the end', value(1).subarray(0, -1), 'SLIDE_TRUNCATED', /ends at byte 11/],
    ['an element cut in its head', value(1).subarray(0, 5), 'SLIDE_TRUNCATED', /ends at byte 5/],
    ['a sequence past the end', head(SEQUENCE, 'SQ', 9), 'SLIDE_TRUNCATED', /ends at byte 12/],
    [
      'an item past the end',
      Buffer.concat([head(SEQUENCE, 'SQ', open), itemHead(9)]),
      'SLIDE_TRUNCATED',
      /ends at byte 20/,
    ],
    [
      'an open item without its end',
      Buffer.concat([head(SEQUENCE, 'SQ', open), itemHead(open), value(1)]),
      'SLIDE_TRUNCATED',
      /ends at byte/,
    ],
    [
      'a value where an item should be',
      Buffer.concat([head(SEQUENCE, 'SQ', open), value(1)]),
      'SLIDE_UNREADABLE',
      /a sequence without items at byte 20/,
    ],
    [
      'an item that ends inside a value',
      Buffer.concat([head(SEQUENCE, 'SQ', open), itemHead(10), value(1), sequenceEnd()]),
      'SLIDE_UNREADABLE',
      /an item of the wrong length/,
    ],
    [
      'a sequence that ends inside an item',
      Buffer.concat([sequence(SEQUENCE, [value(1)]).fill(18, 8, 9), value(2)]),
      'SLIDE_UNREADABLE',
      /a sequence of the wrong length/,
    ],
    ['a group of commands', element(0x0000_0002, 'UI', '1.2'), 'SLIDE_UNREADABLE', /an element that no data set has/],
    [
      'meta information behind itself',
      element(TAG.transferSyntaxUid, 'UI', '1.2'),
      'SLIDE_UNREADABLE',
      /an element that no data set has/,
    ],
  ])('refuses %s, and says where', async (_, bytes, code, message) => {
    const failure = await failureOf(() => numbers(bytes));
    expect([failure.code, failure.message]).toEqual([code, expect.stringMatching(message)]);
  });

  it('refuses a hole of zeros in implicit VR at its first element', async () => {
    const failure = await failureOf(() => numbers(Buffer.alloc(64), false));
    expect(failure.message).toBe('slide.dcm: has an element that no data set has at byte 8');
  });
});
