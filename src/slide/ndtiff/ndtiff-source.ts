import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { StromaflowError } from '../../errors.js';
import { SAFELY } from '../regular-file.js';
import type { TileSource, TileState } from '../slide.js';
import { rawTileState } from '../unwritten.js';
import { NDTIFF_TYPES, type NdTiffDescription, type NdTiffLevel, partName } from './description.js';

/** Reads the tiles of an NDTiff data set: pixels as they are, at a place in one of its parts. */
export class NdTiffSource implements TileSource {
  readonly levels: readonly NdTiffLevel[];
  readonly #description: NdTiffDescription;
  readonly #files = new Map<number, number>();

  constructor(description: NdTiffDescription) {
    this.levels = description.levels;
    this.#description = description;
  }

  readTile(level: number, col: number, row: number, into: Uint8Array): TileState {
    const geometry = this.levels[level];
    if (!geometry || !(col >= 0 && col < geometry.cols && row >= 0 && row < geometry.rows))
      throw new RangeError(`tile (${col}, ${row}) of level ${level}`);
    const tile = row * geometry.cols + col;
    if (geometry.offsets[tile] === 0) return 'missing';
    const where = `${this.#description.path}: tile (${col}, ${row})`;
    const type = geometry.types[tile]!;
    const depth = NDTIFF_TYPES[type];
    if (depth === undefined) throw new StromaflowError('TILE_CORRUPT', `${where} has pixels of type ${type}`);
    // Whole lines of the stored image: of one that overlaps its neighbours more than the tile.
    const { tileWidth, tileHeight, imageWidth, left, top } = geometry;
    const direct = depth === 3 && imageWidth === tileWidth;
    const lines = direct
      ? into.subarray(0, tileWidth * tileHeight * 3)
      : new Uint8Array(imageWidth * tileHeight * depth);
    const at = geometry.offsets[tile]! + top * imageWidth * depth;
    const got = readSync(this.#file(geometry.parts[tile]!), lines, 0, lines.length, at);
    if (got < lines.length)
      throw new StromaflowError('TILE_CORRUPT', `${where} ends after ${got} of ${lines.length} bytes`);
    const state = rawTileState(lines, imageWidth * depth, tileHeight, tileWidth);
    if (!direct && state !== 'missing')
      for (let line = 0; line < tileHeight; line++) {
        const from = (line * imageWidth + left) * depth;
        copyLine(lines.subarray(from, from + tileWidth * depth), depth, into.subarray(line * tileWidth * 3));
      }
    return state;
  }

  close(): void {
    for (const fd of this.#files.values()) closeSync(fd);
    this.#files.clear();
  }

  #file(part: number): number {
    const known = this.#files.get(part);
    if (known !== undefined) return known;
    const path = join(this.#description.folder, partName(this.#description.prefix, part));
    try {
      const fd = openSync(path, SAFELY);
      this.#files.set(part, fd);
      return fd;
    } catch (error) {
      throw new StromaflowError('SLIDE_UNREADABLE', `${path}: cannot be opened`, { cause: error });
    }
  }
}

function copyLine(line: Uint8Array, depth: number, into: Uint8Array): void {
  if (depth === 3) into.set(line);
  else for (let i = 0; i < line.length; i++) into.fill(line[i]!, i * 3, i * 3 + 3);
}
