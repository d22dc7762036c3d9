import { ForeignTile } from '../foreign-tile.js';
import type { TileCoding } from '../tile-coding.js';
import { decodeJpeg, loadJpeg } from './decode-jpeg.js';
import { adobeTransform, endsWithEoi, foreignJpeg, type JpegPrefix, jpegPrefix, prepareTile } from './jpeg-stream.js';

/** Decodes one level's JPEG tiles; bytes are read straight behind the prepared prefix. */
export class JpegDecoder {
  readonly #level: TileCoding;
  readonly #prefixes: readonly [rgb: JpegPrefix, yCbCr: JpegPrefix];
  #buffer = Buffer.alloc(0);

  constructor(level: TileCoding) {
    loadJpeg();
    this.#level = level;
    this.#prefixes = [jpegPrefix(level.jpegTables, 0), jpegPrefix(level.jpegTables, 1)];
  }

  /** Where to put the tile's `length` bytes, SOI first: a view valid until the next call. */
  input(length: number): Buffer {
    this.#reserve(length);
    return this.#buffer.subarray(this.#start, this.#start + length);
  }

  /**
   * Decodes what `input` was filled with.
   *
   * @param rows how many rows of the tile must be there (the last strip may be shorter).
   * @returns undefined, or what is wrong with the tile.
   */
  decode(tile: Buffer, rows: number, into: Uint8Array): string | ForeignTile | undefined {
    const frame = prepareTile(tile);
    if (!frame) return foreign(tile) ?? 'is not a JPEG stream';
    // libjpeg takes a missing end for granted; damage before it is an error.
    if (!endsWithEoi(tile)) return 'has no end';
    const { tileWidth, tileHeight, samplesPerPixel, photometric } = this.#level;
    if (frame.width !== tileWidth || frame.height > tileHeight || frame.height < rows)
      return `is ${frame.width} × ${frame.height} pixels instead of ${tileWidth} × ${tileHeight}`;
    if (frame.components !== samplesPerPixel) return new ForeignTile(`has ${frame.components} components`);
    const prefix = this.#prefixes[adobeTransform(photometric, frame)].bytes;
    const start = this.#start + 2 - prefix.length;
    prefix.copy(this.#buffer, start);
    const stream = this.#buffer.subarray(start, this.#start + tile.length);
    try {
      decodeJpeg(stream, into);
      return undefined;
    } catch (error) {
      return foreign(tile) ?? `cannot be decoded (${error instanceof Error ? error.message : error})`;
    }
  }

  /** The tile's SOI lies under the end of the prefix, which overwrites it. */
  get #start(): number {
    return this.#prefixes[0].bytes.length - 2;
  }

  #reserve(length: number): void {
    const needed = this.#start + length;
    if (this.#buffer.length < needed) this.#buffer = Buffer.alloc(Math.max(needed, this.#buffer.length * 2));
  }
}

function foreign(tile: Uint8Array): ForeignTile | undefined {
  const what = endsWithEoi(tile) ? foreignJpeg(tile) : undefined;
  return what === undefined ? undefined : new ForeignTile(what);
}
