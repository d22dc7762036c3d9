import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodePackBits } from '#src/codec/raw/packbits.js';
import { packBits } from '../../slide/tiff-writer.js';

/** TIFF 6.0, section 9, as it is written there: one header after the other, into a list without an end. */
function byTheBook(bytes: readonly number[]): number[] {
  const out: number[] = [];
  const rest = [...bytes];
  while (rest.length > 0) {
    const head = (rest.shift()! << 24) >> 24;
    if (head >= 0) out.push(...rest.splice(0, head + 1));
    else if (head !== -128 && rest.length > 0) out.push(...Array.from({ length: 1 - head }, () => rest[0]!));
    if (head < 0 && head !== -128) rest.shift();
  }
  return out;
}

describe('decodePackBits', () => {
  it('decodes the example of Apple’s technical note 1023', () => {
    const out = new Uint8Array(24);
    expect(decodePackBits(Buffer.from('feaa0280002afdaa0380002a22f7aa', 'hex'), out)).toBe(24);
    expect(Buffer.from(out).toString('hex')).toBe(`aaaaaa80002aaaaaaaaa80002a22${'aa'.repeat(10)}`);
  });

  it('passes over the header 128, which means nothing', () => {
    const out = new Uint8Array(3);
    expect(decodePackBits(Uint8Array.of(128, 0, 7, 128, 255, 9), out)).toBe(3);
    expect([...out]).toEqual([7, 9, 9]);
  });

  it('reads any bytes as the specification does, and stops where the buffer is full', () =>
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0, 127, 128, 129, 255)), { maxLength: 60 }),
        fc.nat({ max: 400 }),
        (bytes, size) => {
          const wanted = byTheBook(bytes).slice(0, size);
          const room = new Uint8Array(size + 1).fill(77);
          expect(decodePackBits(Uint8Array.from(bytes), room.subarray(0, size))).toBe(wanted.length);
          expect([...room.subarray(0, wanted.length)]).toEqual(wanted);
          expect(room.subarray(wanted.length).every(value => value === 77)).toBe(true);
        },
      ),
      { numRuns: 500 },
    ));

  it('gives back what was encoded', () =>
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 2 }), { maxLength: 2000 }), data => {
        const out = new Uint8Array(data.length);
        expect(decodePackBits(packBits(Uint8Array.from(data)), out)).toBe(data.length);
        expect([...out]).toEqual(data);
      }),
    ));
});
