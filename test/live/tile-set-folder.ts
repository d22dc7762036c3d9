import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { openGrowingTileFolder } from '#src/live/growing-tile-folder.js';
import type { LiveSlide } from '#src/live/live-slide.js';
import { readTileSet } from '#src/slide/tile-folder/read-tile-set.js';
import { temporaryFolder } from '../support/temporary.js';
import { QUICK } from './follow.js';

/** A slide of 3 × 2 tiles of 8 pixels. */
export const MANIFEST = { width: 24, height: 16, tileWidth: 8, tileHeight: 8, mpp: 0.5, pattern: 'X{col}Y{row}.png' };
export const COLS = 3;

/** A tile of one grey, all of the same length in the same format. */
export const tileOf = (grey: number): Promise<Buffer> =>
  sharp(Buffer.alloc(192, grey), { raw: { width: 8, height: 8, channels: 3 } })
    .png()
    .toBuffer();

type Options = Omit<Partial<typeof QUICK>, 'mpp'> & { readonly mpp?: number | undefined };

/** A folder of tiles that the test writes as a scanner would. */
export function tileSetFolder(manifest: object = MANIFEST) {
  const folder = join(temporaryFolder('tiles'), 'slide');
  const path = join(folder, 'manifest.json');
  const put = (name: string, bytes: Uint8Array | string): void => {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), bytes);
  };
  put('manifest.json', JSON.stringify(manifest));
  return {
    folder,
    put,
    /** Puts tiles of the one level there, in this order. */
    tiles: async (numbers: readonly number[]): Promise<void> => {
      for (const tile of numbers) put(`X${tile % COLS}Y${Math.floor(tile / COLS)}.png`, await tileOf(tile));
    },
    open: (more: Options = {}, still?: () => boolean): LiveSlide =>
      openGrowingTileFolder(readTileSet(path)!, { ...QUICK, ...more }, still),
  };
}
