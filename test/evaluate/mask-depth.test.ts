import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseLabelMap } from '#src/evaluate/labels.js';
import { maskImageSource, readMaskImage } from '#src/evaluate/mask-image.js';
import { openMaskTiff } from '#src/evaluate/mask-tiff.js';
import { isValuePng, readPngHeader } from '#src/evaluate/png-values.js';
import { assemblePng } from '#src/mask/png.js';
import { encodeMask, maskOf, scratch } from './set-builder.js';

let folder: string;
let remove: () => Promise<void>;
beforeAll(async () => {
  ({ path: folder, remove } = await scratch());
});
afterAll(() => remove());

const map = parseLabelMap({ positive: '2' });

/** A PNG whose header says something else than its data: what matters is what is refused before the data is looked at. */
function withHeader(change: (header: Buffer) => void): Buffer {
  const file = Buffer.from(encodeMask(16, 4, x => x % 3, { palette: false }));
  const header = Buffer.from(file.subarray(16, 29));
  change(header);
  const rest = file.subarray(33);
  return Buffer.concat([assemblePng([['IHDR', header]]), rest]);
}

async function reading(name: string, file: Buffer): Promise<unknown> {
  const path = join(folder, name);
  await writeFile(path, file);
  return readMaskImage(path, map);
}

describe('masks whose numbers an image library would change', () => {
  it.each([0, 2, 4, 6])('of 16 bits a sample are refused, colour type %i: not read as their upper half', async type => {
    const file = withHeader(header => header.set([16, type], 8));
    await expect(reading('deep.png', file)).rejects.toMatchObject({
      code: 'LABELS_INVALID',
      message: expect.stringMatching(/deep\.png: its samples have 16 bits, not 8$/),
    });
  });

  it('of 16 bits, as another program writes them, are refused too', async () => {
    const labels = new Uint16Array(64).map((_, i) => i % 3);
    const file = await sharp(labels, { raw: { width: 8, height: 8, channels: 1 } })
      .toColourspace('grey16')
      .png()
      .toBuffer();
    expect(readPngHeader(file)).toMatchObject({ depth: 16, colourType: 0 });
    await expect(reading('labels.png', file)).rejects.toMatchObject({ code: 'LABELS_INVALID' });
    const tiff = join(folder, 'labels.tif');
    await sharp(labels, { raw: { width: 8, height: 8, channels: 1 } })
      .toColourspace('grey16')
      .tiff({ compression: 'lzw' })
      .toFile(tiff);
    await expect(openMaskTiff(tiff, map, { width: 8, height: 8 })).rejects.toMatchObject({
      code: 'LABELS_INVALID',
      message: expect.stringContaining('labels.tif: its samples have 16 bits, not 8'),
    });
  });

  it.each([
    ['grey of 4 bits', 4, 0],
    ['grey of 1 bit', 1, 0],
    ['a palette', 8, 3],
  ])('interlaced, with %s, are refused', async (_, depth, type) => {
    const file = withHeader(header => header.set([depth, type, 0, 0, 1], 8));
    await expect(reading('laced.png', file)).rejects.toMatchObject({
      message: expect.stringMatching(/interlaced: save it without/),
    });
  });

  it('interlaced, with grey of 8 bits, are read as they are', async () => {
    const grey = Buffer.from(Array.from({ length: 21 * 13 }, (_, i) => i % 9));
    const file = await sharp(grey, { raw: { width: 21, height: 13, channels: 1 } })
      .toColourspace('b-w')
      .png({ progressive: true })
      .toBuffer();
    expect(readPngHeader(file)).toMatchObject({ interlaced: true, depth: 8, colourType: 0 });
    expect(await reading('fine.png', file)).toMatchObject({ width: 21, height: 13, values: new Uint8Array(grey) });
  });

  it('of a depth that PNG does not know are refused, also where a row has as many bytes', async () => {
    for (const depth of [0, 3, 5, 6, 7]) {
      const file = withHeader(header => header.set([depth, 0], 8));
      expect(isValuePng(readPngHeader(file))).toBe(false);
      await expect(reading('odd.png', file)).rejects.toMatchObject({ code: 'LABELS_INVALID' });
    }
  });

  it.each([
    ['width', 0, 0],
    ['height', 4, 0],
    ['too many pixels', 0, 1 << 30],
  ])('are refused before they are decoded: %s', async (_, at, value) => {
    const file = withHeader(header => header.writeUInt32BE(value, at));
    await expect(reading('size.png', file)).rejects.toMatchObject({
      code: 'LABELS_INVALID',
      message: expect.stringMatching(/size\.png: the mask cannot be read: \d+ × \d+ pixels$/),
    });
  });
});

describe('maskImageSource', () => {
  it('gives at every place the pixel under the centre, for any spacing of mask, slide and window', async () => {
    const sizes = fc.record({
      mask: fc.tuple(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 50 })),
      spacing: fc.tuple(fc.constantFrom(0.125, 0.25, 0.5, 0.77, 2), fc.constantFrom(0.125, 0.25, 0.5, 0.77, 2)),
      start: fc.tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 60 })),
      step: fc.constantFrom(0.5, 1, 1.02, 2, 3.7),
      window: fc.tuple(fc.integer({ min: 1, max: 32 }), fc.integer({ min: 1, max: 32 })),
    });
    await fc.assert(
      fc.asyncProperty(sizes, async ({ mask, spacing: [spacingX, spacingY], start, step, window: [width, height] }) => {
        const [maskWidth, maskHeight] = mask;
        const values = Uint8Array.from({ length: maskWidth * maskHeight }, (_, i) => (i * 31) % 200);
        const stated = { ...maskOf(maskWidth, maskHeight, values), spacing: { x: spacingX, y: spacingY } };
        const source = maskImageSource(stated, { width: 997, height: 991, spacing: { x: 0.25, y: 0.25 } });
        const into = new Uint8Array(32 * 32).fill(255);
        await source.read({ x: start[0], y: start[1], step, side: 32, width, height }, into);
        for (let i = 0; i < into.length; i++) {
          const [x, y] = [i % 32, Math.floor(i / 32)];
          const column = Math.floor((start[0] + (x + 0.5) * step) * (0.25 / spacingX));
          const row = Math.floor((start[1] + (y + 0.5) * step) * (0.25 / spacingY));
          const at = Math.min(row, maskHeight - 1) * maskWidth + Math.min(column, maskWidth - 1);
          expect(into[i], `(${x}, ${y})`).toBe(x < width && y < height ? values[at] : 255);
        }
      }),
      // Columns 1, 2, 2: as far from first to last as two in a row, and none.
      { examples: [[{ mask: [3, 1], spacing: [0.125, 0.125], start: [0, 0], step: 1, window: [3, 1] }]] },
    );
  });
});
