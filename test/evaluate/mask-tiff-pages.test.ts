import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sampleSlideLabels } from '#src/evaluate/check-slide.js';
import type { LabelledImage } from '#src/evaluate/labelled-item.js';
import { parseLabelMap } from '#src/evaluate/labels.js';
import { openMaskTiff } from '#src/evaluate/mask-tiff.js';
import type { OpenedSlide } from '#src/slide/slide.js';
import { scratch } from './set-builder.js';

let folder: string;
let path: string;
let remove: () => Promise<void>;
beforeEach(async () => {
  ({ path: folder, remove } = await scratch());
  path = join(folder, 'mask.tif');
});
afterEach(() => remove());

const map = parseLabelMap({ positive: '2' });
const NONE = 1;
const JPEG = 7;
const DEFLATE = 8;

interface Page {
  readonly width: number;
  readonly height: number;
  readonly value: (x: number, y: number) => number;
  readonly compression?: number;
  /** Rows a strip; all in one unless given. */
  readonly rows?: number;
  readonly bits?: number;
  readonly samples?: number;
}

/** A classic TIFF, a directory a page, each with its strips (TIFF 6.0 §§2, 8). */
function tiffOf(pages: readonly Page[], order: 'II' | 'MM'): Buffer {
  const little = order === 'II';
  const parts: Buffer[] = [Buffer.alloc(8)];
  let at = 8;
  const put = (part: Buffer): number => {
    parts.push(part);
    at += part.length;
    return at - part.length;
  };
  const number = (value: number, bytes: number): Buffer => {
    const data = Buffer.alloc(bytes);
    if (little) data.writeUIntLE(value, 0, bytes);
    else data.writeUIntBE(value, 0, bytes);
    return data;
  };
  let link = parts[0]!.subarray(4);
  parts[0]!.set(Buffer.concat([Buffer.from(order), number(42, 2)]));
  for (const { width, height, value, compression = NONE, rows = height, bits = 8, samples = 1 } of pages) {
    const strips = Array.from({ length: Math.ceil(height / rows) }, (_, strip) => {
      const size = width * Math.min(rows, height - strip * rows);
      const data = Buffer.from(
        Array.from({ length: size }, (__, i) => value(i % width, strip * rows + Math.floor(i / width))),
      );
      return compression === DEFLATE ? deflateSync(data) : data;
    });
    const places = strips.map(strip => put(strip));
    const list = (values: readonly number[]) =>
      values.length === 1 ? values[0]! : put(Buffer.concat(values.map(one => number(one, 4))));
    const fields: [tag: number, count: number, value: number][] = [
      ...([
        [256, 1, width],
        [257, 1, height],
        [258, 1, bits],
        [259, 1, compression],
        [262, 1, 1],
      ] as [number, number, number][]),
      ...([
        [273, strips.length, list(places)],
        [277, 1, samples],
        [278, 1, rows],
      ] as [number, number, number][]),
      [279, strips.length, list(strips.map(strip => strip.length))],
    ];
    const entries = fields.map(([tag, count, content]) =>
      Buffer.concat([number(tag, 2), number(4, 2), number(count, 4), number(content, 4)]),
    );
    const directory = Buffer.concat([number(fields.length, 2), ...entries, Buffer.alloc(4)]);
    link.set(number(at, 4));
    put(directory);
    link = directory.subarray(directory.length - 4);
  }
  return Buffer.concat(parts);
}

/** Label at the slide's upper left corner, sampled with a step. */
async function corner(step: number, slide = 800): Promise<number> {
  const source = await openMaskTiff(path, map, { width: slide, height: slide / 2 });
  const into = new Uint8Array(4);
  await source.read({ x: 0, y: 0, step, side: 2, width: 2, height: 2 }, into);
  await source.close();
  return into[0]!;
}
const flat = (width: number, value: number, more: Partial<Page> = {}): Page => ({
  ...{ width, height: width / 2, value: () => value },
  ...more,
});
const write = (pages: readonly Page[], order: 'II' | 'MM' = 'II') => writeFile(path, tiffOf(pages, order));

describe('pages of a mask TIFF', () => {
  it.each(['II', 'MM'] as const)(
    'are levels, taken from a quarter of a patch pixel on, in byte order %s',
    async order => {
      // In whatever order they stand: of a mask of 400 pixels under a slide of 800, levels of 200 and 100 pixels.
      await write([flat(400, 2), flat(100, 7), flat(200, 5)], order);
      expect([await corner(1), await corner(15.99)]).toEqual([2, 2]);
      expect([await corner(16), await corner(31.99)]).toEqual([5, 5]);
      expect([await corner(32), await corner(400)]).toEqual([7, 7]);
    },
  );

  it('of the same size as the first are other pictures', async () => {
    await write([flat(400, 2), flat(400, 9)]);
    expect([await corner(1), await corner(64)]).toEqual([2, 2]);
  });

  it('of one size count once, the first', async () => {
    await write([flat(400, 2), flat(100, 5), flat(100, 9)]);
    expect(await corner(64)).toBe(5);
  });

  it('of another shape, or whose samples cannot hold labels, are no levels', async () => {
    await write([
      flat(400, 2),
      flat(100, 9, { height: 90 }),
      flat(100, 9, { compression: JPEG }),
      flat(50, 9, { bits: 16 }),
    ]);
    expect(await corner(64)).toBe(2);
  });

  it.each<[string, Partial<Page>, RegExp]>([
    ['JPEG', { compression: JPEG }, /mask\.tif: compression 7 cannot hold labels$/],
    ['a bit a pixel', { bits: 1 }, /mask\.tif: its samples have 1 bits, not 8$/],
  ])('that are %s are refused when they are the first', async (_, more, message) => {
    await write([flat(400, 2, more)]);
    await expect(corner(1)).rejects.toMatchObject({ code: 'LABELS_INVALID', message: expect.stringMatching(message) });
  });

  it.each([
    [800, 400, true],
    [6400, 3200, true],
    [401, 200, false],
    [37, 18, false],
    [806, 400, false],
    [810, 400, false],
    [390, 200, false],
  ])('of 400 × 200 pixels fit a slide of %i × %i: %s', async (width, height, fits) => {
    await write([flat(400, 2)]);
    const opened = openMaskTiff(path, map, { width, height });
    if (fits) await (await opened).close();
    else
      await expect(opened).rejects.toMatchObject({
        code: 'LABELS_INVALID',
        message: expect.stringContaining(`its image ${width} × ${height}`),
      });
  });
});

describe('strips of a mask TIFF', () => {
  it.each([1, 3, 7, 49, 50])('of %i rows give every pixel, the short last one too', async rows => {
    const value = (x: number, y: number) => (x * 3 + y * 5) % 30;
    for (const compression of [NONE, DEFLATE]) {
      await write([{ width: 100, height: 50, value, rows, compression }]);
      const source = await openMaskTiff(path, map, { width: 100, height: 50 });
      const into = new Uint8Array(100 * 100);
      await source.read({ x: 0, y: 0, step: 1, side: 100, width: 100, height: 50 }, into);
      await source.close();
      const expected = Uint8Array.from({ length: 5000 }, (_, i) => value(i % 100, Math.floor(i / 100)));
      expect(into.subarray(0, 5000)).toEqual(expected);
      expect(into.subarray(5000).every(one => one === 0)).toBe(true);
    }
  });

  it('that are damaged are named, at every read', async () => {
    const file = tiffOf([flat(400, 2, { rows: 100, compression: DEFLATE, value: x => x % 9 })], 'II');
    file.fill(0xff, 8, 40);
    await writeFile(path, file);
    const source = await openMaskTiff(path, map, { width: 400, height: 200 });
    const read = () => source.read({ x: 0, y: 0, step: 1, side: 8, width: 8, height: 8 }, new Uint8Array(64));
    for (let i = 0; i < 2; i++)
      await expect(read()).rejects.toMatchObject({
        code: 'LABELS_INVALID',
        message: expect.stringMatching(/mask\.tif: tile 0 cannot be read: /),
      });
    await source.close();
  });
});

describe('the sample of a slide’s labels', () => {
  it.each([
    [800, 400],
    [6400, 3200],
    [3200, 1600],
  ])('stands for all its pixels at %i × %i', async (width, height) => {
    await write([{ width: 100, height: 50, value: x => (x < 25 ? 2 : 7) }]);
    const level = { width, height, downsample: 1, mpp: 0.25, tileWidth: 64, tileHeight: 64 };
    const opened = { info: { levels: [level], mpp: 0.25, path: 'slide' } } as unknown as OpenedSlide;
    const item = { kind: 'slide', imagePath: 'slide', id: 's', labels: { kind: 'mask-tiff', path } } as LabelledImage;
    const { counts, mpp } = await sampleSlideLabels(item, map, async () => opened);
    expect(mpp).toBe(0.25);
    expect(counts[2]! / (width * height)).toBeCloseTo(0.25, 2);
    expect(counts[7]! / (width * height)).toBeCloseTo(0.75, 2);
    expect(counts[2]! + counts[7]!).toBe(counts.reduce((sum, one) => sum + one, 0));
  });

  it('names the slide that cannot be opened', async () => {
    const item = { kind: 'slide', imagePath: '/scans/a.svs', id: 's' } as LabelledImage;
    const failing = sampleSlideLabels(item, map, () => Promise.reject(new Error('no such format')));
    await expect(failing).rejects.toMatchObject({
      code: 'SLIDE_UNREADABLE',
      message: expect.stringContaining('/scans/a.svs'),
    });
  });
});
