import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseLabelMap } from '#src/evaluate/labels.js';
import { maskImageSource, readMaskImage, valueHistogram } from '#src/evaluate/mask-image.js';
import { sampleIndices } from '#src/evaluate/mask-sampling.js';
import { maskOf, scratch, writeMask } from './set-builder.js';

let folder: string;
let remove: () => Promise<void>;
beforeAll(async () => {
  ({ path: folder, remove } = await scratch());
});
afterAll(() => remove());

const map = parseLabelMap({ positive: '2' });
const coloured = parseLabelMap({ positive: '2', colours: '#ff0000=2,#0000ff=5,#000000=0' });

async function picture(name: string, channels: 1 | 3 | 4, pixel: (i: number) => number[]): Promise<string> {
  const path = join(folder, name);
  const data = Buffer.from(Array.from({ length: 12 * 10 }, (_, i) => pixel(i)).flat());
  await sharp(data, { raw: { width: 12, height: 10, channels } }).toFile(path);
  return path;
}

describe('readMaskImage', () => {
  it('reads grey stored as RGB or RGBA by its level', async () => {
    const rgb = await picture('grey.png', 3, i => [i % 5, i % 5, i % 5]);
    const rgba = await picture('alpha.png', 4, i => [i % 5, i % 5, i % 5, 255]);
    for (const path of [rgb, rgba]) {
      const { width, height, values } = await readMaskImage(path, map);
      expect([width, height]).toEqual([12, 10]);
      expect([...values]).toEqual(Array.from({ length: 120 }, (_, i) => i % 5));
    }
  });

  it('reads colours by the table, and names one that is not in it', async () => {
    const path = await picture('colour.png', 3, i => (i % 2 ? [255, 0, 0] : [0, 0, 255]));
    const { values } = await readMaskImage(path, coloured);
    expect([...values.subarray(0, 4)]).toEqual([5, 2, 5, 2]);
    await expect(readMaskImage(path, map)).rejects.toMatchObject({
      code: 'LABELS_INVALID',
      message: expect.stringMatching(/colour\.png: colour #0000ff is in no colour table/),
    });
    const grey = await picture('level.png', 3, () => [9, 9, 9]);
    await expect(readMaskImage(grey, coloured)).rejects.toMatchObject({ message: expect.stringMatching(/#090909/) });
  });

  it('keeps values 0 and 1 of a mask of one bit', async () => {
    const path = join(folder, 'bits.png');
    await writeMask(path, 12, 10, x => x % 2, { depth: 1, palette: false });
    expect([...(await readMaskImage(path, map)).values.subarray(0, 4)]).toEqual([0, 1, 0, 1]);
  });

  it('tells a missing file from a bad one', async () => {
    await expect(readMaskImage(join(folder, 'none.png'), map)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
    await writeFile(join(folder, 'bad.png'), 'no picture');
    await expect(readMaskImage(join(folder, 'bad.png'), map)).rejects.toMatchObject({ code: 'LABELS_INVALID' });
  });
});

describe('valueHistogram', () => {
  it('counts every value', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), values => {
        const counts = valueHistogram(values);
        for (const value of [0, 1, 128, 255]) expect(counts[value]).toBe(values.filter(one => one === value).length);
        expect(counts.reduce((sum, one) => sum + one, 0)).toBe(values.length);
      }),
    );
  });
});

describe('sampling at pixel centres', () => {
  it('never leaves the mask, never goes back, and is the identity at equal size', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 300 }),
        fc.double({ min: 0.05, max: 8, noNaN: true }),
        fc.double({ min: 0, max: 500, noNaN: true }),
        (size, scale, start) => {
          const indices = sampleIndices(start, 1, 64, scale, size);
          for (const [i, index] of indices.entries()) {
            expect(index).toBeGreaterThanOrEqual(i > 0 ? indices[i - 1]! : 0);
            expect(index).toBeLessThan(size);
          }
        },
      ),
    );
    expect([...sampleIndices(5, 1, 4, 1, 100)]).toEqual([5, 6, 7, 8]);
  });

  it('gives every mask pixel an equal share when the image was enlarged by a whole factor', async () => {
    const values = Uint8Array.from({ length: 16 }, (_, i) => i);
    const source = maskImageSource(maskOf(4, 4, values), { width: 16, height: 16 });
    const into = new Uint8Array(16 * 16);
    await source.read({ x: 0, y: 0, step: 1, side: 16, width: 16, height: 16 }, into);
    await source.close();
    const counts = valueHistogram(into);
    for (let value = 0; value < 16; value++) expect(counts[value]).toBe(16);
  });
});
