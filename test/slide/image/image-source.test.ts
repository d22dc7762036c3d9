import { join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openImageAsSlide, openImageTileSource, safeId } from '#src/slide/image/image-source.js';
import { scratch, writeImage } from '../../evaluate/set-builder.js';

let folder: string;
let remove: () => Promise<void>;
beforeEach(async () => {
  ({ path: folder, remove } = await scratch());
});
afterEach(() => remove());

async function readAll(path: string, mpp: number, spacing = 0.5) {
  const { info, source } = await openImageAsSlide(path, { mpp, spacing });
  const tiles = openImageTileSource(source);
  const { width, height, tileWidth, tileHeight } = info.levels[0]!;
  const pixels = Buffer.alloc(width * height * 3);
  const tile = new Uint8Array(tileWidth * tileHeight * 3);
  for (let row = 0; row * tileHeight < height; row++) {
    for (let col = 0; col * tileWidth < width; col++) {
      await tiles.readTile(0, col, row, tile);
      const columns = Math.min(tileWidth, width - col * tileWidth);
      for (let y = 0; y < Math.min(tileHeight, height - row * tileHeight); y++) {
        const to = ((row * tileHeight + y) * width + col * tileWidth) * 3;
        pixels.set(tile.subarray(y * tileWidth * 3, y * tileWidth * 3 + columns * 3), to);
      }
    }
  }
  tiles.close();
  return { info, pixels };
}

describe('an image as a slide', () => {
  it('is its own pixels when the spacing fits within 7 %', async () => {
    const path = join(folder, 'a b.png');
    await writeImage(path, 700, 530);
    for (const mpp of [0.5, 0.47, 0.53]) {
      const { info, pixels } = await readAll(path, mpp);
      expect(info).toMatchObject({ id: 'a_b', mpp, levels: [{ width: 700, height: 530, downsample: 1 }] });
      expect(pixels.equals(await sharp(path).raw().toBuffer())).toBe(true);
    }
  });

  it.each([
    ['rgb16', '16 bits a sample'],
    ['cmyk', '4 components (CMYK)'],
  ])('is refused in %s', async (space, what) => {
    const path = join(folder, 'deep.tif');
    await sharp(Buffer.alloc(192, 9), { raw: { width: 8, height: 8, channels: 3 } })
      .toColourspace(space)
      .tiff({ compression: 'none' })
      .toFile(path);
    await expect(openImageAsSlide(path, { mpp: 0.5, spacing: 0.5 })).rejects.toMatchObject({
      code: 'SLIDE_UNSUPPORTED',
      message: `${path}: has ${what}`,
    });
  });

  it('is white where it is transparent, and says that it is grey', async () => {
    const path = join(folder, 'alpha.png');
    const rgba = Buffer.from(Array.from({ length: 32 * 32 }, (_, i) => [10, 60, 110, i % 256]).flat());
    await sharp(rgba, { raw: { width: 32, height: 32, channels: 4 } })
      .png()
      .toFile(path);
    const { info, pixels } = await readAll(path, 0.5);
    expect(info.notes).toBeUndefined();
    for (let i = 0; i < 32 * 32; i++)
      for (const [c, colour] of [10, 60, 110].entries())
        expect(Math.abs(pixels[i * 3 + c]! - (255 - ((255 - colour) * (i % 256)) / 255))).toBeLessThanOrEqual(1);
    await sharp(path).removeAlpha().toColourspace('b-w').png().toFile(join(folder, 'grey.png'));
    const grey = await readAll(join(folder, 'grey.png'), 0.5);
    expect(grey.info.notes).toMatchObject([{ code: 'grey' }]);
  });

  it('is resampled to the spacing otherwise, without a shift', async () => {
    const path = join(folder, 'ramp.png');
    const ramp = Buffer.from(Array.from({ length: 64 * 64 * 3 }, (_, i) => 3 * (Math.floor(i / 3) % 64)));
    await sharp(ramp, { raw: { width: 64, height: 64, channels: 3 } })
      .png()
      .toFile(path);
    for (const [mpp, side] of [
      [1, 128],
      [0.25, 32],
    ] as const) {
      const { info, pixels } = await readAll(path, mpp);
      expect(info).toMatchObject({ mpp: 0.5, levels: [{ width: side, height: side, mpp: 0.5 }] });
      // The ramp is 3 x at the centre of pixel x: sampled at pixel centres it stays 3 (x + ½) scale − 1.5.
      for (const x of [side / 4, side / 2, (3 * side) / 4]) {
        const expected = 3 * ((x + 0.5) * (64 / side) - 0.5);
        expect(Math.abs(pixels[(10 * side + x) * 3]! - expected)).toBeLessThanOrEqual(1);
      }
    }
  });

  it('has another fingerprint at another spacing', async () => {
    const path = join(folder, 'a.png');
    await writeImage(path, 64, 64);
    const [a, b] = await Promise.all([1, 0.5].map(mpp => openImageAsSlide(path, { mpp, spacing: 0.5 })));
    expect(a!.info.fingerprint).not.toBe(b!.info.fingerprint);
  });

  it('refuses what is no image, too large or without spacing', async () => {
    const path = join(folder, 'a.png');
    await writeImage(path, 200, 200);
    await expect(openImageAsSlide(path, { mpp: 0, spacing: 0.5 })).rejects.toMatchObject({ code: 'SLIDE_NO_MPP' });
    await expect(openImageAsSlide(path, { mpp: 50, spacing: 0.5 })).rejects.toMatchObject({
      code: 'SLIDE_UNSUPPORTED',
    });
    await expect(openImageAsSlide(join(folder, 'b.png'), { mpp: 1, spacing: 1 })).rejects.toMatchObject({
      code: 'FILE_NOT_FOUND',
    });
  });

  it('makes ids of [A-Za-z0-9_-] only', () => {
    expect(safeId('100B_[10779, 11621, 12102, 12874]')).toBe('100B_10779_11621_12102_12874');
    expect(safeId('…')).toBe('image');
  });
});
