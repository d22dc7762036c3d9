import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { openSourceSlide } from '#src/simulate/source-slide.js';
import { failureOf, SLIDE, scratch } from '../slide/fixture.js';
import { gradient, writeTiff } from '../slide/tiff-writer.js';
import { bytesOf, pyramid } from './slides.js';

const files = scratch();
afterAll(() => files.remove());

describe('openSourceSlide', () => {
  it('has the stored bytes of every tile, and none of one that is not stored', async () => {
    for (const options of [{}, { big: true }, { bigEndian: true }]) {
      const path = files.write('pyramid.svs', pyramid(options));
      const whole = bytesOf(path);
      const slide = await openSourceSlide(path);
      expect([slide.name, slide.extension, slide.big, slide.mpp]).toEqual([
        'pyramid',
        '.svs',
        options.big ?? false,
        0.5,
      ]);
      expect(slide.levels.map(({ cols, rows }) => [cols, rows])).toEqual([
        [10, 8],
        [5, 4],
        [1, 1],
      ]);
      for (const [level, { cols, rows, byteCounts, stored }] of slide.levels.entries())
        for (let tile = 0; tile < cols * rows; tile++) {
          const bytes = Buffer.from(await slide.read(level, tile));
          const isHole = level === 0 && tile === cols + 1;
          expect([bytes.length, stored(tile % cols, Math.floor(tile / cols))]).toEqual([byteCounts[tile], !isHole]);
          if (!isHole) expect([bytes.readUInt16BE(0), bytes.readUInt16BE(bytes.length - 2)]).toEqual([0xffd8, 0xffd9]);
          expect(whole.includes(bytes)).toBe(true);
        }
      await slide.close();
    }
  });

  it('takes the spacing that is given before the slide’s own', async () => {
    const slide = await openSourceSlide(SLIDE, 0.25);
    expect([slide.mpp, slide.levels.length, slide.levels[0]!.downsample]).toEqual([0.25, 1, undefined]);
    await slide.close();
    const own = await openSourceSlide(SLIDE);
    expect(own.mpp).toBe(0.499);
    await own.close();
  });

  it('says of a slide that is cut at which tile, and of one that is cut later that it became shorter', async () => {
    const tiles = { picture: gradient(64, 64), tile: [32, 32], resolution: 20_000 } as const;
    const whole = writeTiff([tiles]);
    const long = (length: number): Buffer => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32LE(length);
      return bytes;
    };
    // The third tile claims a byte more than the file has.
    const counts = Buffer.concat(Array.from({ length: 4 }, () => long(3072)));
    const at = whole.indexOf(counts);
    long(whole.length).copy(whole, at + 8);
    const path = files.write('cut.tiff', whole);
    const error = await failureOf(() => openSourceSlide(path));
    expect([error.code, error.message]).toEqual(['SLIDE_TRUNCATED', expect.stringContaining('tile 3 of 4')]);
    files.write('shrinks.tiff', writeTiff([tiles]));
    const slide = await openSourceSlide(files.path('shrinks.tiff'));
    files.write('shrinks.tiff', readFileSync(files.path('shrinks.tiff')).subarray(0, 4000));
    expect(await slide.read(0, 0)).toHaveLength(3072);
    expect(await failureOf(() => slide.read(0, 2))).toMatchObject({
      code: 'SLIDE_TRUNCATED',
      message: expect.stringContaining('became shorter'),
    });
    await slide.close();
  });

  it('refuses what is not there, and what is no slide', async () => {
    const gone = await failureOf(() => openSourceSlide(files.path('none.svs')));
    expect([gone.code, gone.message]).toEqual(['FILE_NOT_FOUND', `${files.path('none.svs')}: cannot be opened`]);
    for (const bytes of ['', 'II*', 'a long letter to nobody in particular'])
      expect((await failureOf(() => openSourceSlide(files.write('letter.svs', bytes)))).code).toBe('SLIDE_UNREADABLE');
  });
});
