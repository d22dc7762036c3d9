import { parseLabelMap } from '#src/evaluate/labels.js';
import { maskImageSource, readMaskImage } from '#src/evaluate/mask-image.js';
import { openMaskTiff } from '#src/evaluate/mask-tiff.js';
import { openImageAsSlide, openImageTileSource } from '#src/slide/image/image-source.js';
import { seedsOf } from '../corpus.mjs';
import { mutateBytes } from '../mutate.mjs';
import { mutatePng } from '../mutate-png.mjs';
import { mutateTiff } from '../mutate-tiff.mjs';
import { MIB, readTiles } from './read-slide.mjs';

const MAP = parseLabelMap({ positive: '1,2', colours: '#ff0000=1' });
const WINDOW = { x: 0, y: 0, step: 1, side: 64, width: 64, height: 48 };
const FRAME = { width: 70, height: 50, spacing: { x: 0.5, y: 0.5 } };
const into = new Uint8Array(64 * 64);
const pngs = () => [...seedsOf('corpus', 'image', /\.png$/), ...seedsOf('fixtures', 'tiger', /masks\/[^/]*\.png$/)];
const masks = () => [
  ...seedsOf('corpus', 'mask', /\.tif$/),
  ...seedsOf('fixtures', 'tiger', /masks\/[^/]*\.tif$/),
  ...seedsOf('shared', 'tiger', /segmentation\.tif$/),
];

/** Labels as pictures, and labelled pictures. */
export const MASKS = [
  {
    name: 'mask-png',
    seeds: pngs,
    mutate: mutatePng,
    codes: ['LABELS_INVALID'],
    // Whole masks are decoded in memory, up to 2^28 pixels that their bytes must really hold.
    bound: { base: 16 * MIB, perByte: 2048 },
    run: async (bytes, files) => {
      const mask = await readMaskImage(files.write('mask.png', bytes), MAP);
      await maskImageSource(mask, { width: mask.width * 2, height: mask.height * 2 }).read(WINDOW, into);
    },
  },
  {
    name: 'mask-tiff',
    seeds: masks,
    mutate: mutateTiff,
    codes: ['LABELS_INVALID'],
    bound: { base: 272 * MIB, perByte: 64 },
    run: async (bytes, files) => {
      const path = files.write('mask.tif', bytes);
      const source = await openMaskTiff(path, MAP, FRAME);
      try {
        await source.read(WINDOW, into);
        await source.read({ ...WINDOW, x: 20, step: 8 }, into);
      } finally {
        await source.close();
      }
    },
  },
  {
    name: 'image',
    seeds: () => [...pngs(), ...seedsOf('corpus', 'jpeg', /\.jpg$/), ...seedsOf('corpus', 'image', /\.(webp|tif)$/)],
    mutate: (bytes, random, hints) => (bytes[0] === 0x89 ? mutatePng : mutateBytes)(bytes, random, hints),
    codes: ['SLIDE_UNREADABLE', 'SLIDE_UNSUPPORTED'],
    bound: { base: 320 * MIB, perByte: 64 },
    run: async (bytes, files) => {
      const { source } = await openImageAsSlide(files.write('image.bin', bytes), { mpp: 0.5, spacing: 0.5 });
      await readTiles(openImageTileSource(source));
    },
  },
];
