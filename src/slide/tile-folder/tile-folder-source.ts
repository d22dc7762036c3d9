import { statSync } from 'node:fs';
import { extname, join } from 'node:path';
import { ForeignTile, ForeignTileError } from '../../codec/foreign-tile.js';
import { readBmpHeader } from '../../codec/image/bmp.js';
import { corrupt, decodeImage, type Image, type ImageSize } from '../../codec/image/decode-image.js';
import { SAMPLES_FIX } from '../../codec/image/sample-format.js';
import { J2kDecoder } from '../../codec/j2k/j2k-decoder.js';
import { COMPRESSION } from '../../codec/tile-coding.js';
import { StromaflowError } from '../../errors.js';
import { readFileBelow, statFileBelow } from '../regular-file.js';
import type { TileSource, TileState } from '../slide.js';
import type { TiffLevel } from '../tiff/description.js';
import { gapsWithin, storedImage } from '../tiff/stored-image.js';
import { isUnwritten } from '../unwritten.js';
import {
  mostBytes,
  shownBy,
  type TileCut,
  type TileFolderDescription,
  type TileSetLevel,
  tileCut,
  tileName,
} from './tile-set.js';
import { TornReads } from './torn-reads.js';

/** Reads a slide that is stored as one image a tile. JPEG colours follow the file's own markers, as any program shows it. */
export class TileFolderSource implements TileSource {
  readonly levels: readonly TileSetLevel[];
  readonly #description: TileFolderDescription;
  readonly #torn = new TornReads();

  constructor(description: TileFolderDescription) {
    this.levels = description.levels;
    this.#description = description;
  }

  async readTile(level: number, col: number, row: number, into: Uint8Array): Promise<TileState> {
    const geometry = this.levels[level];
    if (!geometry || !(col >= 0 && col < geometry.cols && row >= 0 && row < geometry.rows))
      throw new RangeError(`tile (${col}, ${row}) of level ${level}`);
    const tile = row * geometry.cols + col;
    const shown = shownBy(geometry, tile);
    // Its own image, where the one that shows it is not there.
    if (shown !== undefined && (await this.#read(level, tile, shown, into)) === 'decoded') return 'decoded';
    return this.#read(level, tile, tile, into);
  }

  #read(level: number, tile: number, shown: number, into: Uint8Array): Promise<TileState> {
    return this.#torn.untilWhole(() => this.#readOnce(level, tile, shown, into));
  }

  /** A tile's pixels out of the image of that tile, or of one that shows them. */
  async #readOnce(level: number, tile: number, shown: number, into: Uint8Array): Promise<TileState> {
    const geometry = this.levels[level]!;
    const { cols } = geometry;
    const [col, row] = [shown % cols, Math.floor(shown / cols)];
    const name = tileName(geometry, col, row);
    if (name === '') return 'missing';
    const path = join(this.#description.folder, name);
    const bytes = readTileFile(this.#description, name, geometry);
    if (!bytes) return 'missing';
    const cut = tileCut(geometry, col, row);
    // A level's size may have been rounded up: its last tiles are then a pixel larger.
    const spare = (last: boolean) => (last && !geometry.whole ? 1 : 0);
    const fits = (has: number, wanted: number, last: boolean) => has >= wanted && has <= wanted + spare(last);
    const isLast = (start: number, before: number, stored: number, whole: number) => start - before + stored >= whole;
    const lastCol = isLast(col * geometry.tileWidth, cut.left, cut.width, geometry.width);
    const lastRow = isLast(row * geometry.tileHeight, cut.top, cut.height, geometry.height);
    const checkSize = ({ width, height }: ImageSize): void => {
      const isRight = fits(width, cut.width, lastCol) && fits(height, cut.height, lastRow);
      if (!isRight) throw corrupt(path, `is ${width} × ${height} pixels instead of ${cut.width} × ${cut.height}`);
    };
    if (isUnwrittenBitmap(name, bytes)) return 'missing';
    const stored = /\.tiff?$/i.test(name) ? storedImage(path) : undefined;
    const image = /\.j2[kc]$/i.test(extname(path))
      ? await decodeJ2k(path, bytes, geometry)
      : await decodeImage(path, bytes, cut.width * cut.height, checkSize, stored?.hasUnnamedSample);
    if (image instanceof ForeignTile) throw foreignTile(this.#description, level, [col, row], name, image);
    checkSize(image);
    const part = shown === tile ? cut : partOf(geometry, tile, shown, cut);
    for (let y = 0; y < part.down; y++) {
      const from = ((part.top + y) * image.width + part.left) * 3;
      into.set(image.pixels.subarray(from, from + part.across * 3), y * geometry.tileWidth * 3);
    }
    const area = { x: part.left, y: part.top, width: part.across, height: part.down };
    const gaps = gapsWithin(stored?.unwritten ?? [], area);
    if (gaps === 'missing') return gaps;
    return gaps.length > 0 ? { gaps } : 'decoded';
  }

  close(): void {}
}

/** A tile that is sound and not read, with what to do about it. */
export const foreignTile = (
  { path }: Pick<TileFolderDescription, 'path'>,
  level: number,
  [col, row]: readonly [col: number, row: number],
  name: string,
  { what }: ForeignTile,
): ForeignTileError =>
  new ForeignTileError(`${path}: tile (${col}, ${row}) of level ${level}, ${name}, ${what}`, SAMPLES_FIX);

/** Whose pixels are not coded, and all zero: its head was written and they never were. */
function isUnwrittenBitmap(name: string, bytes: Buffer): boolean {
  const header = /\.bmp$/i.test(name) ? readBmpHeader(bytes) : undefined;
  return header !== undefined && header.end <= bytes.length && isUnwritten(bytes.subarray(header.pixelsAt, header.end));
}

/** Where the image of one tile shows the pixels of another, to its right or below. */
function partOf(level: TileSetLevel, tile: number, shown: number, { left, top, across, down }: TileCut): TileCut {
  const [col, row] = [tile % level.cols, Math.floor(tile / level.cols)];
  const own = tileCut(level, col, row);
  const isRight = col > shown % level.cols;
  const isBelow = row > Math.floor(shown / level.cols);
  return { ...own, left: isRight ? left + across : left, top: isBelow ? top + down : top };
}

async function decodeJ2k(path: string, bytes: Buffer, level: TileSetLevel): Promise<Image | ForeignTile> {
  const { tileWidth, tileHeight, colour } = level;
  const compression = colour === 'ycbcr' ? COMPRESSION.j2kYCbCr : COMPRESSION.j2kRgb;
  const decoder = await J2kDecoder.load({ tileWidth, tileHeight, compression } as TiffLevel);
  const pixels = new Uint8Array(tileWidth * tileHeight * 3);
  const tile = decoder.input(bytes.length);
  bytes.copy(tile);
  const problem = decoder.decode(tile, tileHeight, pixels);
  if (problem instanceof ForeignTile) return problem;
  if (problem !== undefined) throw corrupt(path, problem);
  return { width: tileWidth, height: tileHeight, pixels };
}

/** @throws SLIDE_UNREADABLE also when the whole set is not there: then nobody can tell whether the tile is. */
function readTileFile(
  { folder, manifest }: TileFolderDescription,
  name: string,
  level: TileSetLevel,
): Buffer | undefined {
  try {
    const read = () => readFileBelow(folder, name, mostBytes(level))?.bytes;
    const bytes = read();
    if (bytes || name === '') return bytes;
    const size = statFileBelow(folder, name)?.size ?? 0;
    if (size > mostBytes(level)) throw corrupt(join(folder, name), `has ${size} bytes, more than its pixels can take`);
    // A share may have gone away, or have come back between the two questions.
    statSync(manifest);
    return read();
  } catch (error) {
    if (error instanceof StromaflowError) throw error;
    throw new StromaflowError('SLIDE_UNREADABLE', `${join(folder, name)}: cannot be read`, { cause: error });
  }
}
