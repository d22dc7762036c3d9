import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { J2kDecoder } from '#src/codec/j2k/j2k-decoder.js';
import { JpegDecoder } from '#src/codec/jpeg/jpeg-decoder.js';
import { RawDecoder } from '#src/codec/raw/raw-decoder.js';
import { loadZstd } from '#src/codec/raw/zstd-decoder.js';
import { COMPRESSION, PHOTOMETRIC } from '#src/codec/tile-coding.js';
import { tileError } from '#src/codec/tile-decoder.js';
import { openSlide } from '#src/slide/open.js';
import { REPOSITORY, seedsOf } from '../corpus.mjs';
import { mutateBytes } from '../mutate.mjs';
import { mutateJpeg } from '../mutate-jpeg.mjs';
import { MIB } from './read-slide.mjs';

const SIDE = 64;
const level = (given = {}) => ({
  tileWidth: SIDE,
  tileHeight: SIDE,
  samplesPerPixel: 3,
  photometric: PHOTOMETRIC.rgb,
  predictor: 1,
  jpegTables: undefined,
  ...given,
});
const into = new Uint8Array(1024 * 1024 * 3);

/** A decoder says what is wrong with a tile instead of throwing; TiffSource makes it TILE_CORRUPT. */
function decode(decoder, bytes, rows = SIDE) {
  const tile = decoder.input(bytes.length);
  bytes.copy(tile);
  const problem = decoder.decode(tile, rows, into);
  if (problem) throw tileError('tile', 0, 0, 0, problem);
}

/** Some stored tiles of a slide, as they are, and the tables in front of them. */
async function storedTiles(path, count) {
  const { source } = await openSlide(path, { mpp: 0.5 });
  const [first] = source.levels;
  const file = readFileSync(path);
  const tiles = Array.from({ length: count }, (_, i) => {
    const tile = Math.floor((i * first.offsets.length) / count);
    return file.subarray(first.offsets[tile], first.offsets[tile] + first.byteCounts[tile]);
  });
  return { first, tiles: tiles.map((bytes, i) => ({ name: `tile ${i}`, bytes })) };
}

const CMU = join(REPOSITORY, 'test/fixtures/CMU-1-Small-Region.svs');
const ZSTD = join(REPOSITORY, 'test/fixtures/zstd.tif');
const TCGA = join(REPOSITORY, '../shared/data/slides/tcga-cr-7395-01a-01-ts1.svs');

/** Large enough that a scan too many costs time. */
const LARGE = 1024;
const largeProgressive = () =>
  sharp({ create: { width: LARGE, height: LARGE, channels: 3, background: '#c8a' } })
    .jpeg({ progressive: true })
    .toBuffer();

/** Sizes as every kind of level has them: a tile must fit its own. */
let jpegDecoders;

const j2kFrames = () => {
  const frames = JSON.parse(readFileSync(join(REPOSITORY, 'test/golden/dicom/jpeg2000-frames.json'), 'utf8'));
  return Object.values(frames)
    .flat()
    .filter(text => typeof text === 'string')
    .map((text, i) => ({ name: `frame ${i}`, bytes: Buffer.from(text, 'base64') }));
};

/** Of one size, chroma at half the width or height. */
const subsampled = () => {
  const streams = JSON.parse(readFileSync(join(REPOSITORY, 'test/golden/j2k_subsampled.json'), 'utf8'));
  return Object.entries(streams)
    .filter(([, { width, height }]) => width === 64 && height === 48)
    .map(([name, { j2k }]) => ({ name, bytes: Buffer.from(j2k, 'base64') }));
};

const raw = name => {
  const compression = COMPRESSION[name];
  const decoders = [1, 2].map(predictor => new RawDecoder(level({ compression, predictor })));
  return {
    name: `tile-${name.toLowerCase()}`,
    seeds: () => seedsOf('corpus', 'raw', new RegExp(`^${name.toLowerCase()}$`)),
    mutate: mutateBytes,
    codes: ['TILE_CORRUPT'],
    bound: { base: 4 * MIB, perByte: 16 },
    run: bytes => {
      let failure;
      for (const decoder of decoders) {
        try {
          decode(decoder, bytes);
        } catch (error) {
          failure = error;
        }
      }
      if (failure) throw failure;
    },
  };
};

/** Stored tiles of every coding, as the fast path decodes them. */
export const TILES = [
  {
    name: 'tile-jpeg',
    seeds: async () => [
      { name: 'large progressive', bytes: await largeProgressive() },
      ...seedsOf('corpus', 'jpeg', /\.jpg$/),
      ...(await storedTiles(CMU, 6)).tiles,
    ],
    mutate: mutateJpeg,
    codes: ['TILE_CORRUPT'],
    bound: { base: 4 * MIB, perByte: 16 },
    setUp: async () => {
      const { first } = await storedTiles(CMU, 1);
      const kinds = [
        level(),
        level({ photometric: PHOTOMETRIC.yCbCr }),
        level({ samplesPerPixel: 1, photometric: PHOTOMETRIC.blackIsZero }),
        level({ jpegTables: first.jpegTables, tileWidth: 240, tileHeight: 240 }),
        level({ photometric: PHOTOMETRIC.yCbCr, tileWidth: LARGE, tileHeight: LARGE }),
      ];
      jpegDecoders = kinds.map(kind => new JpegDecoder(kind));
    },
    run: bytes => {
      let failure;
      for (const decoder of jpegDecoders) {
        try {
          decode(decoder, bytes, 1);
          failure = null;
        } catch (error) {
          if (failure === undefined) failure = error;
        }
      }
      if (failure) throw failure;
    },
  },
  {
    name: 'tile-jpeg2000',
    seeds: async () => [
      ...j2kFrames(),
      ...subsampled(),
      ...(await storedTiles(TCGA, 2).catch(() => ({ tiles: [] }))).tiles,
    ],
    mutate: mutateBytes,
    // Main header, and the markers of tile-parts.
    places: bytes => Array.from({ length: Math.min(160, bytes.length) }, (_, i) => i),
    codes: ['TILE_CORRUPT'],
    bound: { base: 16 * MIB, perByte: 16 },
    run: async bytes => {
      const isSubsampled = bytes.length > 43 && bytes.readUInt32BE(8) === 64;
      const [width, height] = bytes.length > 10_000 ? [256, 256] : isSubsampled ? [64, 48] : [32, 24];
      for (const compression of [COMPRESSION.j2kRgb, COMPRESSION.j2kYCbCr])
        decode(await J2kDecoder.load(level({ tileWidth: width, tileHeight: height, compression })), bytes, 1);
    },
  },
  ...['none', 'lzw', 'deflate', 'packBits'].map(raw),
  {
    name: 'tile-zstd',
    seeds: async () => (await storedTiles(ZSTD, 3)).tiles,
    mutate: mutateBytes,
    // The frame's header, and the first block's.
    places: () => Array.from({ length: 12 }, (_, i) => i),
    codes: ['TILE_CORRUPT'],
    bound: { base: 4 * MIB, perByte: 16 },
    run: async bytes => {
      const side = { tileWidth: 32, tileHeight: 32, predictor: 2 };
      decode(new RawDecoder(level({ compression: COMPRESSION.zstd, ...side }), await loadZstd()), bytes, 32);
    },
  },
];
