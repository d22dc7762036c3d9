import { closeSync, openSync, readSync } from 'node:fs';
import { StromaflowError } from '../errors.js';
import { JpegDecoder } from './jpeg-decoder.js';
import { decodeRaw } from './raw-decoder.js';
import type { TileSource, TileState } from './slide.js';
import type { TiffDescription, TiffLevel } from './tiff-description.js';
import { COMPRESSION } from './tiff-support.js';

/** Reads the tiles of a TIFF: one pread and one decode a tile. JPEG is decoded synchronously. */
export class TiffSource implements TileSource {
  readonly levels: readonly TiffLevel[];
  readonly #path: string;
  readonly #fd: number;
  readonly #jpeg: readonly (JpegDecoder | undefined)[];
  #raw = Buffer.alloc(0);

  /** @throws SLIDE_UNREADABLE when the file cannot be opened any more. */
  constructor(description: TiffDescription) {
    this.levels = description.levels;
    this.#path = description.path;
    try {
      this.#fd = openSync(description.path, 'r');
    } catch (error) {
      throw new StromaflowError('SLIDE_UNREADABLE', `${description.path}: cannot be opened again`, { cause: error });
    }
    this.#jpeg = description.levels.map(level =>
      level.compression === COMPRESSION.jpeg ? new JpegDecoder(level) : undefined,
    );
  }

  readTile(level: number, col: number, row: number, into: Uint8Array): TileState | Promise<TileState> {
    const geometry = this.levels[level];
    if (!geometry || !(col >= 0 && col < geometry.cols && row >= 0 && row < geometry.rows))
      throw new RangeError(`tile (${col}, ${row}) of level ${level}`);
    const { tileWidth, tileHeight, height } = geometry;
    const index = row * geometry.cols + col;
    const length = geometry.byteCounts[index] as number;
    if (length === 0) return 'missing';
    const name = () => `${this.#path}: tile (${col}, ${row}) of level ${level}`;
    // No codec here makes a tile much larger than its pixels; a length beyond is damage, not worth its memory.
    if (length > tileWidth * tileHeight * Math.max(3, geometry.samplesPerPixel) * 2 + 65_536)
      throw corrupt(name(), `claims ${length} bytes`);
    const jpeg = this.#jpeg[level];
    const tile = jpeg ? jpeg.input(length) : this.#input(length);
    this.#read(tile, geometry.offsets[index] as number, name);
    const rows = Math.min(tileHeight, height - row * tileHeight);
    if (jpeg) {
      const problem = jpeg.decode(tile, geometryRows(geometry, rows), into);
      if (problem) throw corrupt(name(), problem);
      return 'decoded';
    }
    return decodeRaw(geometry, tile, geometryRows(geometry, rows), into).then(problem => {
      if (problem) throw corrupt(name(), problem);
      return 'decoded';
    });
  }

  close(): void {
    closeSync(this.#fd);
  }

  #read(into: Buffer, position: number, name: () => string): void {
    let got: number;
    try {
      got = readSync(this.#fd, into, 0, into.length, position);
    } catch (error) {
      throw new StromaflowError('SLIDE_UNREADABLE', `${name()} cannot be read`, { cause: error });
    }
    if (got < into.length) throw corrupt(name(), `ends after ${got} of ${into.length} bytes`);
  }

  #input(length: number): Buffer {
    if (this.#raw.length < length) this.#raw = Buffer.alloc(length);
    return this.#raw.subarray(0, length);
  }
}

/** Rows a tile must hold: all of them, except that the last strip of an image may stop at its edge. */
function geometryRows(level: TiffLevel, rows: number): number {
  return level.tileWidth === level.width ? rows : level.tileHeight;
}

function corrupt(tile: string, problem: string): StromaflowError {
  return new StromaflowError('TILE_CORRUPT', `${tile} ${problem}`);
}
