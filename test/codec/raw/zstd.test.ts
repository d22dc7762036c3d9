import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Decompress } from '#src/codec/raw/raw-decoder.js';
import { loadZstd, mostBytesOf } from '#src/codec/raw/zstd-decoder.js';
import type { StromaflowError } from '#src/errors.js';
import { openSlide } from '#src/slide/open.js';
import { openTileSource } from '#src/slide/open-source.js';
import type { TileState } from '#src/slide/slide.js';
import { scratch } from '../../slide/fixture.js';
import { SLIDE } from '../../support/paths.js';

const FIXTURE = fileURLToPath(new URL('../../fixtures/zstd.tif', import.meta.url));
const files = scratch();
afterAll(() => files.remove());

let zstd: Decompress;
beforeAll(async () => {
  zstd = await loadZstd();
});

describe('a TIFF with Zstandard tiles, as libtiff writes it', () => {
  it('has the pixels it was made of', async () => {
    const { info, source } = await openSlide(FIXTURE);
    expect(info).toMatchObject({ mpp: 0.5, levels: [{ width: 90, height: 70, tileWidth: 32, tileHeight: 32 }] });
    const crop = { left: 900, top: 1200, width: 90, height: 70 };
    const wanted = await sharp(SLIDE, { page: 0 }).extract(crop).removeAlpha().raw().toBuffer();
    const tiles = await openTileSource(source);
    const tile = new Uint8Array(32 * 32 * 3);
    for (let y = 0; y < 70; y++)
      for (let x = 0; x < 90; x += 32) {
        if (y % 32 === 0) expect(await tiles.readTile(0, x / 32, y / 32, tile)).toBe('decoded');
        else await tiles.readTile(0, x / 32, Math.floor(y / 32), tile);
        const across = Math.min(32, 90 - x) * 3;
        const from = (y % 32) * 32 * 3;
        const at = (y * 90 + x) * 3;
        expect(Buffer.from(tile.subarray(from, from + across)).equals(wanted.subarray(at, at + across))).toBe(true);
      }
    tiles.close();
  });

  it('with a damaged tile says so', async () => {
    const bytes = readFileSync(FIXTURE);
    const first = bytes.indexOf(Buffer.from([0x28, 0xb5, 0x2f, 0xfd]));
    bytes[first] = 0;
    const { source } = await openSlide(files.write('damaged.tif', bytes));
    const tiles = await openTileSource(source);
    const codes: (TileState | string)[] = [];
    for (let tile = 0; tile < 9; tile++)
      try {
        codes.push(await tiles.readTile(0, tile % 3, Math.floor(tile / 3), new Uint8Array(32 * 32 * 3)));
      } catch (error) {
        codes.push((error as StromaflowError).code);
      }
    expect(codes.sort()).toEqual(['TILE_CORRUPT', ...Array.from({ length: 8 }, () => 'decoded')]);
    tiles.close();
  });
});

const RAW = 0;
const RLE = 1;
const COMPRESSED = 2;

/** A frame that states no size, with blocks of these types; of RLE the length is what a byte becomes. */
function frameOf(blocks: readonly (readonly [type: number, length: number])[]): Buffer {
  const parts = [Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0x58])];
  blocks.forEach(([type, length], i) => {
    const header = (length << 3) | (type << 1) | (i === blocks.length - 1 ? 1 : 0);
    const head = Buffer.from([header & 255, (header >> 8) & 255, header >> 16]);
    parts.push(head, Buffer.alloc(type === RLE ? 1 : length, 7));
  });
  return Buffer.concat(parts);
}

describe('the size of a frame before it is decompressed', () => {
  const block = fc.tuple(fc.constantFrom(RAW, RLE), fc.integer({ min: 0, max: 5000 }));

  it('is that of its blocks', () => {
    fc.assert(
      fc.property(fc.array(block, { minLength: 1, maxLength: 6 }), blocks => {
        const frame = frameOf(blocks);
        const size = blocks.reduce((sum, [, length]) => sum + length, 0);
        expect(mostBytesOf(frame)).toBe(size);
        const into = new Uint8Array(size + 10);
        expect(zstd(frame, into)).toBe(size);
        expect(into.subarray(0, size).every(byte => byte === 7)).toBe(true);
        for (const cut of [frame.length - 1, 7, 5, 0]) expect(mostBytesOf(frame.subarray(0, cut))).toBeUndefined();
      }),
    );
  });

  it('of a bomb is found out without any of it in memory', () => {
    const bomb = frameOf(Array.from({ length: 1000 }, () => [RLE, 128 * 1024] as const));
    expect(bomb.length).toBeLessThan(5000);
    expect(zstd(bomb, new Uint8Array(32 * 32 * 3))).toBe(-1);
    const compressed = frameOf(Array.from({ length: 1000 }, () => [COMPRESSED, 3] as const));
    expect(zstd(compressed, new Uint8Array(32 * 32 * 3))).toBe(-1);
  });

  it.each([
    ['another magic', Buffer.from([1, 2, 3, 4, 0, 0x58, 1, 0, 0])],
    ['a dictionary', Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 1, 0x58, 9, 1, 0, 0])],
    ['a block of the reserved type', Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0x58, 7, 0, 0])],
    ['a block larger than blocks are', frameOf([[RLE, 200_000]])],
  ])('of a frame with %s is none', (_, bytes) => {
    expect(mostBytesOf(bytes)).toBeUndefined();
    expect(zstd(bytes, new Uint8Array(10))).toBe(-1);
  });

  it('any bytes end in a number or an error', () => {
    const real = readFileSync(FIXTURE);
    const at = real.indexOf(Buffer.from([0x28, 0xb5, 0x2f, 0xfd]));
    const tile = real.subarray(at, at + 1500);
    const flips = fc.array(fc.tuple(fc.nat({ max: 1499 }), fc.integer({ min: 0, max: 255 })), { maxLength: 5 });
    fc.assert(
      fc.property(flips, changes => {
        const bytes = Buffer.from(tile);
        for (const [place, value] of changes) bytes[place] = value;
        const into = new Uint8Array(3072);
        let count = -1;
        try {
          count = zstd(bytes, into);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
        expect(count).toBeLessThanOrEqual(3072);
      }),
    );
  });
});
