import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { element, itemHead, sequence, sequenceEnd } from '#src/simulate/dicom-elements.js';
import { ByteReader, bufferBytes } from '#src/slide/dicom/byte-reader.js';
import { readDataSet, type Wanted } from '#src/slide/dicom/data-set.js';
import { TAG } from '#src/slide/dicom/tags.js';
import { failureOf } from '../fixture.js';

const [SEQUENCE, VALUE] = [TAG.opticalPathSequence, TAG.rows];
const read = (bytes: Buffer, wanted: Wanted) => {
  const reader = new ByteReader(bufferBytes('/scan/a.dcm', bytes), 0);
  readDataSet(reader, bytes.length, wanted, { explicit: true });
  return reader.position;
};
/** Wants everything, however deep. */
const all: Wanted = { sequences: { [SEQUENCE]: () => all } };
const changed = (bytes: Buffer, at: number, value: number) => {
  const copy = Buffer.from(bytes);
  copy.writeUInt32LE(value, at);
  return copy;
};

type Tree = readonly (number | Tree)[];
const { tree } = fc.letrec<{ tree: Tree }>(tie => ({
  tree: fc.array(fc.oneof({ depthSize: 'small', withCrossShrink: true }, fc.nat({ max: 65_535 }), tie('tree')), {
    maxLength: 4,
  }),
}));

/** A number is an element, a list a sequence of one item. */
const encode = (nodes: Tree): Buffer[] =>
  nodes.map(node => (typeof node === 'number' ? element(VALUE, 'US', node) : sequence(SEQUENCE, encode(node))));
const depthOf = (nodes: Tree): number =>
  Math.max(0, ...nodes.map(node => (typeof node === 'number' ? 0 : 1 + depthOf(node))));

describe('readDataSet', () => {
  it('gives what is wanted, item by item, however it is nested', () =>
    fc.assert(
      fc.property(
        tree.filter(nodes => depthOf(nodes) <= 16),
        nodes => {
          const collect = (into: unknown[]): Wanted => ({
            values: { [VALUE]: bytes => into.push(bytes.readUInt16LE()) },
            sequences: {
              [SEQUENCE]: () => {
                const inner: unknown[] = [];
                into.push(inner);
                return collect(inner);
              },
            },
          });
          const found: unknown[] = [];
          const bytes = Buffer.concat(encode(nodes));
          expect(read(bytes, collect(found))).toBe(bytes.length);
          expect(found).toEqual(nodes);
        },
      ),
    ));

  it('counts the items of a sequence', () => {
    const seen: number[] = [];
    const items = [[], [element(VALUE, 'US', 1)], []];
    const wanted = (index: number): Wanted => {
      seen.push(index);
      return {};
    };
    read(sequence(SEQUENCE, ...items), { sequences: { [SEQUENCE]: wanted } });
    expect(seen).toEqual([0, 1, 2]);
  });

  it('takes a value of 64 KiB for a fact, and passes over a longer one', () => {
    const lengths: number[] = [];
    const values = { [TAG.iccProfile]: (bytes: Buffer) => lengths.push(bytes.length) };
    for (const length of [65_536, 65_538]) {
      const bytes = element(TAG.iccProfile, 'OB', new Uint8Array(length));
      expect(read(bytes, { values })).toBe(bytes.length);
    }
    expect(lengths).toEqual([65_536]);
  });

  it('goes 16 sequences deep', async () => {
    const nested = (depth: number): Buffer => (depth === 0 ? Buffer.alloc(0) : sequence(SEQUENCE, [nested(depth - 1)]));
    expect(read(nested(16), all)).toBe(nested(16).length);
    const failure = await failureOf(() => read(nested(17), all));
    expect(failure.message).toContain('nests its sequences too deep');
  });

  const one = sequence(SEQUENCE, [element(VALUE, 'US', 1)]);
  it.each([
    ['a hole', Buffer.alloc(64), /without a value representation at byte 6$/],
    ['meta information in its midst', element(TAG.transferSyntaxUid, 'UI', '1.2'), /an element that no data set has/],
    ['a sequence of something else', changed(one, 12, 0x0010_0028), /a sequence without items at byte 20$/],
    ['an item shorter than its elements', changed(one, 16, 9), /an item of the wrong length/],
    ['a sequence shorter than its items', changed(one, 8, 17), /a sequence of the wrong length/],
  ])('refuses %s, and says where', async (_, bytes, message) => {
    const failure = await failureOf(() => read(bytes, all));
    expect(failure).toMatchObject({ code: 'SLIDE_UNREADABLE', message: expect.stringMatching(message) });
    expect(failure.message).toMatch(/^\/scan\/a\.dcm: .* at byte \d+$/);
  });

  it.each([
    ['a sequence', changed(one, 8, one.length)],
    ['an item', changed(one, 16, 11)],
    ['a value', one.subarray(0, -1)],
    ['a sequence without an end', changed(one, 8, 0xffff_ffff)],
  ])('takes %s that reaches beyond the file for a cut', async (_, bytes) => {
    expect((await failureOf(() => read(bytes, all))).code).toBe('SLIDE_TRUNCATED');
  });

  it('reads a sequence of unknown representation in implicit VR', () => {
    const head = Buffer.from('48000501554e0000ffffffff', 'hex');
    const implicit = Buffer.from('28001000020000000700', 'hex');
    const bytes = Buffer.concat([head, itemHead(implicit.length), implicit, sequenceEnd(), element(VALUE, 'US', 5)]);
    const seen: number[] = [];
    expect(read(bytes, { values: { [VALUE]: value => seen.push(value.readUInt16LE()) } })).toBe(bytes.length);
    expect(seen).toEqual([5]);
  });
});
