import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { means } from '../mask/means.js';
import type { PatchPlan } from '../read/patch.js';
import { validSize } from '../read/plan.js';
import type { PixelRectangle } from '../slide/rectangles.js';
import { PARTIAL, withOutputErrors, writeFinal } from './final-file.js';
import { chunkKey, type StoredLevel, type StoreLayout, scalarFiles, storedLevels } from './zarr-metadata.js';

export const PROBABILITY_STORE = 'probability.ome.zarr';

const LAYOUT: StoreLayout = { version: '0.4', codec: 'gzip' };

/**
 * What the model said, before it was cut to a mask: round(255 p) a pixel as an OME-Zarr image, a chunk a patch at every resolution, coarser ones
 * by means. A patch that is not there has none: it was not segmented, or by a start that kept none. Nothing outside the tissue filter's blocks and nothing
 * that the slide does not store has a probability above 0.
 */
export class ProbabilityStore {
  readonly #root: string;
  readonly #partial: string;
  readonly #plan: PatchPlan;
  readonly #levels: readonly StoredLevel[];

  private constructor(folder: string, plan: PatchPlan) {
    this.#root = join(folder, PROBABILITY_STORE);
    this.#partial = join(folder, PARTIAL, 'probabilities');
    this.#plan = plan;
    this.#levels = storedLevels(plan);
  }

  /**
   * @param threshold what the mask is cut at, 0–1; undefined: none are kept, and of patches that are done again those of an earlier start go
   * @returns undefined where there is nothing to write and nothing to take away
   * @throws OUTPUT_FULL, OUTPUT_FAILED
   */
  static open(
    folder: string,
    plan: PatchPlan,
    fresh: boolean,
    threshold: number | undefined,
  ): ProbabilityStore | undefined {
    const root = join(folder, PROBABILITY_STORE);
    if (fresh) withOutputErrors(root, () => rmSync(root, { recursive: true, force: true }));
    if (threshold === undefined && !existsSync(root)) return undefined;
    const store = new ProbabilityStore(folder, plan);
    if (threshold !== undefined) store.#writeMetadata(threshold);
    return store;
  }

  #writeMetadata(threshold: number): void {
    withOutputErrors(this.#root, () => {
      mkdirSync(dirname(this.#partial), { recursive: true });
      for (const { path } of this.#levels) mkdirSync(join(this.#root, path), { recursive: true });
    });
    for (const [file, json] of scalarFiles(this.#plan.slide, this.#plan, this.#levels, { threshold }))
      writeFinal(this.#root, file, put => put(`${JSON.stringify(json, null, 2)}\n`), dirname(this.#partial));
  }

  /**
   * Writes a patch, or writes it again.
   *
   * @param probabilities patchSize² bytes, as the engine gives them
   * @param missing pixels of the core that the slide does not store
   */
  write(col: number, row: number, probabilities: Uint8Array, missing: readonly PixelRectangle[] = []): void {
    const { patchSize, margin, core } = this.#plan;
    const [width, height] = validSize(this.#plan, col, row);
    let raster: Uint8Array = new Uint8Array(core ** 2);
    for (let y = 0; y < height; y++) {
      const from = (y + margin) * patchSize + margin;
      raster.set(probabilities.subarray(from, from + width), y * core);
    }
    for (const { x, y, width: across, height: down } of missing)
      for (let line = y; line < y + down; line++) raster.fill(0, line * core + x, line * core + x + across);
    for (const [k, level] of this.#levels.entries()) {
      if (k > 0)
        raster = means(
          raster,
          level.chunk * 2,
          2,
          Math.ceil((width * 2) / level.factor),
          Math.ceil((height * 2) / level.factor),
        );
      this.#writeChunk(level, col, row, raster);
    }
  }

  /** The patch has none. */
  remove(col: number, row: number): void {
    for (const level of this.#levels) {
      const path = this.#chunkPath(level, col, row);
      withOutputErrors(path, () => rmSync(path, { force: true }));
    }
  }

  #writeChunk(level: StoredLevel, col: number, row: number, bytes: Uint8Array): void {
    const path = this.#chunkPath(level, col, row);
    withOutputErrors(path, () => {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(this.#partial, gzipSync(bytes, { level: 1 }));
      renameSync(this.#partial, path);
    });
  }

  #chunkPath({ path }: StoredLevel, col: number, row: number): string {
    return join(this.#root, path, chunkKey(LAYOUT, col, row));
  }
}

/** What the masks of a folder with probabilities were cut at, 0–1; undefined where it has none. */
export function keptThreshold(folder: string): number | undefined {
  try {
    const { stromaflow } = JSON.parse(readFileSync(join(folder, PROBABILITY_STORE, '.zattrs'), 'utf8'));
    return typeof stromaflow?.threshold === 'number' ? stromaflow.threshold : undefined;
  } catch {
    return undefined;
  }
}
