import { StromaflowError } from '../errors.js';
import type { TiffLevel } from '../slide/tiff/description.js';
import { COMPRESSION, isJ2k } from '../slide/tiff/support.js';
import { ForeignTile, ForeignTileError } from './foreign-tile.js';
import { JpegDecoder } from './jpeg/jpeg-decoder.js';
import { RawDecoder } from './raw/raw-decoder.js';

/** What a codec offers: memory for a tile's bytes, and decoding them; it says what is wrong with a tile, if anything. */
export interface TileDecoder {
  input(length: number): Buffer;
  decode(tile: Buffer, rows: number, into: Uint8Array): TileProblem | undefined;
}

/** What is damaged about a tile, or what is foreign. */
export type TileProblem = string | ForeignTile;

/** The error for a tile that a codec did not decode, with code TILE_CORRUPT. */
export function tileError(
  path: string,
  level: number,
  col: number,
  row: number,
  problem: TileProblem,
): StromaflowError {
  const where = `${path}: tile (${col}, ${row}) of level ${level}`;
  return problem instanceof ForeignTile
    ? new ForeignTileError(`${where} ${problem.what}`)
    : new StromaflowError('TILE_CORRUPT', `${where} ${problem}`);
}

/** The codec of one level. Codecs allocate when they are first used, so that levels nobody reads cost nothing. */
export async function tileDecoderFor(level: TiffLevel): Promise<TileDecoder> {
  const { compression } = level;
  if (compression === COMPRESSION.jpeg) return new JpegDecoder(level);
  if (compression === COMPRESSION.zstd) {
    const { loadZstd } = await import('./raw/zstd-decoder.js');
    return new RawDecoder(level, await loadZstd());
  }
  if (!isJ2k(compression)) return new RawDecoder(level);
  const { J2kDecoder } = await import('./j2k/j2k-decoder.js');
  return J2kDecoder.load(level);
}
