import { StromaflowError } from '../errors.js';
import type { TileDecoder, TileProblem } from './decoder.js';
import { ForeignTile, ForeignTileError } from './foreign-tile.js';
import { JpegDecoder } from './jpeg/jpeg-decoder.js';
import { RawDecoder } from './raw/raw-decoder.js';
import type { TileCoding } from './tile-coding.js';
import { COMPRESSION, isJ2k } from './tile-coding.js';

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
export async function tileDecoderFor(level: TileCoding): Promise<TileDecoder> {
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
