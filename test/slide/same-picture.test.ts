import type { Worker } from 'node:worker_threads';
import { afterAll, describe, expect, it } from 'vitest';
import { openSlide } from '#src/slide/open.js';
import { scratch } from './fixture.js';
import { type PageOptions, plain, scenery, writeTiff } from './tiff-writer.js';

const files = scratch();
afterAll(() => files.remove());

const [WIDTH, HEIGHT] = [1200, 900];
const image = (by = 1, more: Partial<PageOptions> = {}, seed = 1): PageOptions => ({
  picture: scenery(WIDTH, HEIGHT, { by, seed }),
  tile: [128, 128],
  ...(by === 1 ? { resolution: 20_000 } : {}),
  ...more,
});
const flagged = { subfileType: 1 };

let written = 0;
async function opened(pages: readonly PageOptions[], options = {}) {
  written++;
  const { info } = await openSlide(files.write(`slide${written}.tif`, writeTiff(pages)), options);
  return {
    factors: info.levels.map(({ downsample }) => downsample),
    notes: (info.notes ?? []).map(({ code, message }) => [code, message] as const),
  };
}

describe('an image that the file does not call a reduced copy', () => {
  it.each<[string, Partial<PageOptions>]>([
    ['in tiles', {}],
    ['in JPEG', { compression: 'jpeg', quality: 60 }],
    ['in strips', { tile: undefined, rowsPerStrip: 16 } as unknown as Partial<PageOptions>],
    ['in one piece', { tile: undefined, rowsPerStrip: HEIGHT } as unknown as Partial<PageOptions>],
  ])('is a level where it shows the slide: %s', async (_, more) => {
    const pages = [1, 2, 4, 16].map(by => image(by, more));
    expect(await opened(pages)).toEqual({ factors: [1, 2, 4, 16], notes: [] });
  });

  it('is so where every other pixel was taken, of a picture with noise', async () => {
    const whole = scenery(WIDTH, HEIGHT);
    for (let i = 0; i < whole.data.length; i++) whole.data[i]! += ((i * 2_654_435_761) >>> 8) % 61;
    const [width, height] = [WIDTH / 2, HEIGHT / 2];
    const data = new Uint8Array(width * height * 3);
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++)
        for (let s = 0; s < 3; s++) data[(y * width + x) * 3 + s] = whole.data[(y * 2 * WIDTH + x * 2) * 3 + s]!;
    const half = { ...image(2), picture: { width, height, samples: 3, data } };
    expect((await opened([image(1, { picture: whole }), half])).factors).toEqual([1, 2]);
  });

  it('is left out, with a note, where it shows something else, and the next level is compared with the slide', async () => {
    for (const seed of [2, 3, 7, 12]) {
      const { factors, notes } = await opened([image(), image(2, {}, seed), image(4), image(8, {}, seed)]);
      expect(factors).toEqual([1, 4]);
      expect(notes.map(([code]) => code)).toEqual(['image-left-out', 'image-left-out']);
      expect(notes[0]![1]).toMatch(/^the image of 600 × 450 pixels is left out.*shows something else than the slide/);
    }
  });

  it('is left out where one colour, or nothing that is stored, tells nothing', async () => {
    const glass = (by: number) => image(by, { picture: plain(WIDTH / by, HEIGHT / by, [240, 240, 240]) });
    for (const pages of [
      [glass(1), glass(2)],
      [image(1), image(2, { missing: () => true })],
    ]) {
      const { factors, notes } = await opened(pages);
      expect(factors).toEqual([1]);
      expect(notes).toEqual([['image-left-out', expect.stringContaining('tells nothing')]]);
    }
  });

  it('goes behind one of its size that the file calls so', async () => {
    const { factors, notes } = await opened([image(), image(2, {}, 2), image(2, flagged)]);
    expect(factors).toEqual([1, 2]);
    expect(notes).toEqual([['image-left-out', expect.stringContaining('another one of this size')]]);
  });

  it('is compared in a thread of its own where tiles are large', async () => {
    const threads: Worker[] = [];
    const count = (worker: Worker) => threads.push(worker);
    process.on('worker', count);
    const tile = [1024, 1024] as const;
    const { factors } = await opened([image(1, { tile }), image(2, { tile }, 2), image(4, { tile })]);
    process.off('worker', count);
    expect(factors).toEqual([1, 4]);
    expect(threads).toHaveLength(1);
  });

  it('is not read while the file grows: its pixels may not be there yet', async () => {
    const { factors, notes } = await opened([image(), image(2), image(4, flagged)], { growing: true });
    expect(factors).toEqual([1, 4]);
    expect(notes).toEqual([['image-left-out', expect.stringContaining('while the file grows')]]);
  });
});

describe('an image of another kind of pixels', () => {
  const map = (by: number, more: Partial<PageOptions> = {}) =>
    image(by, { picture: scenery(WIDTH, HEIGHT, { by, samples: 1 }), ...more });

  it.each<[string, Partial<PageOptions>, string]>([
    ['generic', {}, 'image-left-out'],
    ['generic, called a reduced copy', flagged, 'level-left-out'],
    ['Aperio', { description: 'Aperio Image|MPP = 0.5' }, 'level-left-out'],
  ])('is no level: %s', async (_, more, code) => {
    const first = image(1, more === flagged ? {} : more);
    const { factors, notes } = await opened([first, map(2, more), image(4, { ...more, ...flagged })]);
    expect(factors).toEqual([1, 4]);
    expect(notes).toEqual([[code, expect.stringContaining('its pixels are of another kind')]]);
  });

  it('is a level of a grey slide where it shows that', async () => {
    const { factors } = await opened([map(1), map(2), image(4, flagged)]);
    expect(factors).toEqual([1, 2]);
  });
});
