import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { StromaflowError } from '../../errors.js';
import { SAFELY } from '../regular-file.js';
import type { TileSource, TileState } from '../slide.js';
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
    const pixels = geometry.tileWidth * geometry.tileHeight;
    const bytes = depth === 3 ? into.subarray(0, pixels * 3) : new Uint8Array(pixels);
    const got = readSync(this.#file(geometry.parts[tile]!), bytes, 0, bytes.length, geometry.offsets[tile]!);
    if (got < bytes.length)
      throw new StromaflowError('TILE_CORRUPT', `${where} ends after ${got} of ${bytes.length} bytes`);
    if (depth === 1) for (let i = 0; i < pixels; i++) into.fill(bytes[i]!, i * 3, i * 3 + 3);
    return 'decoded';
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
