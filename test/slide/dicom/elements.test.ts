import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decimal,
  element,
  encapsulatedHead,
  itemHead,
  sequence,
  sequenceEnd,
  type Vr,
} from '#src/slide/dicom/elements.js';

interface Read {
  readonly tag: number;
  readonly vr: string;
  readonly value: Buffer;
}

/** Elements of explicit VR, little endian, read by PS3.5 section 7.1.2: long lengths for OB and SQ among those used here. */
function readElements(bytes: Buffer): Read[] {
  const found: Read[] = [];
  for (let at = 0; at < bytes.length; ) {
    const tag = bytes.readUInt16LE(at) * 0x1_0000 + bytes.readUInt16LE(at + 2);
    const vr = bytes.toString('latin1', at + 4, at + 6);
    const long = ['OB', 'OW', 'SQ', 'UN', 'UT'].includes(vr);
    const length = long ? bytes.readUInt32LE(at + 8) : bytes.readUInt16LE(at + 6);
    at += long ? 12 : 8;
    found.push({ tag, vr, value: bytes.subarray(at, at + length) });
    at += length;
  }
  return found;
}

const tags = fc.nat(0xffff_ffff);
const one = (bytes: Buffer): Read => {
  const [read, ...more] = readElements(bytes);
  expect(more).toEqual([]);
  return read!;
};

describe('element', () => {
  it('has its tag, its representation and a value of even length', () => {
    const texts = fc.constantFrom<Vr>('CS', 'DA', 'DS', 'IS', 'LO', 'SH', 'TM', 'UI');
    fc.assert(
      fc.property(tags, texts, fc.string({ maxLength: 30, unit: 'binary-ascii' }), (tag, vr, text) => {
        const { value, ...read } = one(element(tag, vr, text));
        expect(read).toEqual({ tag, vr });
        expect(value.length).toBe(text.length + (text.length % 2));
        // UIDs are padded by a zero byte, all other text by a space (PS3.5, table 6.2-1).
        expect(value.toString('latin1')).toBe(text.length % 2 === 0 ? text : text + (vr === 'UI' ? '\0' : ' '));
      }),
    );
  });

  it.each<[Vr, number, (bytes: Buffer, at: number) => number]>([
    ['US', 2, (bytes, at) => bytes.readUInt16LE(at)],
    ['UL', 4, (bytes, at) => bytes.readUInt32LE(at)],
    // The group, then the element (PS3.5, table 6.2-1).
    ['AT', 4, (bytes, at) => bytes.readUInt16LE(at) * 2 ** 16 + bytes.readUInt16LE(at + 2)],
    ['SL', 4, (bytes, at) => bytes.readInt32LE(at)],
    ['FL', 4, (bytes, at) => bytes.readFloatLE(at)],
  ])('%s holds numbers of %i bytes, one or several', (vr, width, read) => {
    const numbers = vr === 'SL' ? fc.integer() : vr === 'FL' ? fc.float({ noNaN: true }) : fc.nat(2 ** (8 * width) - 1);
    fc.assert(
      fc.property(tags, fc.array(numbers, { minLength: 1, maxLength: 6 }), (tag, values) => {
        const { value } = one(element(tag, vr, values.length === 1 ? values[0]! : values));
        expect(value.length).toBe(values.length * width);
        expect(values.map((_, index) => read(value, index * width))).toEqual(values);
      }),
    );
  });

  it('has bytes with a long length, and one more zero where they are odd', () => {
    const { vr, value } = one(element(0x7fe0_0010, 'OB', new Uint8Array(70_001).fill(3)));
    expect([vr, value.length, value.at(-1), value.at(-2)]).toEqual(['OB', 70_002, 0, 3]);
  });
});

describe('sequence', () => {
  it('has its items one behind the other, each with its elements', () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.nat(0xffff), { maxLength: 4 }), { maxLength: 4 }), items => {
        const made = items.map(values => values.map((value, index) => element(0x0028_0000 + index, 'US', value)));
        const { vr, value } = one(sequence(0x5200_9229, ...made));
        expect(vr).toBe('SQ');
        const read: number[][] = [];
        for (let at = 0; at < value.length; ) {
          expect(value.toString('hex', at, at + 4)).toBe('feff00e0');
          const length = value.readUInt32LE(at + 4);
          const inner = readElements(value.subarray(at + 8, at + 8 + length));
          read.push(inner.map(element => element.value.readUInt16LE(0)));
          at += 8 + length;
        }
        expect(read).toEqual(items);
      }),
    );
  });
});

it('frames stand between the head of encapsulated pixels and its end (PS3.5, annex A.4)', () => {
  expect(encapsulatedHead().toString('hex')).toBe('e07f10004f420000ffffffff');
  expect(itemHead(0x0102).toString('hex')).toBe('feff00e002010000');
  expect(sequenceEnd().toString('hex')).toBe('feffdde000000000');
});

describe('decimal', () => {
  it('has 16 characters at most, keeps the exponent, and as many digits as fit', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, min: -1e200, max: 1e200 }), value => {
        const text = decimal(value);
        expect(text.length).toBeLessThanOrEqual(16);
        expect(Math.abs(Number(text) - value)).toBeLessThanOrEqual(Math.abs(value) * 1e-8);
      }),
    );
    expect(decimal(0.000_249_123_456_789_123)).toBe('0.00024912345679');
    expect(decimal(1 / 3e6)).toBe('3.33333333333e-7');
  });
});
