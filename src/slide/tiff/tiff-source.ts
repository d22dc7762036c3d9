import { closeSync, openSync, readSync } from 'node:fs';
import type { TileDecoder, TileProblem } from '../../codec/decoder.js';
import { COMPRESSION } from '../../codec/tile-coding.js';
import { tileDecoderFor, tileError } from '../../codec/tile-decoder.js';
import { StromaflowError } from '../../errors.js';
import type { TileSource, TileState } from '../slide.js';
import { rawTileState } from '../unwritten.js';
import type { TiffDescription, TiffLevel } from './description.js';

/** Where stored tiles come from. */
export interface StoredBytes {
  /** @returns bytes that were read, fewer at the end of the file. */
  read(into: Buffer, position: number): number;
  close(): void;
}

/** Reads the tiles of a TIFF, synchronously: one pread and one decode a tile. */
export class TiffSource implements TileSource {
  readonly levels: readonly TiffLevel[];
  readonly #path: string;
  readonly #stored: StoredBytes;
  readonly #decoders: readonly TileDecoder[];

  /** @throws SLIDE_UNREADABLE when the file cannot be opened any more. */
  static async open(description: TiffDescription): Promise<TiffSource> {
    const decoders = await Promise.all(description.levels.map(tileDecoderFor));
    return new TiffSource(description, openFile(description.path), decoders);
  }

  /** Of bytes from elsewhere. */
  static async over(description: Pick<TiffDescription, 'path' | 'levels'>, stored: StoredBytes): Promise<TiffSource> {
    return new TiffSource(description, stored, await Promise.all(description.levels.map(tileDecoderFor)));
  }

  private constructor(
    { path, levels }: Pick<TiffDescription, 'path' | 'levels'>,
    stored: StoredBytes,
    decoders: readonly TileDecoder[],
  ) {
    this.#decoders = decoders;
    this.levels = levels;
    this.#path = path;
    this.#stored = stored;
  }

  readTile(level: number, col: number, row: number, into: Uint8Array): TileState {
    const geometry = this.levels[level];
    if (!geometry || !(col >= 0 && col < geometry.cols && row >= 0 && row < geometry.rows))
      throw new RangeError(`tile (${col}, ${row}) of level ${level}`);
    const { tileWidth, tileHeight, width, height, samplesPerPixel, compression } = geometry;
    const index = row * geometry.cols + col;
    const length = geometry.byteCounts[index] as number;
    if (length === 0) return 'missing';
    // No codec makes a tile much larger than its pixels; a length beyond that is damage, not worth its memory.
    if (length > tileWidth * tileHeight * Math.max(3, samplesPerPixel) * 2 + 65_536)
      throw this.#corrupt(level, col, row, `claims ${length} bytes`);
    const decoder = this.#decoders[level]!;
    const tile = decoder.input(length);
    const got = this.#stored.read(tile, geometry.offsets[index] as number);
    if (got < length) throw this.#corrupt(level, col, row, `ends after ${got} of ${length} bytes`);
    // The last strip of an image may stop at its edge; tiles are always whole.
    const rows = tileWidth === width ? Math.min(tileHeight, height - row * tileHeight) : tileHeight;
    const isRaw = compression === COMPRESSION.none;
    const stride = tileWidth * samplesPerPixel;
    const state = isRaw ? rawTileState(tile, stride, rows, tileWidth) : 'decoded';
    if (state === 'missing') return state;
    const problem = decoder.decode(tile, rows, into);
    if (problem) throw this.#corrupt(level, col, row, problem);
    return state;
  }

  close(): void {
    this.#stored.close();
  }

  #corrupt(level: number, col: number, row: number, problem: TileProblem): StromaflowError {
    return tileError(this.#path, level, col, row, problem);
  }
}

/** @throws SLIDE_UNREADABLE */
function openFile(path: string): StoredBytes {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    throw new StromaflowError('SLIDE_UNREADABLE', `${path}: cannot be opened again`, { cause: error });
  }
  return {
    read: (into, position) => {
      try {
        return readSync(fd, into, 0, into.length, position);
      } catch (error) {
        throw new StromaflowError('SLIDE_UNREADABLE', `${path}: cannot be read`, { cause: error });
      }
    },
    close: () => closeSync(fd),
  };
}
