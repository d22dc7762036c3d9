import { closeSync, openSync, statSync, truncateSync, writeSync } from 'node:fs';
import { openGrowingTiff } from '#src/live/growing-tiff.js';
import { TiffListing } from '#src/live/tiff-listing.js';
import { lacksTiles } from '#src/live/tile-bytes.js';
import { openSlide } from '#src/slide/open.js';
import { seedsOf } from '../corpus.mjs';
import { mutateTiff } from '../mutate-tiff.mjs';
import { MIB, readSlide, SLIDE_CODES } from './read-slide.mjs';

const small = () => [...seedsOf('corpus', 'tiff', /\.tif$/), ...seedsOf('shared', 'slides', /boxes\.tiff$/)];
const tiff = () => [
  ...small(),
  ...seedsOf('fixtures', '.', /(CMU-1-Small-Region\.svs|images\/\w+\.tif)$/),
  ...seedsOf('shared', 'slides', /tcga.*\.svs$/),
];

const SPARSE_BYTES = 2 ** 40;
const FOLLOW = { mpp: 0.5, pollSeconds: 0.001, stallSeconds: -1, settleSeconds: 0.001, events: false };

/** TIFF directories, classic and BigTIFF, pyramids, SubIFDs, and the tiles they lead to. */
export const SLIDES = [
  {
    name: 'tiff',
    seeds: tiff,
    mutate: mutateTiff,
    codes: SLIDE_CODES,
    bound: { base: 40 * MIB, perByte: 64 },
    run: (bytes, files) => readSlide(files.write('slide.tif', bytes), bytes.length > MIB ? 2 : 4),
  },
  {
    // A file may claim any size without a byte on disk: counts inside the file are no bound.
    name: 'tiff-sparse',
    seeds: small,
    mutate: mutateTiff,
    codes: SLIDE_CODES,
    bound: { base: 640 * MIB, perByte: 64 },
    run: async (bytes, files) => {
      const path = files.write('slide.tif', bytes);
      truncateSync(path, SPARSE_BYTES);
      await readSlide(path, 1);
    },
  },
  {
    // A scanner's directory as it is being written: looks at a half-written file, at a damaged one and at the whole.
    name: 'tiff-growing',
    seeds: small,
    mutate: mutateTiff,
    codes: SLIDE_CODES,
    bound: { base: 40 * MIB, perByte: 256 },
    run: async (bytes, files) => {
      const path = files.write('growing.tif', bytes);
      let failure;
      const attempt = async step => {
        try {
          return await step();
        } catch (error) {
          if (!('code' in error) || !SLIDE_CODES.includes(error.code)) throw error;
          failure ??= error;
        }
      };
      const listing = new TiffListing(path, 0);
      const look = () => attempt(() => listing.read(({ offsets, byteCounts }) => offsets.length - byteCounts.length));
      await look();
      const slide = await attempt(() => openSlide(path, { mpp: 0.5, growing: true }));
      if (slide) lacksTiles(slide.source);
      const { size } = statSync(path);
      // Half of it is no news to a follower.
      truncateSync(path, size >> 1);
      await listing.read(() => undefined).catch(() => undefined);
      const fd = openSync(path, 'r+');
      writeSync(fd, bytes, 0, bytes.length, 0);
      closeSync(fd);
      await look();
      if (slide && bytes[bytes.length - 1] % 16 === 0) await attempt(() => follow(path));
      if (failure) throw failure;
    },
  },
];

/** Follows a growing file until it is complete, stalled, replaced or gone. */
async function follow(path) {
  const live = await openGrowingTiff(path, { ...FOLLOW, id: 'slide' });
  try {
    for await (const { tiles } of live.follow(live.opened.info.levels.length - 1, AbortSignal.timeout(1000)))
      tiles.at(0);
    live.growth.content(0);
  } finally {
    await live.close();
  }
}
