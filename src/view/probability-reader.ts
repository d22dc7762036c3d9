import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateSync, gunzipSync } from 'node:zlib';
import { means } from '../mask/means.js';
import { assemblePng } from '../mask/png.js';
import { coarseLevel, type MaskGrid } from './mask-levels.js';
import type { PatchArea } from './patch-table.js';

/** PNG's code for grey with alpha. */
const GREY_ALPHA = 4;

/** Reads kept probabilities as tiles of the same places as the mask's; see MaskReader. */
export class ProbabilityReader {
  readonly #root: string;
  readonly #grid: MaskGrid;
  #stored: number | undefined;
  readonly #kept = new Map<number, { readonly version: number; readonly raster: Uint8Array | undefined }>();

  constructor(root: string, grid: MaskGrid) {
    this.#root = root;
    this.#grid = grid;
  }

  /**
   * A tile as an 8-bit PNG of core × core pixels with alpha: round(255 p), transparent where none is known.
   *
   * @param segmented of each patch of the area, row by row: 0 where it is not segmented, else its version
   */
  tile(level: number, area: PatchArea, segmented: Uint16Array): Uint8Array {
    const { core, width, height } = this.#grid;
    const side = core / 2 ** level;
    const stride = core * 2 + 1;
    // Past the slide's edge nothing is known.
    const right = Math.ceil(width / 2 ** level) - area.col * side;
    const bottom = Math.ceil(height / 2 ** level) - area.row * side;
    const rows = new Uint8Array(stride * core);
    for (const [i, version] of segmented.entries()) {
      if (version === 0) continue;
      const [x, y] = [i % area.cols, Math.floor(i / area.cols)];
      const raster = this.#raster(level, area.col + x, area.row + y, version);
      if (!raster) continue;
      const across = Math.min(side, right - x * side);
      for (let line = 0; line < Math.min(side, bottom - y * side); line++)
        for (let i = 0, to = (y * side + line) * stride + 1 + x * side * 2; i < across; i++, to += 2) {
          rows[to] = raster[line * side + i]!;
          rows[to + 1] = 255;
        }
    }
    const header = Buffer.alloc(13);
    header.writeUInt32BE(core, 0);
    header.writeUInt32BE(core, 4);
    header.set([8, GREY_ALPHA], 8);
    return assemblePng([
      ['IHDR', header],
      ['IDAT', deflateSync(rows, { level: 1 })],
      ['IEND', new Uint8Array(0)],
    ]);
  }

  /** Undefined where none is kept. Of coarse levels what was read is kept in memory: 256 bytes a patch. */
  #raster(level: number, col: number, row: number, version: number): Uint8Array | undefined {
    const coarse = coarseLevel(this.#grid.core);
    if (level < coarse) return this.#stand(level, col, row);
    const key = row * this.#grid.cols + col;
    let kept = this.#kept.get(key);
    if (kept?.version !== version) {
      kept = { version, raster: this.#stand(coarse, col, row) };
      this.#kept.set(key, kept);
    }
    return kept.raster && this.#reduce(kept.raster, coarse, level, col, row);
  }

  #stand(level: number, col: number, row: number): Uint8Array | undefined {
    const from = Math.min(level, this.#levels() - 1);
    const chunk = this.#chunk(from, col, row);
    return chunk && this.#reduce(chunk, from, level, col, row);
  }

  #reduce(raster: Uint8Array, from: number, to: number, col: number, row: number): Uint8Array {
    const { core, width, height } = this.#grid;
    const side = core / 2 ** from;
    const [right, bottom] = [Math.ceil(width / 2 ** from), Math.ceil(height / 2 ** from)];
    return means(raster, side, 2 ** (to - from), right - col * side, bottom - row * side);
  }

  #chunk(level: number, col: number, row: number): Uint8Array | undefined {
    const side = this.#grid.core / 2 ** level;
    let packed: Uint8Array;
    try {
      packed = readFileSync(join(this.#root, String(level), String(row), String(col)));
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw error;
    }
    const bytes = gunzipSync(packed, { maxOutputLength: side * side });
    return bytes.length === side * side ? bytes : undefined;
  }

  #levels(): number {
    if (this.#stored !== undefined) return this.#stored;
    let levels = 0;
    while (this.#grid.core % 2 ** levels === 0 && this.#hasLevel(levels)) levels += 1;
    if (levels === 0) return 1;
    this.#stored = levels;
    return levels;
  }

  #hasLevel(level: number): boolean {
    try {
      readFileSync(join(this.#root, String(level), '.zarray'));
      return true;
    } catch {
      return false;
    }
  }
}
