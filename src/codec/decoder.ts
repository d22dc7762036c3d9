import type { ForeignTile } from './foreign-tile.js';

/** What a codec offers: memory for a tile's bytes, and decoding them; it says what is wrong with a tile, if anything. */
export interface TileDecoder {
  input(length: number): Buffer;
  decode(tile: Buffer, rows: number, into: Uint8Array): TileProblem | undefined;
}

/** What is damaged about a tile, or what is foreign. */
export type TileProblem = string | ForeignTile;
