import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { J2kDecoder } from '#src/slide/j2k-decoder.js';
import { openSlide } from '#src/slide/open.js';
import { openTileSource } from '#src/slide/open-source.js';
import type { TiffLevel } from '#src/slide/tiff-description.js';
import { failureOf, scratch } from './fixture.js';
import { cut, gradient, type PageOptions, type Picture, plain, writeTiff } from './tiff-writer.js';

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

  it('of 33003 are YCbCr, whatever the photometric tag says', async () => {
    // Full-range YCbCr of (180, 90, 140), by ITU-T T.871.
    const colour = [0.299 * 180 + 0.587 * 90 + 0.114 * 140, 0, 0];
    colour[1] = 128 + (140 - colour[0]!) * 0.564;
    colour[2] = 128 + (180 - colour[0]!) * 0.713;
    const { tiles } = await open({ picture: plain(64, 64, colour.map(Math.round)), tile: [64, 64] }, 33003);
    const into = new Uint8Array(64 * 64 * 3);
    tiles.readTile(0, 0, 0, into);
    for (const [channel, value] of [180, 90, 140].entries())
      expect(Math.abs(into[channel]! - value)).toBeLessThanOrEqual(1);
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
      const all = JSON.parse(readFileSync(new URL('../golden/j2k_plain.json', import.meta.url), 'utf8'));
      const { width, height, j2k, sha256 } = all[name];
      const decoder = await J2kDecoder.load({ tileWidth: width, tileHeight: height, compression: 33005 } as TiffLevel);
      const bytes = Buffer.from(j2k, 'base64');
      const tile = decoder.input(bytes.length);
      bytes.copy(tile);
      const pixels = new Uint8Array(width * height * 3);
      expect(decoder.decode(tile, height, pixels)).toBeUndefined();
      expect(createHash('sha256').update(pixels).digest('hex')).toBe(sha256);
    },
  );

  it('of one sample are refused when the slide is opened', async () => {
    const error = await failureOf(() => open({ picture: gradient(64, 64, 1), tile: [64, 64] }, 33005));
    expect(error.code).toBe('SLIDE_UNSUPPORTED');
  });
});
