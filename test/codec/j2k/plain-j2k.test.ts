import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import createOpenJpeg from '@cornerstonejs/codec-openjpeg/decodewasmjs';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { PlainJ2k } from '#src/codec/j2k/plain-j2k.js';

interface Golden {
  readonly width: number;
  readonly height: number;
  /** It is of the kind that slides hold. */
  readonly plain: boolean;
  readonly j2k: string;
  readonly sha256: string;
}
const GOLDEN: Record<string, Golden> = JSON.parse(
  readFileSync(new URL('../../golden/j2k_plain.json', import.meta.url), 'utf8'),
);
const PLAIN = Object.entries(GOLDEN).filter(([, { plain }]) => plain);
const OTHER = Object.entries(GOLDEN).filter(([, { plain }]) => !plain);

const streamOf = ({ j2k }: Golden): Buffer => Buffer.from(j2k, 'base64');
const sizeOf = ({ width, height }: Golden): number => width * height * 3;
const sha256 = (pixels: Uint8Array): string => createHash('sha256').update(pixels).digest('hex');
const furthest = (a: Uint8Array, b: Uint8Array): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

/** Places in a stream, as parts of its length. */
const PLACE = fc.nat({ max: 999_999 }).map(part => part / 1_000_000);

/** OpenJPEG's pixels; undefined where it says that something is wrong. */
let openJpeg: (stream: Buffer) => Uint8Array | undefined;
beforeAll(async () => {
  const problems: string[] = [];
  const note = (line: string) => /^\[(ERROR|WARNING)\]/.test(line) && problems.push(line);
  const { J2KDecoder } = await createOpenJpeg({ print: note, printErr: note });
  const decoder = new J2KDecoder();
  openJpeg = stream => {
    problems.length = 0;
    try {
      decoder.getEncodedBuffer(stream.length).set(stream);
      decoder.decode();
    } catch {
      return undefined;
    }
    return problems.length > 0 ? undefined : decoder.getDecodedBuffer();
  };
});

describe('PlainJ2k', () => {
  it.each(PLAIN)('gives OpenJPEG’s pixels: %s', (_, golden) => {
    const pixels = Buffer.alloc(sizeOf(golden));
    expect(new PlainJ2k().decode(streamOf(golden), false, pixels)).toBe(true);
    expect(sha256(pixels)).toBe(golden.sha256);
  });

  it.each(OTHER)('declines what slides do not hold: %s', (_, golden) => {
    const pixels = Buffer.alloc(sizeOf(golden), 9);
    expect(new PlainJ2k().decode(streamOf(golden), false, pixels)).toBe(false);
    expect(pixels.every(value => value === 9)).toBe(true);
  });

  it('keeps nothing of one stream for the next', () => {
    const decoder = new PlainJ2k();
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...PLAIN), { minLength: 2, maxLength: 6 }), order => {
        for (const [, golden] of order) {
          const stream = streamOf(golden);
          const pixels = Buffer.alloc(sizeOf(golden));
          // Its packets end in the middle, once they have filled some blocks.
          expect(decoder.decode(stream.subarray(0, stream.length - 8), false, pixels)).toBe(false);
          expect(decoder.decode(stream, false, pixels)).toBe(true);
          expect(sha256(pixels)).toBe(golden.sha256);
        }
      }),
      { numRuns: 30 },
    );
  });

  it.each(['lossless', 'lossless without a component transform', 'lossy'])('turns YCbCr into RGB: %s', name => {
    const golden = GOLDEN[name]!;
    const decoder = new PlainJ2k();
    const [rgb, yCbCr] = [Buffer.alloc(sizeOf(golden)), Buffer.alloc(sizeOf(golden))];
    expect(decoder.decode(streamOf(golden), false, yCbCr)).toBe(true);
    expect(decoder.decode(streamOf(golden), true, rgb)).toBe(true);
    const byte = (value: number) => Math.max(0, Math.min(255, Math.round(value)));
    const expected = Buffer.alloc(rgb.length);
    for (let i = 0; i < rgb.length; i += 3) {
      const [y, cb, cr] = [yCbCr[i]!, yCbCr[i + 1]! - 128, yCbCr[i + 2]! - 128];
      expected.set([byte(y + 1.402 * cr), byte(y - 0.344136 * cb - 0.714136 * cr), byte(y + 1.772 * cb)], i);
    }
    expect(furthest(rgb, expected)).toBeLessThanOrEqual(1);
  });

  it('writes as many bytes as the picture has, or none', () => {
    const golden = GOLDEN['lossy, odd sides']!;
    const pixels = Buffer.alloc(sizeOf(golden) + 8, 9);
    const decoder = new PlainJ2k();
    expect(decoder.decode(streamOf(golden), false, pixels.subarray(0, sizeOf(golden) - 1))).toBe(false);
    expect(pixels.every(value => value === 9)).toBe(true);
    expect(decoder.decode(streamOf(golden), false, pixels)).toBe(true);
    expect([...pixels.subarray(sizeOf(golden))]).toEqual([9, 9, 9, 9, 9, 9, 9, 9]);
  });

  it('declines every stream that is cut', () => {
    const decoder = new PlainJ2k();
    fc.assert(
      fc.property(fc.constantFrom(...PLAIN), PLACE, (...args) => {
        const [[, golden], at] = args;
        const stream = streamOf(golden);
        const cut = Math.floor(at * stream.length);
        const pixels = Buffer.alloc(sizeOf(golden));
        expect(decoder.decode(stream.subarray(0, cut), false, pixels)).toBe(false);
        const ended = Buffer.concat([stream.subarray(0, cut), Buffer.of(0xff, 0xd9)]);
        expect(cut === stream.length - 2 || !decoder.decode(ended, false, pixels)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    ['one value for all and more', 0x61],
    ['a value for each and half of one more', 0x42],
  ])('declines quantisers of %s', (_, style) => {
    const stream = streamOf(GOLDEN['lossy']!);
    const at = stream.indexOf(Buffer.of(0xff, 0x5c));
    const length = stream.readUInt16BE(at + 2);
    const longer = style === 0x42 ? 1 : 0;
    const damaged = Buffer.concat([
      stream.subarray(0, at + 2 + length),
      Buffer.alloc(longer),
      stream.subarray(at + 2 + length),
    ]);
    damaged.writeUInt16BE(length + longer, at + 2);
    damaged[at + 4] = style;
    // The last tile-part may say "to the end".
    damaged.writeUInt32BE(0, damaged.indexOf(Buffer.of(0xff, 0x90)) + 6);
    expect(openJpeg(damaged)).toBeUndefined();
    expect(new PlainJ2k().decode(damaged, false, Buffer.alloc(300 * 300 * 3))).toBe(false);
  });

  it('takes no damaged stream that OpenJPEG refuses, and agrees where it takes one', () => {
    const decoder = new PlainJ2k();
    const changes = fc.array(fc.tuple(PLACE, fc.nat({ max: 255 })), { minLength: 1, maxLength: 2 });
    let taken = 0;
    fc.assert(
      fc.property(fc.constantFrom(...PLAIN), changes, fc.boolean(), ([, golden], some, inHeaders) => {
        const stream = streamOf(golden);
        const within = inHeaders ? Math.min(stream.length, 200) : stream.length;
        for (const [at, value] of some) stream[Math.floor(at * within)] = value;
        const pixels = Buffer.alloc(300 * 300 * 3);
        if (!decoder.decode(stream, false, pixels)) return;
        taken++;
        const theirs = openJpeg(stream);
        expect(theirs).toBeDefined();
        expect(furthest(theirs!, pixels)).toBeLessThanOrEqual(1);
      }),
      { numRuns: 1000 },
    );
    // Coefficients have no check; a damaged one is another picture.
    expect(taken).toBeGreaterThan(100);
  });
});
