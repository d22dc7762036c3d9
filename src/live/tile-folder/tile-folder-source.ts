import { extname, join } from 'node:path';
import sharp from 'sharp';
import { StromaflowError } from '../../errors.js';
import { J2kDecoder } from '../../slide/j2k-decoder.js';
import { decodeJpeg as decodeStream } from '../../slide/jpeg/decode-jpeg.js';
import { endsWithEoi, prepareTile } from '../../slide/jpeg-stream.js';
import type { TileSource, TileState } from '../../slide/slide.js';
import type { TiffLevel } from '../../slide/tiff-description.js';
import { COMPRESSION } from '../../slide/tiff-support.js';
import { readRegularFile } from '../regular-file.js';
import { mostBytes, type TileFolderDescription, type TileSetLevel, tileName, tileSpan } from './tile-set.js';

/** Pixels of one stored image. */
interface Image {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

/** Reads a slide that is stored as one image a tile. JPEG colours follow the file's own markers, as any program shows it. */
export class TileFolderSource implements TileSource {
  readonly levels: readonly TileSetLevel[];
  readonly #description: TileFolderDescription;

  constructor(description: TileFolderDescription) {
    this.levels = description.levels;
    this.#description = description;
  }

  async readTile(level: number, col: number, row: number, into: Uint8Array): Promise<TileState> {
    const geometry = this.levels[level];
    if (!geometry || !(col >= 0 && col < geometry.cols && row >= 0 && row < geometry.rows))
      throw new RangeError(`tile (${col}, ${row}) of level ${level}`);
    const path = join(this.#description.folder, tileName(geometry, col, row));
    const bytes = readTileFile(path, geometry);
    if (!bytes) return 'missing';
    const image = await this.#decode(path, bytes, geometry);
    const { tileWidth, tileHeight, width, height, overlap, whole } = geometry;
    const [left, across, storedAcross] = tileSpan(col, tileWidth, width, overlap, whole);
    const [top, down, storedDown] = tileSpan(row, tileHeight, height, overlap, whole);
    if (image.width !== storedAcross || image.height !== storedDown)
      throw corrupt(path, `is ${image.width} × ${image.height} pixels instead of ${storedAcross} × ${storedDown}`);
    for (let y = 0; y < down; y++) {
      const from = ((top + y) * image.width + left) * 3;
      into.set(image.pixels.subarray(from, from + across * 3), y * tileWidth * 3);
    }
    return 'decoded';
  }

  close(): void {}

  async #decode(path: string, bytes: Buffer, level: TileSetLevel): Promise<Image> {
    const extension = extname(path).toLowerCase();
    if (extension === '.jpg' || extension === '.jpeg') return decodeJpeg(path, bytes);
    if (extension === '.j2k' || extension === '.j2c') return this.#decodeJ2k(path, bytes, level);
    try {
      const limitInputPixels = (level.tileWidth + 2 * level.overlap) * (level.tileHeight + 2 * level.overlap);
      const image = sharp(bytes, { failOn: 'warning', limitInputPixels, ignoreIcc: true });
      const { data, info } = await image
        .flatten({ background: '#ffffff' })
        .toColourspace('srgb')
        .raw({ depth: 'uchar' })
        .toBuffer({ resolveWithObject: true });
      if (info.channels !== 3) throw new Error(`${info.channels} channels`);
      return { width: info.width, height: info.height, pixels: data };
    } catch (error) {
      throw corrupt(path, 'cannot be decoded', error);
    }
  }

  async #decodeJ2k(path: string, bytes: Buffer, { tileWidth, tileHeight }: TileSetLevel): Promise<Image> {
    const compression = this.#description.colour === 'ycbcr' ? COMPRESSION.j2kYCbCr : COMPRESSION.j2kRgb;
    const decoder = await J2kDecoder.load({ tileWidth, tileHeight, compression } as TiffLevel);
    const pixels = new Uint8Array(tileWidth * tileHeight * 3);
    const tile = decoder.input(bytes.length);
    bytes.copy(tile);
    const problem = decoder.decode(tile, tileHeight, pixels);
    if (problem) throw corrupt(path, problem);
    return { width: tileWidth, height: tileHeight, pixels };
  }
}

function decodeJpeg(path: string, bytes: Buffer): Image {
  // The size is checked on a copy, because the decoder trusts it and looking at it changes markers.
  const frame = prepareTile(Buffer.from(bytes));
  if (!frame) throw corrupt(path, 'is not a JPEG stream');
  if (!endsWithEoi(bytes)) throw corrupt(path, 'has no end');
  const { width, height } = frame;
  if (width * height > 8192 * 8192) throw corrupt(path, `claims ${width} × ${height} pixels`);
  try {
    const pixels = Buffer.alloc(width * height * 3);
    decodeStream(bytes, pixels);
    return { width, height, pixels };
  } catch (error) {
    throw corrupt(path, 'cannot be decoded', error);
  }
}

function readTileFile(path: string, level: TileSetLevel): Buffer | undefined {
  try {
    return readRegularFile(path, mostBytes(level))?.bytes;
  } catch (error) {
    throw new StromaflowError('SLIDE_UNREADABLE', `${path}: cannot be read`, { cause: error });
  }
}

const corrupt = (path: string, problem: string, cause?: unknown): StromaflowError =>
  new StromaflowError('TILE_CORRUPT', `${path}: ${problem}`, { cause });
