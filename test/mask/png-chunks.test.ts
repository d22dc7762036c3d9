import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packBits } from '#src/mask/bits.js';
import { assemblePng, decodeMaskPng, encodeMaskPng } from '#src/mask/png.js';
import { maskBytes, mulberry } from './naive.js';

type Chunk = [type: string, data: Uint8Array];
const END: Chunk = ['IEND', new Uint8Array(0)];

function header(width: number, height: number, colourType = 0): Chunk {
  const data = Buffer.alloc(13);
  data.writeUInt32BE(width, 0);
  data.writeUInt32BE(height, 4);
  data.set([1, colourType], 8);
  return ['IHDR', data];
}

/** Rows filtered one by one from the formulae of PNG's §9.2, by the byte to the left and the row above. */
function filtered(bits: Uint8Array, stride: number, kinds: readonly number[]): Uint8Array {
  const at = (y: number, i: number) => (y < 0 || i < 0 ? 0 : bits[y * stride + i]!);
  return Uint8Array.from(
    kinds.flatMap((kind, y) => [
      kind,
      ...Array.from({ length: stride }, (_, i) => {
        const [a, b, c] = [at(y, i - 1), at(y - 1, i), at(y - 1, i - 1)];
        const nearest = [a, b, c].sort((p, q) => Math.abs(a + b - c - p) - Math.abs(a + b - c - q))[0]!;
        return (at(y, i) - [0, a, b, Math.floor((a + b) / 2), nearest][kind]! + 512) % 256;
      }),
    ]),
  );
}

const picture = fc.tuple(fc.integer({ min: 1, max: 90 }), fc.integer({ min: 1, max: 20 })).chain(([width, height]) =>
  fc.record({
    width: fc.constant(width),
    height: fc.constant(height),
    bytes: maskBytes(width, height),
    kinds: fc.array(fc.nat(4), { minLength: height, maxLength: height }),
  }),
);

describe('mask PNGs of other writers', () => {
  it('come back whatever filter each row has and however the data is cut into chunks', () => {
    fc.assert(
      fc.property(picture, fc.integer({ min: 1, max: 40 }), ({ width, height, bytes, kinds }, piece) => {
        const bits = packBits(bytes, width, height);
        const data = deflateSync(filtered(bits, bits.length / height, kinds));
        const parts = Array.from({ length: Math.ceil(data.length / piece) }, (_, i): Chunk => {
          return ['IDAT', data.subarray(i * piece, (i + 1) * piece)];
        });
        const text: Chunk = ['tEXt', Buffer.from('Software\0other')];
        const file = assemblePng([header(width, height), text, ...parts, text, END]);
        expect(decodeMaskPng(file)).toEqual({ width, height, bits });
      }),
    );
  });

  it('are read out of the middle of a larger buffer', () => {
    const bits = Uint8Array.from({ length: 3 * 7 }, (_, i) => (i * 37) & 0xff);
    const file = encodeMaskPng({ width: 24, height: 7, bits });
    for (const offset of [1, 2, 3, 5]) {
      const larger = new Uint8Array(file.length + offset + 9).fill(0xaa);
      larger.set(file, offset);
      expect(decodeMaskPng(larger.subarray(offset, offset + file.length)).bits).toEqual(bits);
    }
  });

  const row = (byte: number): Chunk => ['IDAT', deflateSync(Uint8Array.of(0, byte))];

  it.each<[string, number[], number]>([
    ['black, white', [0, 0, 0, 255, 255, 255], 0b10110000],
    ['white, black', [255, 255, 255, 0, 0, 0], 0b01001111],
    ['two dark ones', [0, 0, 0, 90, 90, 90], 0],
    ['two bright ones', [200, 200, 200, 255, 255, 0], 0xff],
    ['just bright, just dark', [128, 128, 128, 127, 127, 127], 0b01001111],
    ['blue is dark, green is bright', [0, 0, 255, 0, 255, 0], 0b10110000],
    ['one bright entry: the other is black', [255, 255, 255], 0b01001111],
  ])('count palette entries by luma: %s', (_, palette, expected) => {
    const file = assemblePng([header(8, 1, 3), ['PLTE', Uint8Array.from(palette)], row(0b10110000), END]);
    expect([...decodeMaskPng(file).bits]).toEqual([expected]);
  });

  it.each<[string, Chunk[]]>([
    ['a second header, which may be of any length', [header(8, 1), ['IHDR', new Uint8Array(0)], row(1), END]],
    ['a second header of another size', [header(8, 1), header(16, 1), row(1), END]],
    ['a header that is too short', [['IHDR', new Uint8Array(12)], row(1), END]],
    ['a palette of half an entry', [header(8, 1, 3), ['PLTE', new Uint8Array(4)], row(1), END]],
    ['a palette of three entries', [header(8, 1, 3), ['PLTE', new Uint8Array(9)], row(1), END]],
    ['a palette without entries', [header(8, 1, 3), ['PLTE', new Uint8Array(0)], row(1), END]],
    ['no data', [header(8, 1), END]],
    ['a side longer than any patch', [header(65_537, 1), row(1), END]],
  ])('are refused with MASK_INVALID when they have %s', (_, chunks) => {
    expect(() => decodeMaskPng(assemblePng(chunks))).toThrow(expect.objectContaining({ code: 'MASK_INVALID' }));
  });

  it('are refused with MASK_INVALID whatever chunks follow one another', () => {
    const chunk = fc.tuple(
      fc.constantFrom('IHDR', 'PLTE', 'IDAT', 'IEND', 'tEXt', 'ABCD', 'tRNS'),
      fc.oneof(
        fc.uint8Array({ maxLength: 16 }),
        fc.constant(header(8, 1)[1]),
        fc.constant(header(8, 1, 3)[1]),
        fc.constant(row(3)[1]),
      ),
    ) as fc.Arbitrary<Chunk>;
    let read = 0;
    fc.assert(
      fc.property(fc.array(chunk, { maxLength: 6 }), chunks => {
        try {
          const { width, height, bits } = decodeMaskPng(assemblePng([header(8, 1), ...chunks, END]));
          expect([width, height, bits.length]).toEqual([8, 1, 1]);
          const before = chunks.slice(0, chunks.findIndex(([type]) => type === 'IEND') >>> 0);
          expect(before.some(([type]) => type === 'ABCD' || type === 'IHDR')).toBe(false);
          read++;
        } catch (error) {
          expect(error).toMatchObject({ code: 'MASK_INVALID' });
        }
      }),
      { numRuns: 2000, seed: 5 },
    );
    expect(read).toBeGreaterThan(0);
  });
});

describe('encodeMaskPng', () => {
  it('writes what the specification asks for, byte by byte', () => {
    const random = mulberry(2);
    const bits = Uint8Array.from({ length: 2 * 300 }, () => random() * 256);
    const file = Buffer.from(encodeMaskPng({ width: 16, height: 300, bits }));
    expect(file.subarray(0, 8).toString('hex')).toBe('89504e470d0a1a0a');
    expect(file.toString('latin1', 12, 16)).toBe('IHDR');
    expect([file.readUInt32BE(8), file.readUInt32BE(16), file.readUInt32BE(20)]).toEqual([13, 16, 300]);
    expect([...file.subarray(24, 29)]).toEqual([1, 0, 0, 0, 0]);
    // CRC-32 of an empty IEND is a constant of the format.
    expect(file.subarray(-12).toString('hex')).toBe('0000000049454e44ae426082');
  });
});
