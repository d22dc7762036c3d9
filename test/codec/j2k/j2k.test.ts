import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { J2kDecoder } from '#src/codec/j2k/j2k-decoder.js';
import { openSlide } from '#src/slide/open.js';
import { openTileSource } from '#src/slide/open-source.js';
import type { TiffLevel } from '#src/slide/tiff/description.js';
import { failureOf, scratch } from '../../slide/fixture.js';
import { cut, gradient, type PageOptions, type Picture, writeTiff } from '../../slide/tiff-writer.js';

const files = scratch();
afterAll(() => files.remove());

interface Encoder {
  getDecodedBuffer(info: object): Uint8Array;
  getEncodedBuffer(): Uint8Array;
  setQuality(lossless: boolean, quality: number): void;
  encode(): void;
}
let encoder: Encoder;
beforeAll(async () => {
  const name = '@cornerstonejs/codec-openjpeg/wasmjs';
  const { default: create } = (await import(name)) as {
    default: (options: object) => Promise<{ J2KEncoder: new () => Encoder }>;
  };
  const quiet = { print: () => {}, printErr: () => {} };
  encoder = new (await create(quiet)).J2KEncoder();
});

/** A codestream without loss; OpenJPEG uses the reversible colour transform for three components. */
function encode({ width, height, samples, data }: Picture): Buffer {
  const info = {
    width,
    height,
    bitsPerSample: 8,
    componentCount: samples,
    isSigned: false,
    isUsingColorTransform: true,
  };
  encoder.getDecodedBuffer(info).set(data);
  encoder.setQuality(true, 0);
  encoder.encode();
  return Buffer.from(encoder.getEncodedBuffer());
}

interface Golden {
  readonly width: number;
  readonly height: number;
  readonly plain: boolean;
  readonly j2k: string;
  readonly sha256: string;
  /** Base64. */
  readonly rgb?: string;
}
const golden = (name: string): Record<string, Golden> =>
  JSON.parse(readFileSync(new URL(`../../golden/${name}.json`, import.meta.url), 'utf8'));
const GOLDEN = golden('j2k_plain');
const SUBSAMPLED = golden('j2k_subsampled');
const hash = (pixels: Uint8Array): string => createHash('sha256').update(pixels).digest('hex');

async function decode(level: Partial<TiffLevel>, width: number, height: number, j2k: string): Promise<Uint8Array> {
  const decoder = await J2kDecoder.load({ ...level, tileWidth: width, tileHeight: height } as TiffLevel);
  const bytes = Buffer.from(j2k, 'base64');
  const tile = decoder.input(bytes.length);
  bytes.copy(tile);
  const pixels = new Uint8Array(width * height * 3);
  const problem = decoder.decode(tile, height, pixels);
  if (problem !== undefined) throw new Error(String(problem));
  return pixels;
}

let counter = 0;
async function open(
  page: PageOptions,
  compression: number,
  change: (bytes: Buffer, col: number) => Buffer = bytes => bytes,
) {
  const [width, height] = page.tile!;
  const picture = page.picture;
  const bytes = writeTiff([
    {
      ...page,
      damage: (_, col, row) => change(encode(cut(picture, col * width, row * height, width, height)), col),
      extra: [[259, 3, [compression]]],
    },
  ]);
  const { source, info } = await openSlide(files.write(`${counter++}.svs`, bytes), { mpp: 0.5 });
  return { tiles: await openTileSource(source), info };
}

describe('JPEG 2000 tiles', () => {
  const picture = gradient(130, 70);

  it('are decoded as they are (33005)', async () => {
    const { tiles, info } = await open({ picture, tile: [64, 64] }, 33005);
    expect(info.properties).toMatchObject({ compression: 'JPEG 2000 (RGB)' });
    const into = new Uint8Array(64 * 64 * 3);
    for (const [col, row] of [
      [0, 0],
      [1, 1],
      [2, 0],
    ] as const) {
      expect(tiles.readTile(0, col, row, into)).toBe('decoded');
      expect(Buffer.compare(into, cut(picture, col * 64, row * 64, 64, 64).data)).toBe(0);
    }
    tiles.close();
  });

  it.each([
    ['33003', { compression: 33003, photometric: 2 }],
    ['34712 that is tagged so', { compression: 34712, photometric: 6 }],
  ])('of %s are YCbCr where the stream has no transform of its own', async (_, level) => {
    const { width, height, j2k } = GOLDEN['lossless without a component transform']!;
    const raw = await decode({ compression: 33005, photometric: 2 }, width, height, j2k);
    const pixels = await decode(level, width, height, j2k);
    for (let at = 0; at < raw.length; at += 3) {
      // Full-range YCbCr, by ITU-T T.871.
      const [y, cb, cr] = [raw[at]!, raw[at + 1]! - 128, raw[at + 2]! - 128];
      const rgb = [y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb];
      for (const [i, value] of rgb.entries())
        expect(Math.abs(pixels[at + i]! - Math.min(255, Math.max(0, value)))).toBeLessThanOrEqual(1);
    }
  });

  it.each([33003, 33005, 34712])('of %i are RGB where the stream has one, whatever its tags say', async compression => {
    const colours = gradient(64, 64);
    const stream = encode(colours).toString('base64');
    expect(Buffer.compare(await decode({ compression, photometric: 6 }, 64, 64, stream), colours.data)).toBe(0);
  });

  it.each(Object.entries(SUBSAMPLED).filter(([, { plain }]) => plain))(
    'with chroma at lower resolution are OpenSlide’s to the bit: %s',
    async (_, { width, height, j2k, sha256 }) => {
      expect(hash(await decode({ compression: 33003, photometric: 2 }, width, height, j2k))).toBe(sha256);
      // What is not at full resolution is no colour channel.
      expect(hash(await decode({ compression: 33005, photometric: 2 }, width, height, j2k))).toBe(sha256);
    },
  );

  it.each(Object.entries(SUBSAMPLED).filter(([, { plain }]) => !plain))(
    'with chroma at half the width are read by OpenJPEG where they are not plain: %s',
    async (_, { width, height, j2k, rgb }) => {
      const expected = Buffer.from(rgb!, 'base64');
      const pixels = await decode({ compression: 33003, photometric: 2 }, width, height, j2k);
      expect(pixels.every((value, i) => Math.abs(value - expected[i]!) <= 1)).toBe(true);
    },
  );

  it('in a JP2 file are read', async () => {
    const { width, height, j2k, sha256 } = GOLDEN['lossless']!;
    const box = (type: string, content: Buffer) => {
      const head = Buffer.alloc(8);
      head.writeUInt32BE(8 + content.length);
      head.write(type, 4, 'latin1');
      return Buffer.concat([head, content]);
    };
    const signature = box('jP  ', Buffer.from([0x0d, 0x0a, 0x87, 0x0a]));
    const stream = Buffer.from(j2k, 'base64');
    const jp2 = Buffer.concat([signature, box('ftyp', Buffer.from('jp2 \0\0\0\0jp2 ')), box('jp2c', stream)]);
    const level = { compression: 34712, photometric: 2 };
    expect(hash(await decode(level, width, height, jp2.toString('base64')))).toBe(sha256);
    const broken = Buffer.concat([signature, Buffer.alloc(200)]);
    await expect(decode(level, width, height, broken.toString('base64'))).rejects.toThrow('is not a JPEG 2000 stream');
  });

  it.each<[string, (bytes: Buffer) => Buffer, RegExp]>([
    ['is cut', bytes => bytes.subarray(0, bytes.length * 0.7), /cannot be decoded/],
    ['is noise', bytes => Buffer.from(bytes.map((_, i) => (i * 77) & 255)), /not a JPEG 2000/],
    [
      'has a damaged header',
      bytes => Buffer.concat([bytes.subarray(0, 60), Buffer.alloc(bytes.length - 60, 0x55)]),
      /cannot be decoded/,
    ],
    ['has another size', () => encode(gradient(32, 64)), /32 × 64 pixels/],
    ['is grey', () => encode(gradient(64, 64, 1)), /unusual components/],
  ])('report one that %s, and the next is read', async (_, damage, message) => {
    const { tiles } = await open({ picture, tile: [64, 64] }, 33005, (bytes, col) =>
      col === 1 ? damage(bytes) : bytes,
    );
    const into = new Uint8Array(64 * 64 * 3);
    const error = await failureOf(() => tiles.readTile(0, 1, 0, into));
    expect(error.code).toBe('TILE_CORRUPT');
    expect(error.message).toMatch(message);
    expect(tiles.readTile(0, 2, 0, into)).toBe('decoded');
    expect(Buffer.compare(into, cut(picture, 128, 0, 64, 64).data)).toBe(0);
  });

  it.each(['precincts', 'tiles', 'lossy'])(
    'of any kind are read, by OpenJPEG where they are not plain: %s',
    async name => {
      const { width, height, j2k, sha256 } = GOLDEN[name]!;
      expect(hash(await decode({ compression: 33005, photometric: 2 }, width, height, j2k))).toBe(sha256);
    },
  );

  it('of one sample are refused when the slide is opened', async () => {
    const error = await failureOf(() => open({ picture: gradient(64, 64, 1), tile: [64, 64] }, 33005));
    expect(error.code).toBe('SLIDE_UNSUPPORTED');
  });
});
