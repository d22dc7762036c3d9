import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { packBits, unpackBits } from '#src/mask/bits.js';
import { assemblePng, decodeMaskPng, encodeMaskPng } from '#src/mask/png.js';
import { maskBytes, mulberry } from './naive.js';

const mask = fc
  .tuple(fc.integer({ min: 1, max: 70 }), fc.integer({ min: 1, max: 40 }))
  .chain(([width, height]) => maskBytes(width, height).map(bytes => ({ width, height, bytes })));

const header = (width: number, height: number, rest: readonly number[]): Uint8Array => {
  const data = new Uint8Array(13);
  new DataView(data.buffer).setUint32(0, width);
  new DataView(data.buffer).setUint32(4, height);
  data.set(rest, 8);
  return data;
};
const png = (chunks: [string, Uint8Array][]): Uint8Array => assemblePng([...chunks, ['IEND', new Uint8Array(0)]]);
const idat = (...rows: number[]): [string, Uint8Array] => ['IDAT', deflateSync(Uint8Array.from(rows))];
const code = expect.objectContaining({ code: 'MASK_INVALID' });

describe('mask PNG', () => {
  it('comes back as it went in', () => {
    fc.assert(
      fc.property(mask, ({ width, height, bytes }) => {
        const bits = packBits(bytes, width, height);
        const decoded = decodeMaskPng(encodeMaskPng({ width, height, bits }));
        expect(decoded).toEqual({ width, height, bits });
      }),
    );
  });

  it('is read by libpng as black and white', async () => {
    await fc.assert(
      fc.asyncProperty(mask, async ({ width, height, bytes }) => {
        const file = encodeMaskPng({ width, height, bits: packBits(bytes, width, height) });
        const meta = await sharp(file).metadata();
        expect([meta.format, meta.width, meta.height, meta.space, meta.channels]).toEqual([
          'png',
          width,
          height,
          meta.space,
          1,
        ]);
        const grey = await sharp(file).toColourspace('b-w').raw().toBuffer();
        expect(new Uint8Array(grey)).toEqual(bytes.map(v => v * 255));
      }),
      { numRuns: 30 },
    );
  });

  it('reads the 1-bit palette PNG that libpng writes', async () => {
    const random = mulberry(7);
    const bytes = Uint8Array.from({ length: 100 * 51 }, () => (random() < 0.3 ? 1 : 0));
    const raw = { width: 100, height: 51, channels: 1 as const };
    const grey = sharp(
      bytes.map(v => v * 255),
      { raw },
    );
    const file = await grey.png({ palette: true, colours: 2, dither: 0 }).toBuffer();
    expect(file[24]).toBe(1);
    const decoded = decodeMaskPng(file);
    expect(unpackBits(decoded.bits, 100, 51)).toEqual(bytes);
  });

  it('undoes every row filter', () => {
    // The rows below are 0xF0 0x3C each, written with the five filters in turn (PNG 3rd ed. §9.2).
    const file = png([
      ['IHDR', header(16, 5, [1, 0, 0, 0, 0])],
      idat(0, 0xf0, 0x3c, 1, 0xf0, 0x4c, 2, 0, 0, 3, 0x78, 0xa6, 4, 0, 0),
    ]);
    const rows = decodeMaskPng(file).bits;
    for (let y = 0; y < 5; y++) expect([rows[y * 2], rows[y * 2 + 1]]).toEqual([0xf0, 0x3c]);
  });

  it('clears unused bits of a row that a foreign writer set', () => {
    const file = png([['IHDR', header(3, 1, [1, 0, 0, 0, 0])], idat(0, 0xff)]);
    expect(decodeMaskPng(file).bits).toEqual(Uint8Array.of(0xe0));
  });

  it.each<[string, Uint8Array]>([
    ['nothing', new Uint8Array(0)],
    ['another format', Buffer.from('GIF89a and more')],
    ['8 bits', png([['IHDR', header(1, 1, [8, 0, 0, 0, 0])], idat(0, 1)])],
    ['RGB', png([['IHDR', header(1, 1, [8, 2, 0, 0, 0])], idat(0, 1, 1, 1)])],
    ['interlaced', png([['IHDR', header(8, 1, [1, 0, 0, 0, 1])], idat(0, 1)])],
    ['unknown compression', png([['IHDR', header(8, 1, [1, 0, 1, 0, 0])], idat(0, 1)])],
    ['no pixels', png([['IHDR', header(0, 1, [1, 0, 0, 0, 0])], idat(0)])],
    ['too many pixels', png([['IHDR', header(2 ** 31, 2 ** 31, [1, 0, 0, 0, 0])], idat(0)])],
    ['too little data', png([['IHDR', header(8, 2, [1, 0, 0, 0, 0])], idat(0, 1)])],
    ['too much data', png([['IHDR', header(8, 1, [1, 0, 0, 0, 0])], idat(0, 1, 0, 1, 0, 1)])],
    ['unknown filter', png([['IHDR', header(8, 1, [1, 0, 0, 0, 0])], idat(5, 1)])],
    [
      'no zlib stream',
      png([
        ['IHDR', header(8, 1, [1, 0, 0, 0, 0])],
        ['IDAT', Uint8Array.of(1, 2, 3)],
      ]),
    ],
    ['a palette type without palette', png([['IHDR', header(8, 1, [1, 3, 0, 0, 0])], idat(0, 1)])],
    ['data before the header', png([idat(0, 1)])],
    [
      'an unknown critical chunk',
      png([
        ['IHDR', header(8, 1, [1, 0, 0, 0, 0])],
        ['ABCD', new Uint8Array(1)],
      ]),
    ],
    ['no end', assemblePng([['IHDR', header(8, 1, [1, 0, 0, 0, 0])], idat(0, 1)])],
  ])('refuses %s', (_, file) => {
    expect(() => decodeMaskPng(file)).toThrow(code);
  });

  it('never fails otherwise, whatever bytes are changed or cut', () => {
    const file = encodeMaskPng({ width: 40, height: 9, bits: new Uint8Array(45).fill(0x5a) });
    const damage = fc.record({
      at: fc.nat({ max: file.length - 1 }),
      bit: fc.nat({ max: 7 }),
      end: fc.integer({ min: 0, max: file.length - 1 }),
    });
    fc.assert(
      fc.property(damage, ({ at, bit, end }) => {
        const changed = file.slice();
        changed[at]! ^= 1 << bit;
        expect(() => decodeMaskPng(changed)).toThrow(code);
        expect(() => decodeMaskPng(file.subarray(0, end))).toThrow(code);
      }),
    );
  });

  it('does not write a mask whose size is wrong', () => {
    expect(() => encodeMaskPng({ width: 9, height: 1, bits: new Uint8Array(1) })).toThrow(RangeError);
    expect(() => encodeMaskPng({ width: 0, height: 1, bits: new Uint8Array(0) })).toThrow(RangeError);
  });
});
