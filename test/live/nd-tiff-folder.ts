import { appendFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openGrowingNdTiff } from '#src/live/growing-ndtiff.js';
import type { GrowingOptions } from '#src/live/growing-options.js';
import type { LiveSlide } from '#src/live/live-slide.js';
import { encodeImage, encodeIndexEntry, encodePartHeader, NDTIFF_TYPE } from '#src/simulate/ndtiff-entry.js';
import { readDataSet } from '#src/slide/ndtiff/data-set.js';
import { temporaryFolder } from '../support/temporary.js';
import { QUICK } from './follow.js';

/** A slide of 3 × 2 tiles of 4 pixels. */
export const SUMMARY = { Width: 12, Height: 8, TileWidth: 4, TileHeight: 4, PixelSize_um: 0.5 };
const PART = 'slide_NDTiffStack.tif';

/** An NDTiff data set that the test writes as Micro-Manager would. */
export function ndTiffFolder(summary: object = SUMMARY) {
  const folder = temporaryFolder('ndtiff');
  const [index, part] = [join(folder, 'NDTiff.index'), join(folder, PART)];
  writeFileSync(part, encodePartHeader(summary));
  writeFileSync(index, '');
  const entryOf = (tile: number, grey: number, axes: object): { pixels: Buffer; entry: Buffer } => {
    const image = encodeImage(statSync(part).size, 4, 4, Buffer.alloc(48, grey), {}, false);
    const place = { row: Math.floor(tile / 3), column: tile % 3, ...axes };
    return { pixels: image.bytes, entry: encodeIndexEntry(place, PART, [4, 4], NDTIFF_TYPE.rgb8, image) };
  };
  return {
    folder,
    index,
    part,
    /** Writes a tile's pixels, then its entry. */
    put: (tile: number, grey = tile + 1, axes: object = {}): void => {
      const { pixels, entry } = entryOf(tile, grey, axes);
      appendFileSync(part, pixels);
      appendFileSync(index, entry);
    },
    entryOf,
    open: (more: Partial<GrowingOptions> = {}): LiveSlide | undefined =>
      openGrowingNdTiff(readDataSet(index), { ...QUICK, mpp: undefined, ...more }),
  };
}
