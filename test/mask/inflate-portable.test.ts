import { crc32, deflateRawSync, deflateSync, inflateSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as portable from '#src/mask/inflate-portable.js';
import { THOROUGH } from '../support/thorough.js';

/** Data that compresses and data that does not. */
const data = fc.oneof(
  fc.uint8Array({ maxLength: 3000 }),
  fc
    .array(fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 5 }), fc.integer({ min: 1, max: 400 })), { maxLength: 20 })
    .map(runs =>
      Uint8Array.from(runs.flatMap(([bytes, count]) => Array.from({ length: count }, () => [...bytes]).flat())),
    ),
);
const numRuns = THOROUGH ? 2000 : 100;
const plain = (bytes: Uint8Array): Uint8Array => Uint8Array.from(bytes);

describe('inflate without zlib', () => {
  it('inflates what zlib deflates, by every level and strategy', () => {
    const property = fc.property(
      data,
      fc.integer({ min: 0, max: 9 }),
      fc.integer({ min: 0, max: 4 }),
      (bytes, level, strategy) => {
        const packed = deflateSync(bytes, { level, strategy });
        expect(plain(portable.inflateSync(packed, { maxOutputLength: bytes.length }))).toEqual(plain(bytes));
        if (bytes.length > 0)
          expect(() => portable.inflateSync(packed, { maxOutputLength: bytes.length - 1 })).toThrow(RangeError);
      },
    );
    fc.assert(property, { numRuns });
  });

  it('makes streams that zlib inflates, and its own do', () => {
    const property = fc.property(data, fc.constantFrom(0, 65_534, 65_535, 65_536), (bytes, zeros) => {
      const all = new Uint8Array(bytes.length + zeros);
      all.set(bytes, zeros);
      const packed = portable.deflateSync(all, { level: 1 });
      expect(Buffer.compare(inflateSync(packed), all)).toBe(0);
      expect(Buffer.compare(portable.inflateSync(packed, { maxOutputLength: all.length }), all)).toBe(0);
    });
    fc.assert(property, { numRuns: THOROUGH ? 200 : 20 });
  });

  it('has the same check sums', () => {
    fc.assert(
      fc.property(data, bytes => {
        expect(portable.crc32(bytes)).toBe(crc32(bytes));
      }),
      { numRuns },
    );
  });

  it('gives the data, or says that it is damaged, for any damage; never other data', () => {
    const property = fc.property(data, fc.nat(), fc.integer({ min: 1, max: 255 }), (bytes, place, flip) => {
      const packed = Uint8Array.from(deflateSync(bytes));
      const at = place % packed.length;
      packed[at]! ^= flip;
      let found: Uint8Array | undefined;
      try {
        found = portable.inflateSync(packed, { maxOutputLength: bytes.length });
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError);
      }
      if (found) expect(plain(found)).toEqual(plain(bytes));
      expect(() => portable.inflateSync(packed.subarray(0, at), { maxOutputLength: bytes.length })).toThrow(RangeError);
    });
    fc.assert(property, { numRuns });
    expect(() => portable.inflateSync(deflateRawSync(Uint8Array.of(1)), { maxOutputLength: 1 })).toThrow(RangeError);
  });
});
