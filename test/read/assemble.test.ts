import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { PatchAssembler } from '#src/read/assemble.js';
import { PixelMemory } from '#src/read/pixel-memory.js';
import type { Region } from '#src/read/region.js';
import { TileCache } from '#src/read/tile-cache.js';
import { openSlide } from '#src/slide/open.js';
import { openTileSource } from '#src/slide/open-source.js';
import { disjoint } from '#src/slide/rectangles.js';
import type { TileSource } from '#src/slide/slide.js';
import { failureOf, scratch } from '../slide/fixture.js';
import { gradient, type PageOptions, writeTiff } from '../slide/tiff-writer.js';

const files = scratch();
afterAll(() => files.remove());

let counter = 0;
async function open(page: PageOptions, cacheBytes = 2 ** 20) {
  const path = files.write(`${counter++}.tif`, writeTiff([page]));
  const { source } = await openSlide(path, { mpp: 0.5 });
  const tiles = await openTileSource(source);
  const reads: string[] = [];
  const counted: TileSource = {
    levels: tiles.levels,
    readTile: (level, col, row, into) => {
      reads.push(`${col},${row}`);
      return tiles.readTile(level, col, row, into);
    },
    close: () => tiles.close(),
  };
  const memory = new PixelMemory();
  const assembler = new PatchAssembler(counted, memory, new TileCache(memory, cacheBytes));
  const read = async (
    x: number,
    y: number,
    width: number,
    height = width,
    nextTop = -1e9,
    options: { lenient?: boolean } = {},
  ): Promise<Uint8Array> => {
    const into = memory.area('patch', width * height * 3);
    memory.bytes(into, width * height * 3).fill(99);
    const region: Region = { level: 0, scale: 1, x, y, width, height, slideWidth: 0, slideHeight: 0, nextTop };
    await assembler.read(region, into, options);
    return memory.bytes(into, width * height * 3).slice();
  };
  return { read, reads, assembler };
}

const PICTURE = gradient(100, 70);
function pixel(x: number, y: number): number[] {
  if (x < 0 || y < 0 || x >= 100 || y >= 70) return [0, 0, 0];
  return [...PICTURE.data.subarray((y * 100 + x) * 3, (y * 100 + x) * 3 + 3)];
}
function expected(x: number, y: number, width: number, height: number): Uint8Array {
  return Uint8Array.from({ length: height }, (_, row) => row).reduce<number[]>((all, row) => {
    for (let col = 0; col < width; col++) all.push(...pixel(x + col, y + row));
    return all;
  }, []) as unknown as Uint8Array;
}

describe('PatchAssembler', () => {
  it('puts any window together from tiles, zero outside of the slide', async () => {
    const tiled = await open({ picture: PICTURE, tile: [16, 32] });
    const striped = await open({ picture: PICTURE, rowsPerStrip: 9, compression: 'deflate' });
    const place = fc.integer({ min: -40, max: 120 });
    const size = fc.integer({ min: 1, max: 60 });
    await fc.assert(
      fc.asyncProperty(place, place, size, size, fc.boolean(), async (x, y, width, height, strips) => {
        const got = await (strips ? striped : tiled).read(x, y, width, height);
        expect([...got]).toEqual([...expected(x, y, width, height)]);
      }),
      { numRuns: 150 },
    );
  });

  it('shows glass where the file stores no tile, and zero outside even there', async () => {
    const { read } = await open({ picture: PICTURE, tile: [32, 32], missing: (col, row) => (col + row) % 2 === 1 });
    const got = await read(16, 48, 100, 32);
    const at = (x: number, y: number) => [
      ...got.subarray(((y - 48) * 100 + x - 16) * 3, ((y - 48) * 100 + x - 16) * 3 + 3),
    ];
    expect(at(40, 50)).toEqual(pixel(40, 50));
    expect(at(16, 50)).toEqual([255, 255, 255]);
    expect(at(99, 69)).toEqual([255, 255, 255]);
    expect(at(100, 69)).toEqual([0, 0, 0]);
    expect(at(99, 70)).toEqual([0, 0, 0]);
  });

  it('says where no tile is, and draws what finer levels have, through caches of any size and tiles of any', async () => {
    const finest = gradient(128, 128);
    const half = { ...gradient(64, 64), data: new Uint8Array(64 * 64 * 3) };
    for (let i = 0; i < half.data.length; i++) {
      const [x, y, c] = [Math.floor(i / 3) % 64, Math.floor(i / 192), i % 3];
      const at = (dx: number, dy: number) => finest.data[((y * 2 + dy) * 128 + x * 2 + dx) * 3 + c]!;
      half.data[i] = (at(0, 0) + at(1, 0) + at(0, 1) + at(1, 1) + 2) >> 2;
    }
    // The level that is read has its left half; the finer one, in larger tiles, all but its last tile.
    const pages: PageOptions[] = [
      { picture: finest, tile: [64, 64], missing: (col, row) => col === 1 && row === 1 },
      { picture: half, tile: [16, 16], subfileType: 1, missing: col => col > 1 },
    ];
    for (const cacheBytes of [1, 64 * 64 * 3 * 3, 2 ** 20]) {
      const path = files.write(`${counter++}.tif`, writeTiff(pages));
      const memory = new PixelMemory();
      const source = await openTileSource((await openSlide(path, { mpp: 0.5 })).source);
      const assembler = new PatchAssembler(source, memory, new TileCache(memory, cacheBytes));
      const into = memory.area('patch', 64 * 64 * 3);
      const size = { width: 64, height: 64, slideWidth: 64, slideHeight: 64 };
      // Twice, so that drawn tiles come out of the cache, where there is room for them.
      for (const _ of [1, 2]) {
        const gaps = await assembler.read({ level: 1, scale: 1, x: 0, y: 0, ...size, nextTop: 0 }, into);
        expect(disjoint(gaps, 64, 64)).toEqual([{ x: 32, y: 32, width: 32, height: 32 }]);
        const pixels = memory.bytes(into, 64 * 64 * 3);
        let apart = 0;
        for (let i = 0; i < pixels.length; i++) {
          const [x, y] = [Math.floor(i / 3) % 64, Math.floor(i / 192)];
          if (x >= 32 && y >= 32) expect(pixels[i]).toBe(255);
          else apart = Math.max(apart, Math.abs(pixels[i]! - half.data[i]!));
        }
        expect(apart).toBe(0);
      }
      assembler.close();
    }
  });

  it('decodes every tile once when patches come row by row, in a cache far smaller than the slide', async () => {
    const picture = gradient(640, 640);
    // Ten tiles of 64 across; patches of 96 share tiles with their neighbours and with the next row.
    const { read, reads } = await open({ picture, tile: [64, 64] }, 40 * 64 * 64 * 3);
    for (let y = 0; y < 640; y += 96) for (let x = 0; x < 640; x += 96) await read(x, y, 96, 96, y + 96);
    expect(reads.length).toBe(100);
    expect(new Set(reads).size).toBe(100);
  });

  it('fails for the patches of a corrupt tile only, and again each time', async () => {
    const { read } = await open({
      picture: gradient(128, 64),
      tile: [32, 32],
      compression: 'jpeg',
      damage: (bytes, col, row) => (col === 1 && row === 0 ? Buffer.alloc(bytes.length) : bytes),
    });
    for (let again = 0; again < 3; again++) {
      expect((await failureOf(() => read(0, 0, 64))).code).toBe('TILE_CORRUPT');
      await expect(read(64, 0, 64)).resolves.toBeDefined();
      await expect(read(0, 32, 32)).resolves.toBeDefined();
    }
  });

  it('takes a corrupt tile for one that is not there, where eyes only want the rest', async () => {
    const damage = (bytes: Buffer, col: number, row: number) =>
      col === 1 && row === 0 ? Buffer.alloc(bytes.length) : bytes;
    const page: PageOptions = { picture: gradient(128, 64), tile: [32, 32], compression: 'jpeg' };
    const { read } = await open({ ...page, damage });
    const { read: readSound } = await open(page);
    for (let again = 0; again < 2; again++) {
      const [seen, sound] = [await read(0, 0, 64, 64, 0, { lenient: true }), await readSound(0, 0, 64)];
      for (let at = 0; at < seen.length; at++) {
        const [x, y] = [Math.floor(at / 3) % 64, Math.floor(at / 192)];
        const expected = x >= 32 && y < 32 ? 255 : sound[at];
        if (seen[at] !== expected) expect([x, y, seen[at]]).toEqual([x, y, expected]);
      }
      expect((await failureOf(() => read(0, 0, 64))).code).toBe('TILE_CORRUPT');
    }
  });

  it('waits for sources that decode asynchronously', async () => {
    const levels = [{ width: 20, height: 20, downsample: 1, mpp: 0.5, tileWidth: 10, tileHeight: 10 }];
    const source: TileSource = {
      levels,
      readTile: async (_level, col, row, into) => {
        await new Promise(resolve => setImmediate(resolve));
        into.fill(col * 10 + row);
        return col === 1 && row === 1 ? 'missing' : 'decoded';
      },
      close: () => {},
    };
    const memory = new PixelMemory();
    const assembler = new PatchAssembler(source, memory, new TileCache(memory, 2 ** 20));
    const into = memory.area('patch', 1200);
    await assembler.read(
      { level: 0, scale: 1, x: 0, y: 0, width: 20, height: 20, slideWidth: 20, slideHeight: 20, nextTop: 0 },
      into,
    );
    const pixels = memory.bytes(into, 1200);
    expect([pixels[0], pixels[10 * 3], pixels[10 * 20 * 3], pixels[(10 * 20 + 10) * 3]]).toEqual([0, 10, 1, 255]);
  });
});
