import type { PatchPlan, PatchRef } from '../read/patch.js';
import { patchRef, patchRefs } from '../read/plan.js';
import type { LevelGeometry } from '../slide/slide.js';

/** Which tiles of one axis each patch touches, and the other way round; ends are inclusive. */
interface Axis {
  readonly firstTile: Int32Array;
  readonly lastTile: Int32Array;
  readonly firstPatch: Int32Array;
  readonly lastPatch: Int32Array;
}

/** Counts for every patch the tiles it still waits for: it is due the moment the last one is there. */
export class PatchWaits {
  readonly #plan: PatchPlan;
  readonly #across: Axis;
  readonly #down: Axis;
  readonly #tileCols: number;
  /** Tiles a patch waits for; 0 once it was given out. */
  readonly #waiting: Int32Array;

  constructor(plan: PatchPlan, level: LevelGeometry) {
    this.#plan = plan;
    this.#tileCols = Math.ceil(level.width / level.tileWidth);
    this.#across = axisOf(plan, plan.cols, plan.width, level.width, level.tileWidth);
    this.#down = axisOf(plan, plan.rows, plan.height, level.height, level.tileHeight);
    this.#waiting = new Int32Array(plan.cols * plan.rows);
    for (let row = 0; row < plan.rows; row++) {
      const tilesDown = spanned(this.#down, row);
      for (let col = 0; col < plan.cols; col++)
        this.#waiting[row * plan.cols + col] = tilesDown * spanned(this.#across, col);
    }
  }

  /** Tells of tiles that came, each at most once; the patches that are due now, row by row. */
  arrive(tiles: Iterable<number>): PatchRef[] {
    const { cols } = this.#plan;
    const due: number[] = [];
    for (const tile of tiles) {
      const tileRow = Math.floor(tile / this.#tileCols);
      const tileCol = tile - tileRow * this.#tileCols;
      const lastRow = this.#down.lastPatch[tileRow]!;
      const lastCol = this.#across.lastPatch[tileCol]!;
      for (let row = this.#down.firstPatch[tileRow]!; row <= lastRow; row++)
        for (let col = this.#across.firstPatch[tileCol]!; col <= lastCol; col++) {
          const place = row * cols + col;
          if (--this.#waiting[place]! === 0) due.push(place);
        }
    }
    due.sort((a, b) => a - b);
    return due.map(place => patchRef(this.#plan, place % cols, Math.floor(place / cols)));
  }

  /** The slide is over: the patches that waited for tiles it will not have. */
  *rest(): Generator<PatchRef, void, undefined> {
    for (const ref of patchRefs(this.#plan)) {
      const place = ref.row * this.#plan.cols + ref.col;
      if (this.#waiting[place]! <= 0) continue;
      this.#waiting[place] = 0;
      yield ref;
    }
  }
}

const spanned = (axis: Axis, patch: number): number => axis.lastTile[patch]! - axis.firstTile[patch]! + 1;

/** The level pixels that the assembler and the resampler read for a patch (src/read/assemble.ts, resample.ts). */
function axisOf(plan: PatchPlan, patches: number, planSize: number, levelSize: number, tileSize: number): Axis {
  const { core, margin, patchSize, scale } = plan;
  const tiles = Math.ceil(levelSize / tileSize);
  const firstTile = new Int32Array(patches);
  const lastTile = new Int32Array(patches);
  const firstPatch = new Int32Array(tiles).fill(patches);
  const lastPatch = new Int32Array(tiles).fill(-1);
  for (let patch = 0; patch < patches; patch++) {
    const from = Math.max(0, patch * core - margin);
    // At scale 1 the level's own pixels count: its size is the plan's.
    const to = Math.min(patch * core - margin + patchSize, planSize);
    const start = Math.floor(Math.min(from * scale, levelSize - 1e-6));
    const end = Math.max(start + 1, Math.ceil(Math.min(to * scale, levelSize) - 1e-9));
    firstTile[patch] = Math.floor(start / tileSize);
    lastTile[patch] = Math.floor((end - 1) / tileSize);
    for (let tile = firstTile[patch]!; tile <= lastTile[patch]!; tile++) {
      firstPatch[tile] = Math.min(firstPatch[tile]!, patch);
      lastPatch[tile] = patch;
    }
  }
  return { firstTile, lastTile, firstPatch, lastPatch };
}
