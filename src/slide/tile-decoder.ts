import { JpegDecoder } from './jpeg-decoder.js';
import { RawDecoder } from './raw-decoder.js';
import type { TiffLevel } from './tiff-description.js';
import { COMPRESSION, isJ2k } from './tiff-support.js';

/** What a codec offers: memory for a tile's bytes, and decoding them; it says what is wrong with a tile, if anything. */
export interface TileDecoder {
  input(length: number): Buffer;
  decode(tile: Buffer, rows: number, into: Uint8Array): string | undefined;
}

/** The codec of one level. Codecs allocate when they are first used, so that levels nobody reads cost nothing. */
export async function tileDecoderFor(level: TiffLevel): Promise<TileDecoder> {
  const { compression } = level;
  if (compression === COMPRESSION.jpeg) return new JpegDecoder(level);
  if (compression === COMPRESSION.zstd) {
    const { loadZstd } = await import('./zstd-decoder.js');
    return new RawDecoder(level, await loadZstd());
  }
  if (!isJ2k(compression)) return new RawDecoder(level);
  const { J2kDecoder } = await import('./j2k-decoder.js');
  return J2kDecoder.load(level);
}
