import { areaOf, disjoint, type PixelRectangle } from '../slide/rectangles.js';
import type { TileSource } from '../slide/slide.js';
import { PatchAssembler } from './assemble.js';
import { createMarks } from './marks.js';
import { insideOf, mirrorOutside } from './mirror.js';
import { type OverviewCanvas, OverviewPainter } from './overview.js';
import type { PatchPlan } from './patch.js';
import type { PixelMemory } from './pixel-memory.js';
import { regionOf, validSize } from './plan.js';
import { BLOCK, PatchReducer } from './reduce.js';
import type { TileCache } from './tile-cache.js';
import { countTissue, DEFAULT_TISSUE_RULE, type TissueRule } from './tissue.js';

/** What reading a patch came to. Pixels are plan pixels of its core inside the slide. */
export interface ReadOutcome {
  /**
   * 'empty': all of it is stored, and nothing but glass by the tissue rule. 'missing': nothing of it is stored, or too little
   * to say so: what is there has no tissue. The slot is then undefined.
   */
  readonly outcome: 'tissue' | 'empty' | 'missing';
  readonly validPixels: number;
  readonly tissuePixels: number;
  /** Which blocks of the core are tissue (marks.ts), of a patch that has some. Absent: the filter is off. */
  readonly tissue?: Uint8Array;
  /** Where no pixel is stored, in pixels of the core: rectangles that do not overlap. Absent: all is stored. */
  readonly missing?: readonly PixelRectangle[];
  /** Spent in the reader thread. */
  readonly seconds: number;
}

/** What a missing pixel shows. */
const WHITE = 255;

/** Reads one slide's patches in one thread: pixels into a slot, tissue or not, and the picture of the whole. */
export class PatchReader {
  readonly #memory: PixelMemory;
  readonly #assembler: PatchAssembler;
  readonly #plan: PatchPlan;
  readonly #rule: TissueRule;
  readonly #keepAll: boolean;
  /** Of the patch that is looked at; undefined: the filter is off. */
  readonly #marks: Uint8Array | undefined;
  readonly #painter: OverviewPainter;
  readonly #reducer: PatchReducer;

  /**
   * @param rule null keeps every patch; tissue is still counted, by the default rule.
   * @param cache in the same memory; both may be shared by several slides of the thread, which `slide` tells apart.
   */
  constructor(
    source: TileSource,
    plan: PatchPlan,
    rule: TissueRule | null,
    overview: OverviewCanvas,
    memory: PixelMemory,
    cache: TileCache,
    slide = 0,
  ) {
    const { factor } = overview;
    this.#memory = memory;
    this.#plan = plan;
    this.#rule = rule ?? DEFAULT_TISSUE_RULE;
    this.#keepAll = rule === null || rule.minFraction === 0;
    this.#marks = rule === null ? undefined : createMarks(plan.core / BLOCK);
    this.#painter = new OverviewPainter(overview, plan);
    this.#assembler = new PatchAssembler(source, memory, cache, slide);
    this.#reducer = new PatchReducer(
      memory,
      plan.patchSize,
      plan.margin,
      factor === 1 || factor === 2 || factor === 4 ? factor : undefined,
    );
  }

  /** Fills `slot` (patchSize × patchSize × 3 bytes) with patch (col, row). Throws TILE_CORRUPT or SLIDE_UNREADABLE. */
  async read(col: number, row: number, slot: Uint8Array): Promise<ReadOutcome> {
    const start = performance.now();
    const [width, height] = validSize(this.#plan, col, row);
    const patch = this.#memory.area('patch', slot.length);
    const missing = this.#missing(await this.#assembler.read(regionOf(this.#plan, col, row), patch), width, height);
    const validPixels = width * height;
    const storedPixels = validPixels - areaOf(missing);
    const tissuePixels = this.#look(patch, col, row, width, height, missing);
    const enough = tissuePixels > 0 && tissuePixels >= this.#rule.minFraction * storedPixels;
    const kept = storedPixels > 0 && (this.#keepAll || enough);
    if (kept) {
      slot.set(this.#memory.bytes(patch, slot.length));
      if (this.#plan.padding === 'mirror') this.#mirror(slot, col, row);
    }
    const otherwise = missing.length > 0 ? 'missing' : 'empty';
    return {
      outcome: kept ? 'tissue' : otherwise,
      validPixels,
      tissuePixels,
      ...(kept && this.#marks ? { tissue: this.#marks.slice() } : {}),
      ...(missing.length > 0 ? { missing } : {}),
      seconds: (performance.now() - start) / 1000,
    };
  }

  close(): void {
    this.#assembler.close();
  }

  #mirror(slot: Uint8Array, col: number, row: number): void {
    const { core, margin, patchSize, width, height } = this.#plan;
    const inside = (place: number, size: number) => insideOf(place * core - margin, patchSize, size);
    mirrorOutside(slot, patchSize, inside(col, width), inside(row, height));
  }

  /** Parts of the region as parts of the core. */
  #missing(parts: readonly PixelRectangle[], width: number, height: number): readonly PixelRectangle[] {
    if (parts.length === 0) return NOTHING;
    const { margin } = this.#plan;
    const placed = parts.map(part => ({ ...part, x: part.x - margin, y: part.y - margin }));
    return disjoint(placed, width, height);
  }

  /** Tissue of the patch at an address; also paints it. */
  #look(
    patch: number,
    col: number,
    row: number,
    width: number,
    height: number,
    missing: readonly PixelRectangle[],
  ): number {
    const { core } = this.#plan;
    const reducer = this.#reducer;
    reducer.run(patch);
    if (reducer.factor) this.#painter.copy(col, row, reducer.means(patch));
    else this.#painter.paint(col, row, reducer.sums);
    const { sums } = reducer;
    const blocks = core / BLOCK;
    if (missing.length === 0) return countTissue(sums, blocks, width, height, this.#rule, undefined, this.#marks);
    if (areaOf(missing) === width * height) {
      this.#marks?.fill(0);
      return 0;
    }
    const areas = withoutMissing(sums, blocks, width, height, missing);
    return countTissue(sums, blocks, width, height, this.#rule, areas, this.#marks);
  }
}

const NOTHING: readonly PixelRectangle[] = [];

/**
 * Takes the white of missing pixels out of the blocks' sums.
 *
 * @returns pixels that are left in each block.
 */
function withoutMissing(
  sums: Uint16Array,
  blocks: number,
  width: number,
  height: number,
  missing: readonly PixelRectangle[],
): Uint8Array {
  const areas = new Uint8Array(blocks * blocks);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) areas[Math.floor(y / BLOCK) * blocks + Math.floor(x / BLOCK)]! += 1;
  for (const { x: left, y: top, width: across, height: down } of missing)
    for (let y = top; y < top + down; y++)
      for (let x = left; x < left + across; x++) {
        const block = Math.floor(y / BLOCK) * blocks + Math.floor(x / BLOCK);
        areas[block]! -= 1;
        for (let channel = 0; channel < 3; channel++) sums[block * 3 + channel]! -= WHITE;
      }
  return areas;
}
