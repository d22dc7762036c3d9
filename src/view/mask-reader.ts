import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, inflateSync } from 'node:zlib';
import { StromaflowError } from '../errors.js';
import { packBits } from '../mask/bits.js';
import { encodeMaskPng } from '../mask/png.js';
import { layoutIn } from '../store/zarr.js';
import { chunkKey, type StoreLayout } from '../store/zarr-metadata.js';
import { coarseLevel, coarser, type MaskGrid } from './mask-levels.js';
import type { PatchArea } from './patch-table.js';

/**
 * Reads a stored mask as tiles, also at resolutions that the store does not have. What was read once at the coarsest is kept,
 * so that a tile of a hundred thousand patches costs what has changed in it.
 */
export class MaskReader {
  readonly #root: string;
  readonly #grid: MaskGrid;
  #known: { readonly layout: StoreLayout; readonly stored: number } | undefined;
  readonly #kept = new Map<number, { readonly version: number; readonly raster: Uint8Array }>();

  constructor(root: string, grid: MaskGrid) {
    this.#root = root;
    this.#grid = grid;
  }

  /**
   * A tile as a 1-bit PNG of core × core pixels; what lies past the slide is 0.
   *
   * @throws OUTPUT_FAILED where a mask should be stored and is not.
   * @param masked of each patch of the area, row by row: 0 where it has no mask, else its version.
   */
  tile(level: number, area: PatchArea, masked: Uint16Array): Uint8Array {
    const { core } = this.#grid;
    const side = core / 2 ** level;
    const pixels = new Uint8Array(core * core);
    for (const [i, version] of masked.entries()) {
      if (version === 0) continue;
      const [x, y] = [i % area.cols, Math.floor(i / area.cols)];
      const raster = this.#raster(level, area.col + x, area.row + y, version);
      for (let line = 0; line < side; line++)
        pixels.set(raster.subarray(line * side, (line + 1) * side), (y * side + line) * core + x * side);
    }
    return encodeMaskPng({ width: core, height: core, bits: packBits(pixels, core, core) });
  }

  /** A patch at the coarse level: rows of whole bytes, most significant bit left. */
  thumbnail(col: number, row: number, version: number): Uint8Array {
    const level = coarseLevel(this.#grid.core);
    const side = this.#grid.core / 2 ** level;
    return packBits(this.#raster(level, col, row, version), side, side);
  }

  /** Of the coarse level and above it what was read is kept: 256 bytes a patch. */
  #raster(level: number, col: number, row: number, version: number): Uint8Array {
    const coarse = coarseLevel(this.#grid.core);
    if (level < coarse) return this.#stand(level, col, row);
    const key = row * this.#grid.cols + col;
    let kept = this.#kept.get(key);
    if (kept?.version !== version) {
      kept = { version, raster: this.#stand(coarse, col, row) };
      this.#kept.set(key, kept);
    }
    return this.#reduce(kept.raster, coarse, level, col, row);
  }

  /** As it is stored, or made from the coarsest that is. */
  #stand(level: number, col: number, row: number): Uint8Array {
    const from = Math.min(level, this.#store().stored - 1);
    return this.#reduce(this.#chunk(from, col, row), from, level, col, row);
  }

  #reduce(raster: Uint8Array, from: number, to: number, col: number, row: number): Uint8Array {
    const { core, width, height } = this.#grid;
    const side = core / 2 ** from;
    const [right, bottom] = [Math.ceil(width / 2 ** from), Math.ceil(height / 2 ** from)];
    return coarser(raster, side, 2 ** (to - from), right - col * side, bottom - row * side);
  }

  #chunk(level: number, col: number, row: number): Uint8Array {
    const { layout } = this.#store();
    const side = this.#grid.core / 2 ** level;
    let packed: Uint8Array;
    try {
      packed = readFileSync(join(this.#root, String(level), chunkKey(layout, col, row)));
    } catch (error) {
      // A level may round a small patch away; it then has no chunk.
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return new Uint8Array(side * side);
      throw error;
    }
    const unpack = layout.codec === 'gzip' ? gunzipSync : inflateSync;
    return unpack(packed, { maxOutputLength: side * side });
  }

  /** How it is stored, and at how many resolutions. Not before the first patch with a mask: a slide that was just opened has no store. */
  #store(): { readonly layout: StoreLayout; readonly stored: number } {
    if (this.#known) return this.#known;
    const layout = layoutIn(this.#root);
    if (!layout) throw new StromaflowError('OUTPUT_FAILED', 'no mask is stored');
    let stored = 1;
    while (this.#hasLevel(layout, stored)) stored += 1;
    this.#known = { layout, stored };
    return this.#known;
  }

  #hasLevel(layout: StoreLayout, level: number): boolean {
    const { core } = this.#grid;
    if (core % 2 ** level !== 0) return false;
    const file = layout.version === '0.5' ? 'zarr.json' : '.zarray';
    try {
      readFileSync(join(this.#root, String(level), file));
      return true;
    } catch {
      return false;
    }
  }
}
