import { StromaflowError } from '../errors.js';

/**
 * What a codec finds in a tile that is sound and of a kind which it does not read: no damage, and the other tiles of the level
 * will be like it. It is looked for when the slide is opened (try-tiles.ts).
 */
export class ForeignTile {
  /** Goes on from the tile's name. */
  readonly what: string;

  constructor(what: string) {
    this.what = what;
  }
}

/** A tile that could not be read though it is sound. */
export class ForeignTileError extends StromaflowError {
  constructor(message: string, fix = 'convert the slide to a tiled TIFF of 8-bit RGB') {
    super('TILE_CORRUPT', message, { fix: `the tile is sound, but of a kind that is not read; ${fix}` });
  }
}
