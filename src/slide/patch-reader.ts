import { PatchAssembler } from './assemble.js';
import { type OverviewCanvas, paintBlocks, paintPixels } from './overview.js';
import type { PatchPlan } from './patch.js';
import { validSize } from './plan.js';
import { BlockReducer, type BlockSize, mergeBlocks } from './reduce.js';
import type { TileSource } from './slide.js';
import type { TileCache } from './tile-cache.js';
import { countTissue, DEFAULT_TISSUE_RULE, TISSUE_BLOCK, type TissueRule } from './tissue.js';

/** What reading a patch came to. Pixels are plan pixels of its core inside the slide. */
export interface ReadOutcome {
  /** 'empty': nothing but glass by the tissue rule; the slot is then undefined. */
  readonly outcome: 'tissue' | 'empty';
  readonly validPixels: number;
  readonly tissuePixels: number;
  /** Spent in the reader thread. */
  readonly seconds: number;
}

/** How much coarser than the patch a level must be to be asked first whether there is tissue. */
const PREFILTER_FACTOR = 4;

/**
 * A coarser level dilutes thin tissue, so it alone decides only when it shows this part of the tissue that the rule
 * wants; in doubt the patch is read and judged itself.
 */
const PREFILTER_CAUTION = 0.25;

/** Reads one slide's patches in one thread: pixels into a slot, tissue or not, and the picture of the whole. */
export class PatchReader {
  readonly #assembler: PatchAssembler;
  readonly #source: TileSource;
  readonly #plan: PatchPlan;
  readonly #rule: TissueRule;
  readonly #keepAll: boolean;
  readonly #overview: OverviewCanvas;
  readonly #reducer: BlockReducer;
  readonly #fine: Uint16Array;
  readonly #blocks: Uint16Array;
  readonly #coarse: { level: number; scale: number; pixels: Uint8Array } | undefined;

  /**
   * @param rule null keeps every patch; tissue is still counted, by the default rule.
   * @param cache may be shared by several slides, which `slide` tells apart.
   */
  constructor(
    source: TileSource,
    plan: PatchPlan,
    rule: TissueRule | null,
    overview: OverviewCanvas,
    cache: TileCache,
    slide = 0,
  ) {
    this.#source = source;
    this.#plan = plan;
    this.#rule = rule ?? DEFAULT_TISSUE_RULE;
    this.#keepAll = rule === null || rule.minFraction === 0;
    this.#overview = overview;
    this.#assembler = new PatchAssembler(source, cache, slide);
    this.#reducer = new BlockReducer(plan.core);
    this.#fine = new Uint16Array((plan.core / 2) ** 2 * 3);
    this.#blocks = new Uint16Array((plan.core / TISSUE_BLOCK) ** 2 * 3);
    this.#coarse = this.#keepAll ? undefined : coarseLevel(source, plan);
  }

  /** Fills `slot` (patchSize × patchSize × 3 bytes) with patch (col, row). Throws TILE_CORRUPT or SLIDE_UNREADABLE. */
  async read(col: number, row: number, slot: Uint8Array): Promise<ReadOutcome> {
    const start = performance.now();
    const plan = this.#plan;
    const [width, height] = validSize(plan, col, row);
    const least = this.#rule.minFraction * width * height;
    let tissuePixels = 0;
    let kept = true;
    if (this.#coarse) {
      tissuePixels = await this.#lookCoarsely(this.#coarse, col, row, width, height);
      kept = tissuePixels > 0 && tissuePixels >= least * PREFILTER_CAUTION;
      if (!kept) paintBlocks(this.#overview, plan, col, row, this.#blocks, TISSUE_BLOCK);
    }
    if (kept) {
      await this.#assembler.read(this.#region(col, row), slot);
      tissuePixels = this.#look(col, row, slot, width, height);
      kept = this.#keepAll || (tissuePixels > 0 && tissuePixels >= least);
    }
    return {
      outcome: kept ? 'tissue' : 'empty',
      validPixels: width * height,
      tissuePixels,
      seconds: (performance.now() - start) / 1000,
    };
  }

  close(): void {
    this.#source.close();
  }

  #region(col: number, row: number) {
    const { level, scale, core, margin, patchSize, width, height } = this.#plan;
    return {
      level,
      scale,
      x: col * core - margin,
      y: row * core - margin,
      width: patchSize,
      height: patchSize,
      slideWidth: width,
      slideHeight: height,
      advance: core,
    };
  }

  /** Tissue of a patch that was read; also paints it. */
  #look(col: number, row: number, slot: Uint8Array, width: number, height: number): number {
    const { core, margin, patchSize } = this.#plan;
    const { factor } = this.#overview;
    const words = new Uint32Array(slot.buffer, slot.byteOffset, slot.byteLength / 4);
    const start = ((margin * patchSize + margin) * 3) / 4;
    const stride = (patchSize * 3) / 4;
    const reduce = (size: BlockSize, sums: Uint16Array) =>
      this.#reducer.reduce(words, start, stride, core, core, size, sums);
    if (factor === 2 || factor === 4) {
      reduce(factor, this.#fine);
      mergeBlocks(this.#fine, core / factor, core / factor, TISSUE_BLOCK / factor, this.#blocks);
      paintBlocks(this.#overview, this.#plan, col, row, this.#fine, factor);
    } else {
      reduce(8, this.#blocks);
      if (factor === 1) paintPixels(this.#overview, this.#plan, col, row, slot);
      else paintBlocks(this.#overview, this.#plan, col, row, this.#blocks, TISSUE_BLOCK);
    }
    return countTissue(this.#blocks, core / TISSUE_BLOCK, width, height, this.#rule);
  }

  /** Tissue of a patch as a coarser level shows it. */
  async #lookCoarsely(
    coarse: { level: number; scale: number; pixels: Uint8Array },
    col: number,
    row: number,
    width: number,
    height: number,
  ): Promise<number> {
    const blocks = this.#plan.core / TISSUE_BLOCK;
    const region = {
      level: coarse.level,
      scale: coarse.scale,
      x: col * blocks,
      y: row * blocks,
      width: blocks,
      height: blocks,
      slideWidth: Math.ceil(this.#plan.width / TISSUE_BLOCK),
      slideHeight: Math.ceil(this.#plan.height / TISSUE_BLOCK),
      advance: blocks,
    };
    await this.#assembler.read(region, coarse.pixels);
    for (let y = 0, at = 0; y < blocks; y++) {
      const down = Math.max(0, Math.min(TISSUE_BLOCK, height - y * TISSUE_BLOCK));
      for (let x = 0; x < blocks; x++, at += 3) {
        const area = down * Math.max(0, Math.min(TISSUE_BLOCK, width - x * TISSUE_BLOCK));
        this.#blocks[at] = (coarse.pixels[at] as number) * area;
        this.#blocks[at + 1] = (coarse.pixels[at + 1] as number) * area;
        this.#blocks[at + 2] = (coarse.pixels[at + 2] as number) * area;
      }
    }
    return countTissue(this.#blocks, blocks, width, height, this.#rule);
  }
}

/** The finest level that is coarse enough for the prefilter. */
function coarseLevel(source: TileSource, plan: PatchPlan) {
  const level = source.levels.findIndex(({ downsample }) => downsample >= plan.downsample * PREFILTER_FACTOR);
  const geometry = source.levels[level];
  if (!geometry) return undefined;
  const blocks = plan.core / TISSUE_BLOCK;
  return {
    level,
    scale: (TISSUE_BLOCK * plan.downsample) / geometry.downsample,
    pixels: new Uint8Array(blocks * blocks * 3),
  };
}
