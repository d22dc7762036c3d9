import { readFileSync } from 'node:fs';
import jpegTurbo from '@julusian/jpeg-turbo';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { StromaflowError } from '#src/errors.js';
import { openSlide } from '#src/slide/open.js';
import { openTileSource } from '#src/slide/open-source.js';
import type { TileSource } from '#src/slide/slide.js';
import type { TiffDescription } from '#src/slide/tiff/description.js';
import { failureOf, SLIDE, scratch } from '../fixture.js';
import { cut, encodeJpeg, gradient, type PageOptions, type Picture, plain, writeTiff } from '../tiff-writer.js';

const files = scratch();
afterAll(() => files.remove());

let counter = 0;
async function sourceOf(page: PageOptions, options = {}): Promise<TileSource> {
  const path = files.write(`${counter++}.tif`, writeTiff([page], options));
  const { source } = await openSlide(path, { mpp: 0.5 });
  return openTileSource(source);
}

function read(source: TileSource, col: number, row: number, level = 0): Uint8Array {
  const { tileWidth, tileHeight } = source.levels[level]!;
  const into = new Uint8Array(tileWidth * tileHeight * 3).fill(77);
  expect(source.readTile(level, col, row, into)).toBe('decoded');
  return into;
}

function rgbOf({ width, height, samples, data }: Picture): Uint8Array {
  const rgb = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++)
    for (let s = 0; s < 3; s++) rgb[i * 3 + s] = data[i * samples + (samples >= 3 ? s : 0)]!;
  return rgb;
}

function largestDifference(a: Uint8Array, b: Uint8Array): number {
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
}

describe('TiffSource on lossless tiles', () => {
  const lossless = (['none', 'lzw', 'deflate', 'packbits'] as const).flatMap(compression =>
    ([1, 2] as const).flatMap(predictor => [3, 4, 1, 2].map(samples => ({ compression, predictor, samples }))),
  );
  it.each(lossless)('decodes $compression with predictor $predictor and $samples samples', async options => {
    const picture = gradient(70, 50, options.samples);
    const source = await sourceOf({
      picture,
      tile: [32, 16],
      compression: options.compression,
      predictor: options.predictor,
    });
    for (const [col, row] of [
      [0, 0],
      [1, 1],
      [2, 3],
    ] as const)
      expect(read(source, col, row)).toEqual(rgbOf(cut(picture, col * 32, row * 16, 32, 16)));
    source.close();
  });

  it('inverts grey where white is zero', async () => {
    const picture = gradient(16, 16, 1);
    const source = await sourceOf({ picture, tile: [16, 16], photometric: 0 });
    expect(read(source, 0, 0)).toEqual(rgbOf(picture).map(value => 255 - value));
  });

  it.each(['none', 'lzw', 'deflate', 'packbits', 'jpeg'] as const)(
    'reads strips of %s, the last one shorter',
    async compression => {
      const picture = plain(40, 25, [200, 100, 50]);
      const source = await sourceOf({ picture, rowsPerStrip: 10, compression });
      const last = read(source, 0, 2).subarray(0, 40 * 5 * 3);
      expect(largestDifference(last, rgbOf(plain(40, 5, [200, 100, 50])))).toBeLessThanOrEqual(2);
    },
  );

  it('reads big-endian and BigTIFF files', async () => {
    const picture = gradient(200, 170);
    for (const options of [{ bigEndian: true }, { big: true }, { big: true, bigEndian: true }]) {
      // Sixteen tiles: geotiff.js reads such arrays as little-endian, which this must not.
      const source = await sourceOf({ picture, tile: [64, 48] }, options);
      expect(read(source, 2, 3)).toEqual(rgbOf(cut(picture, 128, 144, 64, 48)));
    }
  });
});

describe('TiffSource on JPEG tiles', () => {
  const picture = gradient(64, 64);

  it('decodes YCbCr by its tag, with and without chroma subsampling', async () => {
    const smooth = plain(64, 64, [180, 90, 140]);
    for (const subsampling of [jpegTurbo.SAMP_444, jpegTurbo.SAMP_420, jpegTurbo.SAMP_422]) {
      const source = await sourceOf({
        picture: smooth,
        tile: [64, 64],
        compression: 'jpeg',
        subsampling,
        photometric: 6,
      });
      expect(largestDifference(read(source, 0, 0), smooth.data)).toBeLessThanOrEqual(3);
    }
  });

  it('takes the tag over the markers in the tile', async () => {
    // The encoder writes YCbCr with a JFIF marker, which alone would make libjpeg convert: the tag says RGB.
    const source = await sourceOf({
      picture: plain(64, 64, [180, 90, 140]),
      tile: [64, 64],
      compression: 'jpeg',
      photometric: 2,
    });
    const [y, cb, cr] = read(source, 0, 0);
    expect(y).toBeCloseTo(0.299 * 180 + 0.587 * 90 + 0.114 * 140, -1);
    expect(cb).toBeGreaterThan(128);
    expect(cr).toBeGreaterThan(150);
  });

  it('does not believe the tag RGB where chroma is subsampled', async () => {
    const smooth = plain(64, 64, [180, 90, 140]);
    const source = await sourceOf({
      picture: smooth,
      tile: [64, 64],
      compression: 'jpeg',
      subsampling: jpegTurbo.SAMP_420,
      photometric: 2,
    });
    expect(largestDifference(read(source, 0, 0), smooth.data)).toBeLessThanOrEqual(3);
  });

  it('decodes grey', async () => {
    const source = await sourceOf({ picture: plain(32, 32, [90]), tile: [32, 32], compression: 'jpeg' });
    expect(largestDifference(read(source, 0, 0), new Uint8Array(32 * 32 * 3).fill(90))).toBeLessThanOrEqual(1);
  });

  it('merges tables that the tiles share', async () => {
    const jpeg = encodeJpeg(picture);
    const cutTables = splitTables(jpeg);
    const source = await sourceOf({
      picture,
      tile: [64, 64],
      compression: 'jpeg',
      damage: () => cutTables.tile,
      extra: [[347, 7, cutTables.tables]],
    });
    const whole = await sourceOf({ picture, tile: [64, 64], compression: 'jpeg' });
    expect(read(source, 0, 0)).toEqual(read(whole, 0, 0));
  });

  it.each<[string, (jpeg: Buffer) => Buffer, RegExp]>([
    ['is cut', jpeg => jpeg.subarray(0, jpeg.length * 0.6), /has no end/],
    [
      'is cut and ends again',
      jpeg => Buffer.concat([jpeg.subarray(0, jpeg.length * 0.6), Buffer.of(0xff, 0xd9)]),
      /cannot be decoded/,
    ],
    [
      'has zeros instead of its second half',
      jpeg =>
        Buffer.concat([jpeg.subarray(0, jpeg.length / 2), Buffer.alloc(jpeg.length / 2 - 2), Buffer.of(0xff, 0xd9)]),
      /cannot be decoded|has no end/,
    ],
    ['is zeros', jpeg => Buffer.alloc(jpeg.length), /not a JPEG/],
    ['is noise', jpeg => Buffer.from(jpeg.map((_, i) => (i * 167) & 255)), /not a JPEG/],
    ['has another size', () => encodeJpeg(gradient(128, 64)), /128 × 64 pixels instead of 64 × 64/],
    ['claims to be huge', jpeg => resized(jpeg, 65_535, 65_535), /65535 × 65535/],
    ['is grey', () => encodeJpeg(gradient(64, 64, 1)), /1 components/],
  ])('reports a tile that %s, and reads the next one', async (_, damage, message) => {
    const source = await sourceOf({
      picture: gradient(192, 64),
      tile: [64, 64],
      compression: 'jpeg',
      damage: (bytes, col) => (col === 1 ? damage(bytes) : bytes),
    });
    const error = await failureOf(() => source.readTile(0, 1, 0, new Uint8Array(64 * 64 * 3)));
    expect(error.code).toBe('TILE_CORRUPT');
    expect(error.message).toMatch(message);
    expect(error.message).toContain('tile (1, 0) of level 0');
    read(source, 2, 0);
  });

  it('survives any damage to a real tile', async () => {
    const { source } = await openSlide(SLIDE);
    const [level] = (source as TiffDescription).levels;
    const at = level!.offsets[64]!;
    const length = level!.byteCounts[64]!;
    const original = readFileSync(SLIDE);
    const into = new Uint8Array(240 * 240 * 3);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat({ max: length - 1 }), fc.integer({ min: 0, max: 255 })), {
          minLength: 1,
          maxLength: 12,
        }),
        async changes => {
          const bytes = Buffer.from(original);
          for (const [offset, value] of changes) bytes[at + offset] = value;
          const tiles = await openTileSource({ ...source, path: files.write('damaged.svs', bytes) });
          try {
            tiles.readTile(0, 4, 6, into);
          } catch (error) {
            expect(error).toBeInstanceOf(StromaflowError);
            expect((error as StromaflowError).code).toBe('TILE_CORRUPT');
          }
          tiles.close();
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('TiffSource on damaged lossless tiles', () => {
  it.each(['none', 'lzw', 'deflate', 'packbits'] as const)('reports a cut tile of %s', async compression => {
    const source = await sourceOf({
      picture: gradient(64, 32),
      tile: [32, 32],
      compression,
      damage: (bytes, col) => (col === 1 ? bytes.subarray(0, bytes.length / 3) : bytes),
    });
    read(source, 0, 0);
    const error = await failureOf(() => source.readTile(0, 1, 0, new Uint8Array(32 * 32 * 3)));
    expect(error.code).toBe('TILE_CORRUPT');
  });

  it.each(['lzw', 'deflate', 'packbits'] as const)('survives any bytes as %s', async compression => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 600 }), async noise => {
        const source = await sourceOf({
          picture: gradient(16, 16),
          tile: [16, 16],
          compression,
          damage: () => Buffer.from(noise),
        });
        try {
          source.readTile(0, 0, 0, new Uint8Array(16 * 16 * 3));
        } catch (error) {
          expect((error as StromaflowError).code).toBe('TILE_CORRUPT');
        }
        source.close();
      }),
      { numRuns: 40 },
    );
  });

  it('does not inflate a bomb', async () => {
    const { deflateSync } = await import('node:zlib');
    const bomb = deflateSync(Buffer.alloc(30_000_000));
    const source = await sourceOf({
      picture: gradient(64, 64),
      tile: [64, 64],
      compression: 'deflate',
      damage: () => bomb,
    });
    expect((await failureOf(() => source.readTile(0, 0, 0, new Uint8Array(64 * 64 * 3)))).code).toBe('TILE_CORRUPT');
  });
});

describe('TiffSource', () => {
  it('says which tiles the file does not store, and leaves the buffer alone', async () => {
    const source = await sourceOf({ picture: gradient(64, 32), tile: [32, 32], missing: col => col === 1 });
    const into = new Uint8Array(32 * 32 * 3).fill(5);
    expect(source.readTile(0, 1, 0, into)).toBe('missing');
    expect(into.every(value => value === 5)).toBe(true);
  });

  it('reads the sparse mask of a real algorithm', async () => {
    const page: PageOptions = {
      picture: gradient(256, 256, 1),
      tile: [64, 64],
      compression: 'lzw',
      missing: (col, row) => col !== row,
    };
    const source = await sourceOf(page, { big: true });
    const states = Array.from({ length: 16 }, (_, i) => source.readTile(0, i % 4, i >> 2, new Uint8Array(64 * 64 * 3)));
    expect(states.filter(state => state === 'decoded').length).toBe(4);
  });

  it('reports a file that shrank since it was opened, and one that is gone', async () => {
    const path = files.write('shrinks.tif', writeTiff([{ picture: gradient(64, 64), tile: [64, 64] }]));
    const { source } = await openSlide(path, { mpp: 0.5 });
    files.write('shrinks.tif', Buffer.alloc(100));
    const tiles = await openTileSource(source);
    const error = await failureOf(() => tiles.readTile(0, 0, 0, new Uint8Array(64 * 64 * 3)));
    expect(error.code).toBe('TILE_CORRUPT');
    expect(error.message).toMatch(/ends after 92 of 12288 bytes/);
    expect((await failureOf(() => openTileSource({ ...source, path: files.path('gone.tif') }))).code).toBe(
      'SLIDE_UNREADABLE',
    );
  });

  it('has no kind it does not know', async () => {
    expect((await failureOf(() => openTileSource({ kind: 'film', path: 'x' }))).code).toBe('SLIDE_UNSUPPORTED');
  });
});

/** A JPEG's tables as TIFF stores them, and the rest as an abbreviated stream. */
function splitTables(jpeg: Buffer): { tables: Buffer; tile: Buffer } {
  const tables: Buffer[] = [];
  const rest: Buffer[] = [];
  let at = 2;
  while (jpeg[at + 1] !== 0xda) {
    const end = at + 2 + jpeg.readUInt16BE(at + 2);
    (jpeg[at + 1] === 0xdb || jpeg[at + 1] === 0xc4 ? tables : rest).push(jpeg.subarray(at, end));
    at = end;
  }
  const soi = Buffer.of(0xff, 0xd8);
  return {
    tables: Buffer.concat([soi, ...tables, Buffer.of(0xff, 0xd9)]),
    tile: Buffer.concat([soi, ...rest, jpeg.subarray(at)]),
  };
}

function resized(jpeg: Buffer, width: number, height: number): Buffer {
  const bytes = Buffer.from(jpeg);
  const frame = bytes.indexOf(Buffer.of(0xff, 0xc0));
  bytes.writeUInt16BE(height, frame + 5);
  bytes.writeUInt16BE(width, frame + 7);
  return bytes;
}
