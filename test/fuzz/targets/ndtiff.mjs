import { join } from 'node:path';
import { openGrowingNdTiff } from '#src/live/growing-ndtiff.js';
import { encodeImage, encodeIndexEntry, encodePartHeader } from '#src/simulate/ndtiff-entry.js';
import { readDataSet } from '#src/slide/ndtiff/data-set.js';
import { NdTiffSource } from '#src/slide/ndtiff/ndtiff-source.js';
import { mutateBytes } from '../mutate.mjs';
import { mutateText } from '../mutate-text.mjs';
import { MIB, readSlide, readTiles, SLIDE_CODES } from './read-slide.mjs';

const FOLLOW = { mpp: 0.5, id: 'slide', pollSeconds: 0.001, stallSeconds: -1, settleSeconds: 0.001, events: false };
const SIDE = 16;
const PART = 'slide_NDTiffStack.tif';
const SUMMARY = { PixelSize_um: 0.5, Width: 40, Height: 30, TileWidth: SIDE, TileHeight: SIDE };

/** A sound data set of 3 × 2 tiles. */
const { part, index } = makeDataSet(SUMMARY);
const { part: partWithoutSize } = makeDataSet({ PixelSize_um: 0.5, Notes: ' '.repeat(100) });

function makeDataSet(summary) {
  const images = [encodePartHeader(summary)];
  const entries = [];
  let end = images[0].length;
  for (let row = 0; row < 2; row++)
    for (let column = 0; column < 3; column++) {
      const axes = { row, column };
      const image = encodeImage(
        end,
        SIDE,
        SIDE,
        Buffer.alloc(SIDE * SIDE * 3, 32 * (row + column)),
        { Axes: axes },
        false,
      );
      images.push(image.bytes);
      entries.push(encodeIndexEntry(axes, PART, [SIDE, SIDE], 2, image));
      end += image.bytes.length;
    }
  return { part: Buffer.concat(images), index: Buffer.concat(entries) };
}

/** Follows one of a stated size for one look and reads what came; opens another as a finished one. */
async function readBoth(files) {
  const index = join(files.folder, 'NDTiff.index');
  const live = openGrowingNdTiff(readDataSet(index), FOLLOW);
  if (!live) return readSlide(index);
  try {
    for await (const { tiles } of live.follow(0, AbortSignal.timeout(2000))) tiles.at(0);
    live.growth.content(0);
    await readTiles(new NdTiffSource(live.sourceFor()));
  } finally {
    await live.close();
  }
}

const target = (name, mutate, seed, put) => ({
  name,
  seeds: () => [{ name, bytes: seed }],
  mutate,
  codes: SLIDE_CODES,
  bound: { base: 160 * MIB, perByte: 64 },
  run: async (bytes, files) => {
    await put(bytes, files);
    await readBoth(files);
  },
});

/** NDTiff data sets: the index, the head of a part, and the metadata in it. */
export const NDTIFF = [
  target('ndtiff-index', mutateBytes, index, (bytes, files) => {
    files.write(PART, part);
    files.write('NDTiff.index', bytes);
  }),
  target('ndtiff-whole', mutateBytes, index, (bytes, files) => {
    files.write(PART, partWithoutSize);
    files.write('NDTiff.index', bytes);
  }),
  target('ndtiff-part', mutateBytes, part.subarray(0, 400), (bytes, files) => {
    files.write(PART, bytes);
    files.write('NDTiff.index', index);
  }),
  target('ndtiff-summary', mutateText, Buffer.from(JSON.stringify(SUMMARY)), (bytes, files) => {
    const head = Buffer.concat([encodePartHeader({}).subarray(0, 28), bytes]);
    head.writeUInt32LE(bytes.length, 24);
    files.write(PART, head);
    files.write('NDTiff.index', index);
  }),
];
