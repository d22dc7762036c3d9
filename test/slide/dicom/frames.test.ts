import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteReader, bufferBytes } from '#src/slide/dicom/byte-reader.js';
import { readElement } from '#src/slide/dicom/data-set.js';
import { element, encapsulatedHead, itemHead, sequenceEnd } from '#src/slide/dicom/elements.js';
import { type FrameFacts, type FrameTable, findFrames, joinFragments } from '#src/slide/dicom/frames.js';
import { TAG } from '#src/slide/dicom/tags.js';
import { TRANSFER_SYNTAXES } from '#src/slide/dicom/transfer-syntax.js';
import { failureOf } from '../fixture.js';

const JPEG = TRANSFER_SYNTAXES['1.2.840.10008.1.2.4.50']!;
const NATIVE = TRANSFER_SYNTAXES['1.2.840.10008.1.2.1']!;
const PREFIX = 10;

type Fragments = readonly Uint8Array[];
const item = (bytes: Uint8Array) => Buffer.concat([itemHead(bytes.length), bytes]);
const table64 = (values: readonly number[]) => Buffer.from(BigUint64Array.from(values, BigInt).buffer);

interface Layout {
  readonly table: 'none' | 'basic' | 'extended';
  /** Overrides of what the tables say. */
  readonly offsets?: readonly number[];
  readonly lengths?: readonly number[];
}

/** Pixel data behind a few bytes of something else; the extended tables' values stand in front of it. */
function build(frames: readonly Fragments[], { table, ...says }: Layout): { bytes: Buffer; facts: FrameFacts } {
  const items = frames.map(fragments => Buffer.concat(fragments.map(item)));
  const offsets = says.offsets ?? items.map((_, i) => items.slice(0, i).reduce((sum, { length }) => sum + length, 0));
  const lengths = says.lengths ?? frames.map(fragments => Buffer.concat(fragments).length);
  const wide = table === 'extended' ? [table64(offsets), table64(lengths)] : [];
  const basic = table === 'basic' ? Buffer.from(Uint32Array.from(offsets).buffer) : Buffer.alloc(0);
  const bytes = Buffer.concat([
    Buffer.alloc(PREFIX),
    ...wide,
    encapsulatedHead(),
    item(basic),
    ...items,
    sequenceEnd(),
  ]);
  const at = (i: number) => ({ at: PREFIX + (i === 0 ? 0 : wide[0]!.length), length: wide[i]!.length });
  const tables = table === 'extended' ? { offsetTable: at(0), lengthTable: at(1) } : {};
  return {
    bytes,
    facts: { frames: frames.length, frameBytes: 0, offsetTable: undefined, lengthTable: undefined, ...tables },
  };
}

function find(bytes: Buffer, facts: FrameFacts, syntax = JPEG): FrameTable {
  const { offsetTable, lengthTable } = facts;
  const reader = new ByteReader(
    bufferBytes('slide.dcm', bytes),
    PREFIX + (offsetTable?.length ?? 0) + (lengthTable?.length ?? 0),
  );
  return findFrames(reader, readElement(reader, true), facts, syntax);
}

const frameOf = (bytes: Buffer, { starts, ends }: FrameTable, frame: number) =>
  joinFragments(bytes.subarray(starts[frame], ends[frame]));

/** Fragments of even length; no later one of a frame starts like a picture. */
const body = fc.uint8Array({ minLength: 2, maxLength: 40 }).map(data => {
  const even = data.slice(0, data.length - (data.length % 2));
  even[0] = 0x11;
  return even;
});
const picture = fc
  .constantFrom<readonly [number, number]>([0xff, 0xd8], [0xff, 0x4f])
  .chain(magic =>
    fc
      .array(body, { minLength: 1, maxLength: 4 })
      .map(([first, ...rest]) => [Uint8Array.from([...magic, ...first!]), ...rest]),
  );

describe('findFrames', () => {
  it('finds the same frames by every table and by none, however they are cut into fragments', () => {
    fc.assert(
      fc.property(fc.array(picture, { minLength: 1, maxLength: 8 }), frames => {
        for (const table of ['none', 'basic', 'extended'] as const) {
          // The extended table's lengths are of one fragment a frame (PS3.3, C.7.6.3.1.8).
          const stored = table === 'extended' ? frames.map(fragments => [Buffer.concat(fragments)]) : frames;
          const { bytes, facts } = build(stored, { table });
          const found = find(bytes, facts);
          for (const [i, fragments] of frames.entries())
            expect(frameOf(bytes, found, i)).toEqual(Buffer.concat(fragments));
        }
      }),
      { numRuns: 150 },
    );
  });

  it('without a table takes one fragment a frame, whatever the frames start with', () => {
    const frames = [1, 2, 3].map(value => [Uint8Array.of(value, value)]);
    const { bytes, facts } = build(frames, { table: 'none' });
    const found = find(bytes, facts);
    for (const [i, [only]] of frames.entries()) expect(frameOf(bytes, found, i)).toEqual(Buffer.from(only!));
  });

  it('follows an extended table whose frames lie in another order than they are shown', () => {
    const frames = [0xa, 0xb, 0xc].map(value => [Uint8Array.of(value, value, value, value)]);
    const { bytes, facts } = build(frames, { table: 'extended', offsets: [24, 0, 12] });
    const found = find(bytes, facts);
    expect([0, 1, 2].map(i => frameOf(bytes, found, i)![0])).toEqual([0xc, 0xa, 0xb]);
  });

  it('takes a frame of odd length with its padding', () => {
    const { bytes, facts } = build([[Uint8Array.of(1, 2, 3, 0)], [Uint8Array.of(4, 0)]], {
      table: 'extended',
      lengths: [3, 1],
    });
    const found = find(bytes, facts);
    expect(frameOf(bytes, found, 0)).toEqual(Buffer.of(1, 2, 3, 0));
    expect(frameOf(bytes, found, 1)).toEqual(Buffer.of(4, 0));
  });

  const two = [[Uint8Array.of(1, 2)], [Uint8Array.of(3, 4)]];
  it.each<[string, Layout, string, RegExp]>([
    ['before the pixels', { table: 'basic', offsets: [0, 0] }, 'SLIDE_UNREADABLE', /puts frame 1 nowhere/],
    ['in descending order', { table: 'basic', offsets: [10, 0] }, 'SLIDE_UNREADABLE', /puts frame 1 nowhere/],
    ['past the end', { table: 'basic', offsets: [0, 5000] }, 'SLIDE_TRUNCATED', /ends at byte/],
    ['at 2^63', { table: 'extended', offsets: [0, 2 ** 63] }, 'SLIDE_TRUNCATED', /ends at byte/],
    ['between fragments', { table: 'basic', offsets: [0, 12] }, 'SLIDE_UNREADABLE', /damaged pixels/],
    [
      'of more frames',
      { table: 'basic', offsets: [0, 10, 20] },
      'SLIDE_UNREADABLE',
      /offset table of 12 bytes for 2 frames/,
    ],
    ['of fewer frames', { table: 'basic', offsets: [0] }, 'SLIDE_UNREADABLE', /offset table of 4 bytes for 2 frames/],
    [
      'of fewer 64-bit offsets',
      { table: 'extended', offsets: [0] },
      'SLIDE_UNREADABLE',
      /extended offset table that is too short/,
    ],
    [
      'of fewer lengths',
      { table: 'extended', lengths: [2] },
      'SLIDE_UNREADABLE',
      /extended offset table that is too short/,
    ],
  ])('refuses a table %s', async (_, layout, code, message) => {
    const { bytes, facts } = build(two, layout);
    const failure = await failureOf(() => find(bytes, facts));
    expect([failure.code, failure.message]).toEqual([code, expect.stringMatching(message)]);
  });

  it.each([1, 3])('refuses fragments that make no %i frames', async frames => {
    const { bytes, facts } = build(two, { table: 'none' });
    const failure = await failureOf(() => find(bytes, { ...facts, frames }));
    expect([failure.code, failure.message]).toEqual([
      'SLIDE_UNREADABLE',
      expect.stringContaining(`2 fragments for ${frames} frames`),
    ]);
  });

  it('says that a file without its last delimiter is cut off', async () => {
    for (const table of ['none', 'basic', 'extended'] as const) {
      const { bytes, facts } = build(two, { table });
      for (const missing of [1, 8, 9])
        expect((await failureOf(() => find(bytes.subarray(0, -missing), facts))).code).toBe('SLIDE_TRUNCATED');
    }
  });

  it('refuses compressed pixels of a stated length', async () => {
    const bytes = Buffer.concat([Buffer.alloc(PREFIX), element(TAG.pixelData, 'OB', Buffer.alloc(20))]);
    const facts = { frames: 1, frameBytes: 20, offsetTable: undefined, lengthTable: undefined };
    expect((await failureOf(() => find(bytes, facts))).message).toContain('compressed pixels of a stated length');
  });
});

describe('frames that are not encapsulated', () => {
  const bytes = Buffer.concat([Buffer.alloc(PREFIX), element(TAG.pixelData, 'OB', Buffer.alloc(60))]);
  const facts = { frames: 3, frameBytes: 20, offsetTable: undefined, lengthTable: undefined };

  it('lie one behind the other', () => {
    const { starts, ends } = find(bytes, facts, NATIVE);
    const first = bytes.length - 60;
    expect([...starts]).toEqual([first, first + 20, first + 40]);
    expect([...ends]).toEqual([first + 20, first + 40, first + 60]);
  });

  it('must be as many bytes as the frames need, and there', async () => {
    const few = await failureOf(() => find(bytes, { ...facts, frameBytes: 21 }, NATIVE));
    expect([few.code, few.message]).toEqual([
      'SLIDE_UNREADABLE',
      expect.stringContaining('pixels of 60 instead of 63 bytes'),
    ]);
    expect((await failureOf(() => find(bytes.subarray(0, -1), facts, NATIVE))).code).toBe('SLIDE_TRUNCATED');
  });
});

describe('joinFragments', () => {
  it('refuses what is no row of whole items', () => {
    const whole = Buffer.concat([item(Uint8Array.of(1, 2)), item(Uint8Array.of(3, 4))]);
    expect(joinFragments(whole)).toEqual(Buffer.of(1, 2, 3, 4));
    // At 10 the second item is not there at all, and what is there is whole.
    for (let keep = 1; keep < whole.length; keep++)
      expect(joinFragments(whole.subarray(0, keep)), `${keep} bytes`).toEqual(
        keep === 10 ? Buffer.of(1, 2) : undefined,
      );
    whole[0] = 0;
    expect(joinFragments(whole)).toBeUndefined();
  });
});
