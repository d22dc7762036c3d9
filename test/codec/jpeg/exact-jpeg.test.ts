import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import jpegTurbo from '@julusian/jpeg-turbo';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeJpeg } from '#src/codec/jpeg/decode-jpeg.js';
import { readExactHeader } from '#src/codec/jpeg/exact-header.js';
import { ExactJpeg } from '#src/codec/jpeg/exact-jpeg.js';

interface Golden {
  readonly width: number;
  readonly height: number;
  readonly jpeg: string;
  readonly sha256: string;
}
const GOLDEN: Record<string, Golden> = JSON.parse(
  readFileSync(new URL('../../golden/jpeg_islow.json', import.meta.url), 'utf8'),
);
/** Baseline ones: what scanners write. */
const SEQUENTIAL = Object.entries(GOLDEN).filter(([name]) => name !== 'progressive');

const streamOf = ({ jpeg }: Golden): Buffer => Buffer.from(jpeg, 'base64');
const sha256 = (pixels: Uint8Array): string => createHash('sha256').update(pixels).digest('hex');
const furthest = (a: Uint8Array, b: Uint8Array): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

describe('ExactJpeg', () => {
  it.each(SEQUENTIAL)('gives libjpeg’s very pixels: %s', (_, golden) => {
    const pixels = Buffer.alloc(golden.width * golden.height * 3);
    expect(new ExactJpeg().decode(streamOf(golden), pixels)).toBe(true);
    expect(sha256(pixels)).toBe(golden.sha256);
  });

  it('keeps nothing of one stream for the next', () => {
    const decoder = new ExactJpeg();
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...SEQUENTIAL), { minLength: 2, maxLength: 6 }), order => {
        for (const [, golden] of order) {
          const stream = streamOf(golden);
          const pixels = Buffer.alloc(golden.width * golden.height * 3);
          // A stream that breaks off in its scan comes first.
          decoder.decode(Buffer.concat([stream.subarray(0, stream.length - 9), Buffer.of(0xff, 0xd9)]), pixels);
          expect(decoder.decode(stream, pixels)).toBe(true);
          expect(sha256(pixels)).toBe(golden.sha256);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('writes as many bytes as the picture has, or none', () => {
    const golden = GOLDEN['4:2:0 of quality 95']!;
    const bytes = golden.width * golden.height * 3;
    const pixels = Buffer.alloc(bytes + 8, 9);
    const decoder = new ExactJpeg();
    expect(decoder.decode(streamOf(golden), pixels.subarray(0, bytes - 1))).toBe(false);
    expect(pixels.every(value => value === 9)).toBe(true);
    expect(decoder.decode(streamOf(golden), pixels)).toBe(true);
    expect([...pixels.subarray(bytes)]).toEqual([9, 9, 9, 9, 9, 9, 9, 9]);
  });

  it('survives any damage, and takes nothing that libjpeg refuses for damage', () => {
    const decoder = new ExactJpeg();
    const place = fc.nat({ max: 999_999 }).map(part => part / 1_000_000);
    let taken = 0;
    const check = (bytes: Buffer) => {
      const pixels = Buffer.alloc(200 * 200 * 3);
      if (!decoder.decode(bytes, pixels)) return;
      taken++;
      const { width, height } = readExactHeader(bytes)!;
      try {
        const theirs = Buffer.alloc(width * height * 3);
        jpegTurbo.decompressSync(bytes, theirs, { format: jpegTurbo.FORMAT_RGB });
      } catch (error) {
        // The binding knows fewer samplings; what it says then is that there is no error.
        expect((error as Error).message).toBe('No error');
      }
    };
    fc.assert(
      fc.property(fc.constantFrom(...SEQUENTIAL), place, fc.nat({ max: 7 }), ([, golden], at, bit) => {
        const stream = streamOf(golden);
        const scan = readExactHeader(stream)!.scanAt;
        const byte = scan + Math.floor(at * (stream.length - 2 - scan));
        stream[byte] = stream[byte]! ^ (1 << bit);
        check(stream);
      }),
      { numRuns: 1000 },
    );
    // Damage that cannot be told from data changes pixels and nothing else.
    expect(taken).toBeGreaterThan(20);
    const changes = fc.array(fc.tuple(place, fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.constantFrom(...SEQUENTIAL), changes, fc.option(place), ([, golden], some, cut) => {
        const stream = streamOf(golden);
        for (const [at, value] of some) stream[Math.floor(at * stream.length)] = value;
        check(cut === null ? stream : stream.subarray(0, cut * stream.length));
      }),
      { numRuns: 1000 },
    );
  });
});

describe('decodeJpeg', () => {
  it('leaves progressive streams to libjpeg-turbo', () => {
    const golden = GOLDEN['progressive']!;
    const pixels = Buffer.alloc(golden.width * golden.height * 3);
    expect(new ExactJpeg().decode(streamOf(golden), pixels)).toBe(false);
    decodeJpeg(streamOf(golden), pixels);
    const exact = Buffer.alloc(pixels.length);
    decodeJpeg(streamOf(GOLDEN['4:4:4 of quality 95']!), exact);
    // The same picture at another quality, by the fast inverse DCT.
    expect(furthest(pixels, exact)).toBeLessThan(80);
    expect(sha256(pixels)).not.toBe(sha256(exact));
  });

  it.each<[string, (jpeg: Buffer) => Buffer]>([
    ['cut', jpeg => jpeg.subarray(0, jpeg.length * 0.7)],
    ['cut and ended', jpeg => Buffer.concat([jpeg.subarray(0, jpeg.length * 0.7), Buffer.of(0xff, 0xd9)])],
    [
      'without tables',
      jpeg => Buffer.concat([jpeg.subarray(0, 2), jpeg.subarray(jpeg.indexOf('\xff\xc0', 0, 'latin1'))]),
    ],
    ['empty', () => Buffer.alloc(0)],
  ])('says that a stream is damaged: %s', (_, damage) => {
    const golden = GOLDEN['4:2:0 of quality 30']!;
    const pixels = Buffer.alloc(golden.width * golden.height * 3);
    expect(() => decodeJpeg(damage(streamOf(golden)), pixels)).toThrow();
  });
});
