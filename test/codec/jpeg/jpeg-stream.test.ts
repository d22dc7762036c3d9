import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { adobeTransform, endsWithEoi, jpegPrefix, prepareTile } from '#src/codec/jpeg/jpeg-stream.js';
import { encodeJpeg, gradient } from '../../slide/tiff-writer.js';

const JPEG = encodeJpeg(gradient(32, 16));

describe('prepareTile', () => {
  it('reads the frame and disarms APP0 and APP14', () => {
    const tile = Buffer.concat([
      JPEG.subarray(0, 2),
      Buffer.from([0xff, 0xee, 0, 14, ...Buffer.from('Adobe'), 0, 100, 0, 0, 0, 0, 2]),
      JPEG.subarray(2),
    ]);
    expect(tile.includes(Buffer.from([0xff, 0xe0]))).toBe(true);
    expect(prepareTile(tile)).toEqual({ width: 32, height: 16, components: 3, subsampled: false });
    expect(tile.includes(Buffer.from([0xff, 0xe0]))).toBe(false);
    expect(tile.includes(Buffer.from([0xff, 0xee]))).toBe(false);
    expect(prepareTile(encodeJpeg(gradient(32, 16), 90, 2))).toMatchObject({ subsampled: true });
    expect(prepareTile(encodeJpeg(gradient(32, 16, 1)))).toMatchObject({ components: 1, subsampled: false });
  });

  it('refuses what is no JPEG, has two frames, or is cut in its headers', () => {
    expect(prepareTile(Buffer.from('not a jpeg'))).toBeUndefined();
    expect(prepareTile(JPEG.subarray(0, 60))).toBeUndefined();
    const frame = JPEG.indexOf(Buffer.from([0xff, 0xc0]));
    const length = 2 + JPEG.readUInt16BE(frame + 2);
    const twice = Buffer.concat([JPEG.subarray(0, frame + length), JPEG.subarray(frame)]);
    expect(prepareTile(twice)).toBeUndefined();
    const deep = Buffer.from(JPEG);
    deep[frame + 4] = 12;
    expect(prepareTile(deep)).toBeUndefined();
  });

  it('ends on any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat({ max: JPEG.length - 1 }), (noise, at) => {
        const tile = Buffer.from(JPEG);
        tile.set(noise.subarray(0, tile.length - at), at);
        const frame = prepareTile(tile);
        expect(frame === undefined || frame.width <= 65_535).toBe(true);
      }),
    );
  });
});

describe('endsWithEoi', () => {
  it('allows padding after the end and nothing else', () => {
    expect(endsWithEoi(JPEG)).toBe(true);
    expect(endsWithEoi(Buffer.concat([JPEG, Buffer.alloc(7)]))).toBe(true);
    expect(endsWithEoi(Buffer.concat([JPEG, Buffer.alloc(7, 0xff)]))).toBe(true);
    expect(endsWithEoi(JPEG.subarray(0, -1))).toBe(false);
    expect(endsWithEoi(JPEG.subarray(0, -30))).toBe(false);
    expect(endsWithEoi(Buffer.alloc(10))).toBe(false);
    expect(endsWithEoi(Buffer.alloc(0))).toBe(false);
  });
});

describe('jpegPrefix', () => {
  it('keeps tables and says the colour transform', () => {
    const dqt = [0xff, 0xdb, 0, 4, 1, 2];
    const app0 = [0xff, 0xe0, 0, 4, 9, 9];
    const { bytes } = jpegPrefix(Uint8Array.from([0xff, 0xd8, ...app0, ...dqt, 0xff, 0xd9]), 1);
    expect([...bytes]).toEqual([0xff, 0xd8, 0xff, 0xee, 0, 14, 65, 100, 111, 98, 101, 0, 100, 0, 0, 0, 0, 1, ...dqt]);
    expect(jpegPrefix(undefined, 0).bytes.length).toBe(18);
    expect(jpegPrefix(Uint8Array.from([0xff, 0xd8, 0xff, 0xdb, 0xff, 0xff, 1]), 0).bytes.length).toBe(18);
  });
});

describe('adobeTransform', () => {
  it('follows the photometric tag, except that subsampled RGB cannot be', () => {
    const frame = { width: 8, height: 8, components: 3, subsampled: false };
    expect(adobeTransform(2, frame)).toBe(0);
    expect(adobeTransform(6, frame)).toBe(1);
    expect(adobeTransform(2, { ...frame, subsampled: true })).toBe(1);
  });
});
