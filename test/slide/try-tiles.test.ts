import type { Worker } from 'node:worker_threads';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { openSlide } from '#src/slide/open.js';
import { whoeverReads } from '#src/slide/readable.js';
import type { OpenedSlide } from '#src/slide/slide.js';
import { meanSpacing, type SlideFacts } from '#src/slide/slide-facts.js';
import type { TiffDescription } from '#src/slide/tiff/description.js';
import { tryTiles } from '#src/slide/try-tiles.js';
import { writeInstance } from './dicom/instance-writer.js';
import { failureOf, SLIDE, scratch } from './fixture.js';
import { installed, orWhy } from './openslide/installed.js';
import { encodeJpeg, gradient, type PageOptions, type Picture, plain, writeTiff } from './tiff-writer.js';

const files = scratch();
afterAll(() => files.remove());

/** A JPEG of four components, as no slide's tag announces. */
const cmyk = await sharp({ create: { width: 64, height: 64, channels: 3, background: '#b8a' } })
  .toColourspace('cmyk')
  .jpeg()
  .toBuffer();

/** A sound stream whose frame says 12 bits a sample. */
const deep = (tile: Buffer): Buffer => {
  const copy = Buffer.from(tile);
  copy[copy.indexOf(Buffer.from([0xff, 0xc0])) + 4] = 12;
  return copy;
};

/** A sound stream whose frame says that it is lossless. */
const lossless = (tile: Buffer): Buffer => {
  const copy = Buffer.from(tile);
  copy[copy.indexOf(Buffer.from([0xff, 0xc0])) + 1] = 0xc3;
  return copy;
};

const page = (more: Partial<PageOptions> = {}): PageOptions => ({
  picture: gradient(256, 256),
  tile: [64, 64],
  compression: 'jpeg',
  resolution: 20_000,
  ...more,
});

const open = (name: string, ...pages: PageOptions[]) => openSlide(files.write(name, writeTiff(pages)));

describe('a slide none of whose tiles is of a kind that is read', () => {
  it.each<[string, (tile: Buffer) => Buffer, RegExp]>([
    ['four components', () => cmyk, /has 4 components/],
    ['12 bits a sample', deep, /has 12-bit samples/],
    ['lossless JPEG', lossless, /is JPEG of process 3/],
  ])('is refused once, when it is opened: %s', async (name, damage, message) => {
    const error = await failureOf(() => open(`${name.replaceAll(' ', '-')}.tif`, page({ damage })));
    expect(error.code).toBe('SLIDE_UNSUPPORTED');
    expect(error.message).toMatch(/tile \(\d, \d\) of level 0/);
    expect(error.message).toMatch(message);
    expect(error.message).toContain('and so do the others that were tried');
    // Who is installed and cannot read it either is named, and not proposed.
    if (installed === undefined) expect(error.fix).toContain('install OpenSlide');
    else {
      expect(error.message).toContain(`OpenSlide ${installed}`);
      expect(error.fix).not.toContain('install');
    }
  });

  it('is so in DICOM', async () => {
    const encode = (tile: Picture) => deep(encodeJpeg(tile));
    const bytes = writeInstance({ picture: gradient(100, 70), tile: [32, 24], syntax: 'jpeg', encode });
    const error = await failureOf(() => openSlide(files.write('deep.dcm', bytes), { mpp: 0.5 }));
    expect([error.code, error.message]).toEqual(['SLIDE_UNSUPPORTED', expect.stringContaining('has 12-bit samples')]);
  });

  it('is so where its tiles are large, and decoded in a thread of their own', async () => {
    const threads: Worker[] = [];
    const count = (worker: Worker) => threads.push(worker);
    process.on('worker', count);
    const tile = encodeJpeg(plain(1024, 1024, [200, 100, 150]));
    const large = page({ picture: plain(1024, 1024, [0, 0, 0]), tile: [1024, 1024], damage: () => deep(tile) });
    const error = await failureOf(() => open('large.tif', large));
    expect(error.message).toContain('has 12-bit samples');
    expect(threads).toHaveLength(1);
    await expect(open('small.tif', page())).resolves.toBeDefined();
    expect(threads).toHaveLength(1);
    await expect(open('sound.tif', { ...large, damage: () => tile })).resolves.toBeDefined();
    expect(threads).toHaveLength(2);
    process.off('worker', count);
  });
});

describe('a slide with some such tiles, or damaged ones', () => {
  it.each<[string, NonNullable<PageOptions['damage']>]>([
    ['a single such tile, in the middle', (tile, col, row) => (col === 2 && row === 2 ? deep(tile) : tile)],
    ['one that is sound among those tried', (tile, col, row) => (col === 1 && row === 1 ? tile : deep(tile))],
    ['all of them cut', tile => tile.subarray(0, tile.length / 2)],
    ['all of them zeros', tile => Buffer.alloc(tile.length)],
    ['such tiles and cut ones', (tile, col) => (col === 2 ? deep(tile) : tile.subarray(0, tile.length / 2))],
  ])('opens: %s', async (name, damage) => {
    await expect(open(`${name.replaceAll(/\W/g, '-')}.tif`, page({ damage }))).resolves.toMatchObject({
      info: { levels: [{ width: 256 }] },
      source: { kind: 'tiff' },
    });
  });

  it('is tried where it has tiles', async () => {
    const alone = (col: number, row: number) => !(col === 3 && row === 0);
    const error = await failureOf(() => open('one.tif', page({ missing: alone, damage: deep })));
    expect(error.message).toContain('tile (3, 0) of level 0 has 12-bit samples');
    const { source, info } = await open('none.tif', page({ missing: () => true }));
    expect(await tryTiles(source, info.levels)).toEqual({ unread: new Map(), grey: false, unlike: new Map() });
  });

  it('is not tried while it grows', async () => {
    const path = files.write('growing.tif', writeTiff([page({ damage: deep })]));
    await expect(openSlide(path, { growing: true })).resolves.toMatchObject({ source: { kind: 'tiff' } });
  });

  it('loses a coarse level of such tiles alone, with a note', async () => {
    const half = page({ picture: gradient(128, 128), subfileType: 1 });
    const quarter = page({ picture: gradient(64, 64), subfileType: 1 });
    const { info, source } = await open('levels.tif', page(), { ...half, damage: deep }, quarter);
    expect(info.levels.map(({ width, downsample }) => [width, downsample])).toEqual([
      [256, 1],
      [64, 4],
    ]);
    expect((source as TiffDescription).levels.map(({ width }) => width)).toEqual([256, 64]);
    expect(info.notes).toEqual([
      {
        code: 'level-left-out',
        message: expect.stringMatching(
          /^the level of 128 × 128 pixels is left out: tile \(1, 1\) of level 1 has 12-bit/,
        ),
      },
    ]);
  });

  it('is grey where a tile of several greys has no colour, and is noted once', async () => {
    const greys = (width: number, samples: 1 | 3) => {
      const data = new Uint8Array(width * width * samples);
      for (let pixel = 0; pixel < width * width; pixel++)
        data.fill(100 + (pixel % 90), pixel * samples, pixel * samples + samples);
      return { width, height: width, samples, data };
    };
    const notes = async (more: Partial<PageOptions>) =>
      (await open('grey.tif', page({ compression: 'lzw', ...more }))).info.notes;
    const noted = [{ code: 'grey', message: expect.stringContaining('trained on colour') }];
    expect(await notes({ picture: greys(256, 3) })).toEqual(noted);
    expect(await notes({ picture: greys(256, 3), compression: 'jpeg' })).toEqual(noted);
    expect(await notes({ picture: greys(256, 1) })).toEqual(noted);
    expect(await notes({ picture: greys(40, 3) })).toEqual(noted);
    // Large enough for a thread of its own.
    expect(await notes({ picture: greys(1024, 3), tile: [1024, 1024] })).toEqual(noted);
    // All of one grey is glass, or nothing that was scanned.
    expect(await notes({ picture: plain(256, 256, [240, 240, 240]) })).toBeUndefined();
    expect(await notes({ picture: plain(40, 40, [240, 240, 240]), tile: [64, 64] })).toBeUndefined();
    expect(await notes({})).toBeUndefined();
  });

  it('stops when it is told to', async () => {
    const { source, info } = await open('stopped.tif', page());
    const stopped = AbortSignal.abort(new Error('enough'));
    await expect(tryTiles(source, info.levels, undefined, stopped)).rejects.toThrow('enough');
  });
});

describe('a slide that OpenSlide reads and our reader does not', () => {
  const facts: SlideFacts = {
    format: 'ours',
    mpp: 0.6,
    levels: [],
    properties: {},
    describe: () => ({ kind: '', path: '' }),
  };

  /** A sound slide, told to our reader as one of four samples a pixel. */
  async function misread(): Promise<OpenedSlide> {
    const { info, source } = await openSlide(SLIDE);
    const levels = (source as TiffDescription).levels.map(level => ({ ...level, samplesPerPixel: 4 }));
    return { info, source: { ...source, levels } };
  }

  const settle = ({ format, levels, mpp, notes, properties, describe: describeSource }: SlideFacts): OpenedSlide => {
    const spacing = meanSpacing(mpp)!;
    const spaced = levels.map(level => ({ ...level, mpp: spacing * level.downsample }));
    const info = { id: 's', path: SLIDE, format, mpp: spacing, levels: spaced, fingerprint: 'f', properties };
    return { info: { ...info, ...(notes ? { notes } : {}) }, source: describeSource(spaced) };
  };

  it.skipIf(installed === undefined)(`is read by it, with one note${orWhy}`, async () => {
    const { info, source } = await whoeverReads(await misread(), facts, settle, undefined);
    expect(source).toMatchObject({ kind: 'openslide', path: SLIDE });
    expect(info).toMatchObject({ format: 'Aperio SVS (OpenSlide)', mpp: 0.499, levels: [{ width: 2220 }] });
    expect(info.notes).toEqual([
      {
        code: 'read-by-openslide',
        message:
          'our reader does not read it (tile (4, 6) of level 0 has 3 components, and so do the others that were tried); ' +
          `OpenSlide ${installed} does`,
      },
    ]);
  });

  it.skipIf(installed !== undefined)('is refused with what would help, where that is not installed', async () => {
    const error = await failureOf(async () => whoeverReads(await misread(), facts, settle, undefined));
    expect(error.code).toBe('SLIDE_UNSUPPORTED');
    expect(error.fix).toContain('install OpenSlide');
  });
});
