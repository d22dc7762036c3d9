import { openSlide } from '#src/slide/open.js';
import { openTileSource } from '#src/slide/open-source.js';

/** Errors that a damaged slide may end in. */
export const SLIDE_CODES = ['SLIDE_UNREADABLE', 'SLIDE_TRUNCATED', 'SLIDE_UNSUPPORTED', 'SLIDE_NO_MPP', 'TILE_CORRUPT'];

export const MIB = 2 ** 20;

/** Larger tiles are allowed (docs/slides.md), and cost what they say; here they would only cost time. */
export const MOST_TILE_PIXELS = MIB;

/** Opens a slide and reads some tiles of each level; a damaged tile does not keep the others from being read. */
export async function readSlide(path, tilesOfLevel = 4) {
  const { source } = await openSlide(path, { mpp: 0.5 });
  await readTiles(await openTileSource(source), tilesOfLevel);
}

/** @throws the first tile's error, after all were read; closes the source. */
export async function readTiles(source, tilesOfLevel = 4) {
  let failure;
  try {
    for (const [level, { width, height, tileWidth, tileHeight }] of source.levels.slice(0, 8).entries()) {
      if (tileWidth * tileHeight > MOST_TILE_PIXELS) continue;
      const into = Buffer.alloc(tileWidth * tileHeight * 3);
      const [cols, rows] = [Math.ceil(width / tileWidth), Math.ceil(height / tileHeight)];
      for (let tile = 0; tile < Math.min(tilesOfLevel, cols * rows); tile++) {
        const place = tile === tilesOfLevel - 1 ? cols * rows - 1 : tile;
        try {
          await source.readTile(level, place % cols, Math.floor(place / cols), into);
        } catch (error) {
          // Only a typed error lets the reading go on.
          if (!('code' in error) || !SLIDE_CODES.includes(error.code)) throw error;
          failure ??= error;
        }
      }
    }
  } finally {
    source.close();
  }
  if (failure) throw failure;
}
