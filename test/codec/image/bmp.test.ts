import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeBmp, readBmpHeader } from '#src/codec/image/bmp.js';
import { openSlide } from '#src/slide/open.js';
import { openTileSource } from '#src/slide/open-source.js';
import { failureOf } from '../../slide/fixture.js';
import { bitmap } from '../../support/field-scan.js';
import { temporaryFolder } from '../../support/temporary.js';

const [WIDTH, HEIGHT] = [7, 5];
const rgb = Buffer.from(Array.from({ length: WIDTH * HEIGHT * 3 }, (_, i) => (i * 37) % 256));
const file = bitmap(rgb, WIDTH, HEIGHT);

describe('decodeBmp', () => {
  it('turns blue, green, red from the bottom up into RGB from the top down', () => {
    const { width, height, pixels } = decodeBmp('x', file, 100);
    expect([width, height]).toEqual([WIDTH, HEIGHT]);
    expect(Buffer.from(pixels).equals(rgb)).toBe(true);
  });

  it('reads 32 bits a pixel and rows from the top down', () => {
    const bytes = Buffer.alloc(54 + WIDTH * HEIGHT * 4);
    file.copy(bytes, 0, 0, 54);
    bytes.writeInt32LE(-HEIGHT, 22);
    bytes.writeUInt16LE(32, 28);
    for (let i = 0; i < WIDTH * HEIGHT; i++)
      bytes.set([rgb[i * 3 + 2]!, rgb[i * 3 + 1]!, rgb[i * 3]!, 255], 54 + i * 4);
    expect(Buffer.from(decodeBmp('x', bytes, 100).pixels).equals(rgb)).toBe(true);
  });

  it('refuses what is cut off, compressed, too large or of few bits', async () => {
    const changed = (at: number, value: number) => {
      const bytes = Buffer.from(file);
      bytes.writeUInt16LE(value, at);
      return bytes;
    };
    for (const bytes of [file.subarray(0, -1), changed(30, 1), changed(28, 8), Buffer.alloc(0)])
      expect((await failureOf(() => decodeBmp('x', bytes, 100))).code).toBe('TILE_CORRUPT');
    expect((await failureOf(() => decodeBmp('x', file, 34))).message).toContain('7 × 5');
  });

  it('survives any bytes', () =>
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (noise, headed) => {
        const bytes = Buffer.concat([headed ? file.subarray(0, 18) : Buffer.alloc(0), noise]);
        try {
          const { width, height } = readBmpHeader(bytes) ?? { width: 0, height: 0 };
          expect(decodeBmp('x', bytes, 1000).pixels).toHaveLength(width * height * 3);
        } catch (error) {
          expect(error).toMatchObject({ code: 'TILE_CORRUPT' });
        }
      }),
    ));
});

describe('a folder of bitmaps', () => {
  it('lacks those whose pixels were never written, whatever their head says', async () => {
    const root = temporaryFolder('bitmaps');
    const size = { width: WIDTH * 2, height: HEIGHT, tileWidth: WIDTH, tileHeight: HEIGHT };
    writeFileSync(join(root, 'manifest.json'), JSON.stringify({ ...size, mpp: 0.5, pattern: '{col}_{row}.bmp' }));
    writeFileSync(join(root, '0_0.bmp'), file);
    writeFileSync(join(root, '1_0.bmp'), Buffer.from(file).fill(0, 54));
    const source = await openTileSource((await openSlide(root)).source);
    const into = new Uint8Array(WIDTH * HEIGHT * 3);
    expect(await source.readTile(0, 0, 0, into)).toBe('decoded');
    expect(await source.readTile(0, 1, 0, into)).toBe('missing');
    source.close();
  });
});
