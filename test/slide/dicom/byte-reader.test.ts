import { closeSync, openSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { ByteReader, bufferBytes, fileBytes } from '#src/slide/dicom/byte-reader.js';
import { asInt32, asNumbers, asText, asUint16, asUint32 } from '#src/slide/dicom/values.js';
import { failureOf, scratch } from '../fixture.js';

const files = scratch();
// Three windows of 64 KiB and a little, each place different from its neighbours.
const data = Buffer.from(
  Uint8Array.from({ length: 3 * 65_536 + 77 }, (_, i) => (i * 31 + (i >> 8) + (i >> 16) * 77) & 255),
);
const fd = openSync(files.write('data.bin', data), 'r');
afterAll(() => {
  closeSync(fd);
  files.remove();
});

describe('ByteReader', () => {
  it.each([
    ['file', fileBytes('/scan/a.dcm', fd, data.length)],
    ['buffer', bufferBytes('/scan/a.dcm', data)],
  ])('reads a %s at any place, in any order, across its windows', (_, source) => {
    const place = fc.oneof(
      fc.nat({ max: data.length }),
      fc.nat({ max: 3 }).map(i => Math.max(0, i * 65_536 - 2)),
    );
    const step = fc.tuple(fc.constantFrom('uint16', 'uint32', 'bytes', 'skip', 'seek'), place);
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), steps => {
        const reader = new ByteReader(source, 0);
        let at = 0;
        for (const [kind, value] of steps) {
          if (kind === 'seek') {
            at = value;
            reader.position = value;
          }
          const length = { uint16: 2, uint32: 4, bytes: value, skip: value, seek: 0 }[kind]!;
          if (at + length > data.length) continue;
          if (kind === 'uint16') expect(reader.uint16()).toBe(data.readUInt16LE(at));
          if (kind === 'uint32') expect(reader.uint32()).toBe(data.readUInt32LE(at));
          if (kind === 'bytes') expect(reader.bytes(length).equals(data.subarray(at, at + length))).toBe(true);
          if (kind === 'skip') reader.skip(length);
          at += length;
          expect([reader.position, reader.left]).toEqual([at, data.length - at]);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('reads to the last byte, and says where the file ends of one more', async () => {
    for (const read of [
      (reader: ByteReader, end: number) => reader.bytes(end),
      (reader: ByteReader, end: number) => reader.skip(end),
      (reader: ByteReader, end: number) => (end === 4 ? reader.uint32() : [reader.uint32(), reader.uint16()]),
    ]) {
      const at = () => new ByteReader(bufferBytes('/scan/a.dcm', data), data.length - 4);
      read(at(), 4);
      const failure = await failureOf(() => read(at(), 5));
      expect(failure.code).toBe('SLIDE_TRUNCATED');
      expect(failure.message).toBe(`/scan/a.dcm: ends at byte ${data.length}, inside its data set`);
    }
  });

  it('keeps what it gave when it reads on', () => {
    const reader = new ByteReader(bufferBytes('x', data), 0);
    const first = reader.bytes(100);
    reader.position = 2 * 65_536;
    reader.bytes(100);
    expect(first.equals(data.subarray(0, 100))).toBe(true);
  });

  it('notices a file that shrank since its size was taken', async () => {
    const claimed = fileBytes('/scan/a.dcm', fd, data.length + 1_000_000);
    for (const length of [100, 100_000]) {
      const failure = await failureOf(() => new ByteReader(claimed, data.length - 50).bytes(length));
      expect(failure.code).toBe('SLIDE_TRUNCATED');
    }
  });
});

describe('values of elements', () => {
  it('are text without its padding', () => {
    expect(asText(Buffer.from('1.2.840\0'))).toBe('1.2.840');
    expect(asText(Buffer.from(' RGB  \0 '))).toBe('RGB');
  });

  it('are numbers, all of them or none', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -99_999, max: 99_999 }), { minLength: 1 }), numbers => {
        expect(asNumbers(Buffer.from(numbers.map(n => ` ${n / 100} `).join('\\')))).toEqual(numbers.map(n => n / 100));
      }),
    );
    for (const text of ['', ' ', '1\\', '1\\x', '0.5\\ ', 'Infinity', 'NaN'])
      expect(asNumbers(Buffer.from(text))).toEqual([]);
  });

  it('are 0 where there are too few bytes, and a short where a long was meant', () => {
    expect([asUint16(Buffer.of(7)), asUint32(Buffer.of(7)), asInt32(Buffer.of(7, 0))]).toEqual([0, 0, 0]);
    expect(asUint32(Buffer.of(1, 2))).toBe(0x0201);
    expect([asUint32(Buffer.alloc(4, 255)), asInt32(Buffer.alloc(4, 255))]).toEqual([0xffffffff, -1]);
  });
});
