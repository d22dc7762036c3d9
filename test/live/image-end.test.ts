import fc from 'fast-check';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { isWholeImage } from '#src/live/image-end.js';
import { bitmap } from '../support/field-scan.js';

const [width, height] = [64, 48];
const pixels = Buffer.from(Array.from({ length: width * height * 3 }, (_, i) => Math.imul(i, 2654435761) >>> 24));
const image = () => sharp(pixels, { raw: { width, height, channels: 3 } });
const FORMATS: readonly (readonly [name: string, make: () => Promise<Buffer>])[] = [
  ['a.jpg', () => image().jpeg().toBuffer()],
  ['a.png', () => image().png().toBuffer()],
  ['a.webp', () => image().webp().toBuffer()],
  ['strips.tiff', () => image().tiff({ compression: 'none' }).toBuffer()],
  ['deflate.tif', () => image().tiff({ compression: 'deflate' }).toBuffer()],
  ['tiles.tiff', () => image().tiff({ compression: 'lzw', tile: true, tileWidth: 16, tileHeight: 16 }).toBuffer()],
  ['big.tiff', () => image().tiff({ compression: 'lzw', bigtiff: true }).toBuffer()],
  ['a.bmp', async () => bitmap(pixels, width, height)],
];

describe.each(FORMATS)('isWholeImage of %s', (name, make) => {
  it('is true of the whole, and of no part that a writer shows on its way', async () => {
    const bytes = await make();
    expect(isWholeImage(name, bytes)).toBe(true);
    for (const part of [0, 0.01, 0.3, 0.6, 0.9])
      expect(isWholeImage(name, bytes.subarray(0, Math.floor(bytes.length * part))), `${part}`).toBe(false);
    const reserved = Buffer.alloc(bytes.length);
    bytes.copy(reserved, 0, 0, Math.floor(bytes.length / 2));
    expect(isWholeImage(name, reserved), 'reserved').toBe(false);
  });

  it('may be any bytes', async () => {
    const whole = await make();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), fc.nat(whole.length), (noise, at) => {
        const bytes = Buffer.concat([whole.subarray(0, at), noise]);
        expect(typeof isWholeImage(name, bytes)).toBe('boolean');
        expect(typeof isWholeImage(name, Buffer.from(noise))).toBe('boolean');
      }),
    );
  });
});
