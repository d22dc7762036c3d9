import { open, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp, { type TiffOptions } from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseLabelMap } from '#src/evaluate/labels.js';
import { openMaskTiff } from '#src/evaluate/mask-tiff.js';
import { scratch } from './set-builder.js';

let folder: string;
let remove: () => Promise<void>;
beforeEach(async () => {
  ({ path: folder, remove } = await scratch());
});
afterEach(() => remove());

const [WIDTH, HEIGHT] = [600, 400];
const valueAt = (x: number, y: number) => (Math.floor(x / 37) + Math.floor(y / 23)) % 8;
const values = Buffer.from(Array.from({ length: WIDTH * HEIGHT }, (_, i) => valueAt(i % WIDTH, Math.floor(i / WIDTH))));
const map = parseLabelMap({ positive: '2,6', ignore: '0' });

async function write(options: TiffOptions): Promise<string> {
  const path = join(folder, 'mask.tif');
  await sharp(values, { raw: { width: WIDTH, height: HEIGHT, channels: 1 } })
    .toColourspace('b-w')
    .tiff(options)
    .toFile(path);
  return path;
}

async function read(path: string, x: number, y: number, step: number, side: number, scale = 1) {
  const source = await openMaskTiff(path, map, { width: WIDTH * scale, height: HEIGHT * scale });
  const into = new Uint8Array(side * side).fill(255);
  const width = Math.min(side, Math.ceil((WIDTH * scale - x) / step));
  const height = Math.min(side, Math.ceil((HEIGHT * scale - y) / step));
  await source.read({ x, y, step, side, width, height }, into);
  await source.close();
  return { into, width, height };
}

describe('openMaskTiff', () => {
  it.each([
    { compression: 'lzw', tile: true, tileWidth: 128, tileHeight: 128, bigtiff: true },
    { compression: 'deflate', tile: true, tileWidth: 256, tileHeight: 64, predictor: 'none' },
    { compression: 'lzw', predictor: 'horizontal', tile: true, tileWidth: 128, tileHeight: 128 },
    { compression: 'deflate', predictor: 'horizontal' },
    { compression: 'packbits' },
    { compression: 'none', tile: true, tileWidth: 64, tileHeight: 64 },
  ] as TiffOptions[])('reads every pixel of %j', async options => {
    const path = await write(options);
    for (const [x, y] of [
      [0, 0],
      [256, 0],
      [512, 256],
    ] as const) {
      const { into, width, height } = await read(path, x, y, 1, 256);
      for (let j = 0; j < 256; j++) {
        for (let i = 0; i < 256; i++) {
          const expected = i < width && j < height ? valueAt(x + i, y + j) : 255;
          if (into[j * 256 + i] !== expected)
            expect.fail(`(${x + i}, ${y + j}): ${into[j * 256 + i]}, not ${expected}`);
        }
      }
    }
  });

  it('samples masks finer and coarser than the patch by nearest label', async () => {
    const path = await write({ compression: 'lzw', tile: true, tileWidth: 128, tileHeight: 128 });
    const coarse = await read(path, 0, 0, 2, 64, 1);
    expect(coarse.into[10 * 64 + 20]).toBe(valueAt(41, 21));
    const fine = await read(path, 0, 0, 1, 64, 2);
    expect(fine.into[10 * 64 + 21]).toBe(valueAt(10, 5));
  });

  it('takes a coarser level only far below the patch’s resolution', async () => {
    const path = await write({ compression: 'lzw', tile: true, tileWidth: 64, tileHeight: 64, pyramid: true });
    const { into } = await read(path, 0, 0, 2, 64, 1);
    expect(into[10 * 64 + 20]).toBe(valueAt(41, 21));
  });

  it('reads tiles that the file does not store as 0 where that is declared', async () => {
    const path = await write({ compression: 'lzw', tile: true, tileWidth: 128, tileHeight: 128 });
    await clearFirstByteCount(path);
    const { into } = await read(path, 0, 0, 1, 256);
    expect(into.subarray(0, 128).every(value => value === 0)).toBe(true);
    expect(into[130]).toBe(valueAt(130, 0));
  });

  it('refuses another shape, a picture, a text and a cut file, each in one line', async () => {
    const path = await write({ compression: 'lzw', tile: true, tileWidth: 128, tileHeight: 128 });
    await expect(openMaskTiff(path, map, { width: 600, height: 600 })).rejects.toMatchObject({
      code: 'LABELS_INVALID',
      message: expect.stringMatching(/600 × 400 pixels of an unknown spacing, its image 600 × 600/),
    });
    const { size } = await stat(path);
    await truncate(path, Math.floor(size / 2));
    await expect(read(path, 0, 0, 1, 512)).rejects.toMatchObject({ code: 'LABELS_INVALID' });
    await writeFile(path, 'no tiff');
    await expect(openMaskTiff(path, map, { width: 600, height: 400 })).rejects.toMatchObject({
      code: 'LABELS_INVALID',
    });
    const rgb = join(folder, 'rgb.tif');
    await sharp({ create: { width: 60, height: 40, channels: 3, background: '#ff0000' } })
      .tiff({ compression: 'lzw' })
      .toFile(rgb);
    await expect(openMaskTiff(rgb, map, { width: 60, height: 40 })).rejects.toMatchObject({
      message: expect.stringMatching(/coloured/),
    });
    const source = await openMaskTiff(rgb, parseLabelMap({ positive: '2', colours: '#ff0000=2' }), {
      width: 60,
      height: 40,
    });
    const into = new Uint8Array(64);
    await source.read({ x: 0, y: 0, step: 1, side: 8, width: 8, height: 8 }, into);
    await source.close();
    expect(into.every(value => value === 2)).toBe(true);
  });
});

/** Sets the first tile's byte count to 0, as sparse writers do. */
async function clearFirstByteCount(path: string): Promise<void> {
  const file = await open(path, 'r+');
  const data = await file.readFile();
  const little = data.toString('latin1', 0, 2) === 'II';
  const u16 = (at: number) => (little ? data.readUInt16LE(at) : data.readUInt16BE(at));
  const u32 = (at: number) => (little ? data.readUInt32LE(at) : data.readUInt32BE(at));
  const directory = u32(4);
  for (let i = 0; i < u16(directory); i++) {
    const entry = directory + 2 + i * 12;
    if (u16(entry) === 325) await file.write(Buffer.alloc(4), 0, u16(entry + 2) === 3 ? 2 : 4, u32(entry + 8));
  }
  await file.close();
}
