import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { itemHead, sequenceEnd } from '#src/simulate/dicom-elements.js';
import { ByteReader, bufferBytes } from '#src/slide/dicom/byte-reader.js';
import { UNDEFINED } from '#src/slide/dicom/data-set.js';
import { type FrameFacts, findFrames, joinFragments } from '#src/slide/dicom/frames.js';
import { TAG } from '#src/slide/dicom/tags.js';
import { TRANSFER_SYNTAXES } from '#src/slide/dicom/transfer-syntax.js';
import { failureOf } from '../fixture.js';

const JPEG = TRANSFER_SYNTAXES['1.2.840.10008.1.2.4.50']!;
const NATIVE = TRANSFER_SYNTAXES['1.2.840.10008.1.2.1']!;
const FACTS: FrameFacts = { frames: 1, frameBytes: 0, offsetTable: undefined, lengthTable: undefined };

const find = (bytes: Buffer, facts: Partial<FrameFacts>, at = 0, syntax = JPEG, length = UNDEFINED) =>
  findFrames(
    new ByteReader(bufferBytes('/scan/a.dcm', bytes), at),
    { tag: TAG.pixelData, vr: 'OB', length },
    { ...FACTS, ...facts },
    syntax,
  );
const item = (bytes: Uint8Array) => Buffer.concat([itemHead(bytes.length), bytes]);
const words = (values: readonly number[]) => Buffer.from(Uint32Array.from(values).buffer);
const longs = (values: readonly number[]) => Buffer.from(BigUint64Array.from(values, BigInt).buffer);

/** A frame as its fragments: a picture's first two bytes, then what is no picture's. */
const frame = fc
  .array(
    fc.uint8Array({ minLength: 1, maxLength: 20 }).map(bytes => Buffer.from([1, ...bytes, ...bytes])),
    { minLength: 1, maxLength: 4 },
  )
  .map(parts => parts.map((part, i) => Buffer.concat([Buffer.of(i === 0 ? 0xff : 0, 0xd8), part, Buffer.of(9)])));
const frames = fc.array(frame, { minLength: 1, maxLength: 6 });

/** Where each frame's first item stands, and all items. */
function lay(given: readonly (readonly Buffer[])[]): { starts: number[]; items: Buffer } {
  const laid = given.map(parts => Buffer.concat(parts.map(item)));
  const starts = laid.map((_, i) => laid.slice(0, i).reduce((sum, { length }) => sum + length, 0));
  return { starts, items: Buffer.concat(laid) };
}

const framesOf = (bytes: Buffer, { starts, ends }: ReturnType<typeof findFrames>) =>
  [...starts].map((start, i) => joinFragments(bytes.subarray(start, ends[i]!))!.toString('hex'));

describe('findFrames', () => {
  it('finds the same frames by a basic table and by none, whatever their fragments', () =>
    fc.assert(
      fc.property(frames, given => {
        const { starts, items } = lay(given);
        const wanted = given.map(parts => Buffer.concat(parts).toString('hex'));
        for (const table of [words(starts), Buffer.alloc(0)]) {
          const bytes = Buffer.concat([item(table), items, sequenceEnd(), Buffer.from('after')]);
          expect(framesOf(bytes, find(bytes, { frames: given.length }))).toEqual(wanted);
        }
      }),
    ));

  it('finds them by an extended table, which has the lengths without padding', () =>
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 30 }), { minLength: 1, maxLength: 6 }), given => {
        const padded = given.map(bytes => Buffer.concat([bytes, Buffer.alloc(bytes.length % 2)]));
        const { starts, items } = lay(padded.map(bytes => [bytes]));
        const [offsets, lengths] = [longs(starts), longs(given.map(({ length }) => length))];
        const bytes = Buffer.concat([offsets, lengths, item(Buffer.alloc(0)), items, sequenceEnd()]);
        const offsetTable = { at: 0, length: offsets.length };
        const lengthTable = { at: offsets.length, length: lengths.length };
        const found = find(bytes, { frames: given.length, offsetTable, lengthTable }, offsets.length * 2);
        expect(framesOf(bytes, found)).toEqual(padded.map(part => part.toString('hex')));
      }),
    ));

  it('cuts what is not compressed into frames, and passes over what is behind them', () => {
    const { starts, ends } = find(Buffer.alloc(50), { frames: 3, frameBytes: 10 }, 5, NATIVE, 32);
    expect([[...starts], [...ends]]).toEqual([
      [5, 15, 25],
      [15, 25, 35],
    ]);
  });

  const body = (table: Buffer, ...parts: Buffer[]) => Buffer.concat([item(table), ...parts, sequenceEnd()]);
  const two = [item(Buffer.alloc(4)), item(Buffer.alloc(4))];
  it.each([
    ['a length', () => find(Buffer.alloc(50), {}, 0, JPEG, 50), /compressed pixels of a stated length/],
    ['no table', () => find(sequenceEnd(), {}), /has no offset table/],
    ['a table of another length', () => find(body(words([0]), ...two), { frames: 2 }), /table of 4 bytes for 2 frames/],
    ['frames before each other', () => find(body(words([0, 0]), ...two), { frames: 2 }), /puts frame 1 nowhere/],
    ['a fragment too few', () => find(body(words([]), ...two), { frames: 3 }), /has 2 fragments for 3 frames/],
    ['fragments of no picture', () => find(body(words([]), ...two), { frames: 1 }), /has 2 fragments for 1 frames/],
    ['no item', () => find(Buffer.alloc(16), {}), /has damaged pixels/],
    ['too few bytes', () => find(Buffer.alloc(50), { frames: 2, frameBytes: 9 }, 0, NATIVE, 17), /17 instead of 18/],
  ])('refuses pixels of %s', async (_, call, message) => {
    const failure = await failureOf(call);
    expect(failure).toMatchObject({ code: 'SLIDE_UNREADABLE', message: expect.stringMatching(message) });
  });

  it.each([
    ['the delimiter', () => find(body(words([0, 12]), ...two).subarray(0, -8), { frames: 2 })],
    ['the last fragment', () => find(body(words([]), ...two).subarray(0, -9), { frames: 2 })],
    ['a frame of the table', () => find(body(words([0, 1000]), ...two), { frames: 2 })],
    [
      'a frame that the extended table makes longer',
      () => {
        const bytes = Buffer.concat([longs([0, 12]), longs([9999, 4]), body(Buffer.alloc(0), ...two)]);
        return find(bytes, { frames: 2, offsetTable: { at: 0, length: 16 }, lengthTable: { at: 16, length: 16 } }, 32);
      },
    ],
    ['uncompressed pixels', () => find(Buffer.alloc(19), { frames: 2, frameBytes: 10 }, 0, NATIVE, 20)],
  ])('takes a file that ends before %s for a cut', async (_, call) => {
    expect((await failureOf(call)).code).toBe('SLIDE_TRUNCATED');
  });
});

describe('joinFragments', () => {
  it('refuses items that are cut or are none, and joins no items to nothing', () => {
    const whole = Buffer.concat([item(Buffer.from('ab')), item(Buffer.from('cd'))]);
    expect(joinFragments(whole)!.toString()).toBe('abcd');
    expect(joinFragments(Buffer.alloc(0))).toHaveLength(0);
    for (const end of [1, 7, 9, 11, 19]) expect(joinFragments(whole.subarray(0, end))).toBeUndefined();
    expect(joinFragments(Buffer.alloc(10))).toBeUndefined();
  });
});
