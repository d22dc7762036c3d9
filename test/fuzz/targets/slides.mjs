import { closeSync, openSync, statSync, truncateSync, writeSync } from 'node:fs';
import { StromaflowError } from '#src/errors.js';
import { openGrowingTiff } from '#src/live/growing-tiff.js';
import { TiffListing } from '#src/live/tiff-listing.js';
import { wholenessOf } from '#src/live/tile-bytes.js';
import { openSlide } from '#src/slide/open.js';
import { recogniseTiff } from '#src/slide/tiff/format.js';
import { seedsOf, textSeed } from '../corpus.mjs';
import { mutateText } from '../mutate-text.mjs';
import { mutateTiff } from '../mutate-tiff.mjs';
import { MIB, readSlide, SLIDE_CODES } from './read-slide.mjs';

const small = () => [...seedsOf('corpus', 'tiff', /\.tif$/), ...seedsOf('shared', 'slides', /boxes\.tiff$/)];
const tiff = () => [
  ...small(),
  ...seedsOf('fixtures', '.', /(CMU-1-Small-Region\.svs|images\/\w+\.tif)$/),
  ...seedsOf('shared', 'slides', /tcga.*\.svs$/),
];

const OME = textSeed(
  'a.xml',
  `<?xml version="1.0"?><!-- b --><OME UUID="urn:uuid:1"><Instrument><Objective NominalMagnification="20"/></Instrument>${[
    0, 1,
  ]
    .map(
      i =>
        `<Image ID="Image:${i}" Name="a &amp; &#181;"><Pixels DimensionOrder="XYCZT" SizeX="512" SizeY="512" SizeC="3" SizeZ="3" SizeT="1" PhysicalSizeX="0.5" PhysicalSizeXUnit='&#xB5;m' PhysicalSizeY="5e-5" PhysicalSizeYUnit="cm"><Channel SamplesPerPixel="3"/><TiffData IFD="${i * 3}" FirstZ="0" PlaneCount="3"><UUID FileName="a.ome.tif">urn:uuid:1</UUID></TiffData></Pixels></Image>`,
    )
    .join('')}<![CDATA[x]]></OME>`,
);
/** A page of three samples of eight bits in tiles. */
const PAGE = {
  height: 512,
  tileWidth: 64,
  tileHeight: 64,
  tiled: true,
  compression: 1,
  photometric: 2,
  bitsPerSample: [8, 8, 8],
  samplesPerPixel: 3,
  extraSamples: [],
  planarConfiguration: 1,
  predictor: 1,
  sampleFormat: 1,
  subfileType: 0,
  description: '',
  directory: { offset: 0, entries: new Map() },
  subDirectories: [],
  lostSubDirectories: 0,
};

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
    name: 'ome-xml',
    seeds: () => [OME],
    mutate: mutateText,
    codes: ['SLIDE_UNSUPPORTED'],
    bound: { base: 4 * MIB, perByte: 64 },
    run: bytes => {
      const pages = Array.from({ length: 8 }, (_, index) => ({ ...PAGE, index, width: 512 - index * 32 }));
      pages[0].description = bytes.toString('utf8');
      const format = recogniseTiff(pages, { fileName: 'a.ome.tif' });
      for (const scene of format?.scenes ?? []) recogniseTiff(pages, { fileName: 'a.ome.tif', scene });
      if (format?.problem) throw new StromaflowError('SLIDE_UNSUPPORTED', format.problem.what);
    },
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
      const slide = await attempt(() => openSlide(path, { mpp: 0.5, growing: true }));
      // Of one that cannot be opened no level is known: any will do to have it parsed.
      const listing = new TiffListing(
        path,
        slide?.source.levels[0] ?? { width: 1, height: 1, tileWidth: 1, tileHeight: 1 },
      );
      const look = () => attempt(() => listing.read(({ offsets, byteCounts }) => offsets.length - byteCounts.length));
      await look();
      if (slide) await wholenessOf(slide.source);
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
