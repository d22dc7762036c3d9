import fc from 'fast-check';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { StromaflowError } from '#src/errors.js';
import { decodePngValues, isValuePng, readPngHeader } from '#src/evaluate/png-values.js';
import { encodeMask } from './set-builder.js';

const decode = (file: Buffer) => decodePngValues(file, readPngHeader(file));

describe('decodePngValues', () => {
  it('gives back every value, at every depth and by every row filter', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(1, 2, 4, 8) as fc.Arbitrary<1 | 2 | 4 | 8>,
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 12 }),
        fc.boolean(),
        fc.array(fc.nat(255), { minLength: 480, maxLength: 480 }),
        (depth, width, height, palette, noise) => {
          const value = (x: number, y: number) => noise[(y * width + x) % 480]! & ((1 << depth) - 1);
          const values = decode(encodeMask(width, height, value, { depth, palette }));
          const expected = Array.from({ length: width * height }, (_, i) => value(i % width, Math.floor(i / width)));
          expect([...values]).toEqual(expected);
        },
      ),
    );
  });

  it('keeps palette indices where sharp would give colours', async () => {
    const file = encodeMask(16, 16, (x, y) => (x + y) % 7);
    expect(decode(file)[18]).toBe(3);
    expect((await sharp(file).raw().toBuffer({ resolveWithObject: true })).info.channels).toBe(3);
  });

  it('reads what libpng writes', async () => {
    const grey = Buffer.from(Array.from({ length: 100 * 50 }, (_, i) => (i * 7) % 256));
    const file = await sharp(grey, { raw: { width: 100, height: 50, channels: 1 } })
      .toColourspace('b-w')
      .png({ adaptiveFiltering: true })
      .toBuffer();
    expect(isValuePng(readPngHeader(file))).toBe(true);
    expect(Buffer.from(decode(file)).equals(grey)).toBe(true);
  });

  it('never does worse than a typed error on damaged files', () => {
    const file = encodeMask(40, 30, (x, y) => (x * y) % 9);
    fc.assert(
      fc.property(fc.nat(file.length - 1), fc.nat(255), fc.nat(file.length), (at, byte, length) => {
        const damaged = Buffer.from(file);
        damaged[at] = byte;
        for (const bytes of [damaged, file.subarray(0, length)]) {
          try {
            const header = readPngHeader(bytes);
            if (isValuePng(header)) expect(decode(bytes)).toHaveLength(header.width * header.height);
          } catch (error) {
            expect(error).toBeInstanceOf(StromaflowError);
          }
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('says what is wrong with a truncated file', () => {
    const file = encodeMask(40, 30, x => x % 3);
    expect(() => decode(file.subarray(0, file.length - 20))).toThrow(/truncated/);
  });
});
