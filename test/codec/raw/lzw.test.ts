import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeLzw } from '#src/codec/raw/lzw.js';
import { lzw } from '../../slide/tiff-writer.js';

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 20_000 }),
  fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 60_000 }).map(list => Uint8Array.from(list)),
  fc
    .tuple(fc.uint8Array({ minLength: 1, maxLength: 5 }), fc.integer({ min: 1, max: 8000 }))
    .map(([unit, times]) => Uint8Array.from({ length: unit.length * times }, (_, i) => unit[i % unit.length]!)),
);

describe('decodeLzw', () => {
  it('gives back what was encoded, through all code widths, as of today and before TIFF 5', () => {
    fc.assert(
      fc.property(bytes, fc.boolean(), (data, old) => {
        const out = new Uint8Array(data.length);
        expect(decodeLzw(lzw(data, old), out)).toBe(data.length);
        expect(Buffer.compare(out, data)).toBe(0);
      }),
      { numRuns: 100 },
    );
  });

  it('decodes the example of the TIFF specification', () => {
    // TIFF 6.0, p. 58: 7 7 7 8 8 7 7 6 6 as codes 256 7 258 8 8 258 6 6 257.
    const codes = [256, 7, 258, 8, 8, 258, 6, 6, 257];
    const bits = codes.map(code => code.toString(2).padStart(9, '0')).join('');
    const packed = Uint8Array.from(bits.match(/.{1,8}/g)!, byte => Number.parseInt(byte.padEnd(8, '0'), 2));
    const out = new Uint8Array(9);
    expect(decodeLzw(packed, out)).toBe(9);
    expect([...out]).toEqual([7, 7, 7, 8, 8, 7, 7, 6, 6]);
  });

  it('says how much a cut stream held, and refuses impossible codes', () => {
    const data = Uint8Array.from({ length: 5000 }, (_, i) => (i * 7) & 255);
    const packed = lzw(data);
    expect(decodeLzw(packed.subarray(0, 100), new Uint8Array(5000))).toBeLessThan(200);
    // 256 (clear) and then code 300, which nothing has defined.
    expect(decodeLzw(Uint8Array.of(0x80, 0x4b, 0x00), new Uint8Array(10))).toBe(-1);
  });

  it('never writes past its buffer and always ends, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 4000 }), fc.integer({ min: 0, max: 5000 }), (data, size) => {
        const written = decodeLzw(data, new Uint8Array(size));
        expect(written).toBeLessThanOrEqual(size);
        expect(written).toBeGreaterThanOrEqual(-1);
      }),
    );
  });
});
