import { PatchAssembler, type Region } from './assemble.js';
import { type OverviewCanvas, OverviewPainter } from './overview.js';
import type { PatchPlan } from './patch.js';
import type { PixelMemory } from './pixel-memory.js';
import { validSize } from './plan.js';
import { BLOCK, PatchReducer } from './reduce.js';
import type { TileSource } from './slide.js';
import type { TileCache } from './tile-cache.js';
import { countTissue, DEFAULT_TISSUE_RULE, type TissueRule } from './tissue.js';

/** What reading a patch came to. Pixels are plan pixels of its core inside the slide. */
export interface ReadOutcome {
  /** 'empty': nothing but glass by the tissue rule; the slot is then undefined. */
  readonly outcome: 'tissue' | 'empty';
  readonly validPixels: number;
  readonly tissuePixels: number;
  /** Spent in the reader thread. */
  readonly seconds: number;
}

/**
 * How much coarser than the patch a level must be to be asked first whether there is tissue: reading it must cost little,
 * and its pixels must not be larger than the blocks that the tissue rule judges, or thin tissue would drown in them.
 * Stored levels are rounded to whole pixels, so that a factor of 4 may come out as 3.99.
 */
const PREFILTER_FACTOR = { least: 4 * 0.98, most: BLOCK * 1.02 } as const;

/**
 * A coarser level was filtered and coded by somebody else, so it drops a patch only when it shows less than a part of what
 * the rule wants, by thresholds a part as strict; in doubt the patch is read and judged itself.
 */
const PREFILTER_CAUTION = { colour: 0.75, fraction: 0.25 } as const;

/** Reads one slide's patches in one thread: pixels into a slot, tissue or not, and the picture of the whole. */
export class PatchReader {
  readonly #memory: PixelMemory;
  readonly #assembler: PatchAssembler;
  readonly #plan: PatchPlan;
  readonly #rule: TissueRule;
  readonly #keepAll: boolean;
  readonly #painter: OverviewPainter;
  readonly #reducer: PatchReducer;
  readonly #coarse: { level: number; scale: number } | undefined;

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
    this.#painter = new OverviewPainter(overview, plan);
    this.#assembler = new PatchAssembler(source, memory, cache, slide);
    this.#reducer = new PatchReducer(
      memory,
      plan.patchSize,
      plan.margin,
      factor === 1 || factor === 2 || factor === 4 ? factor : undefined,
    );
    this.#coarse = this.#keepAll ? undefined : coarseLevel(source, plan);
  }

  /** Fills `slot` (patchSize × patchSize × 3 bytes) with patch (col, row). Throws TILE_CORRUPT or SLIDE_UNREADABLE. */
  async read(col: number, row: number, slot: Uint8Array): Promise<ReadOutcome> {
    const start = performance.now();
    const [width, height] = validSize(this.#plan, col, row);
    const least = this.#rule.minFraction * width * height;
    let kept = true;
    let tissuePixels = 0;
    if (this.#coarse) {
      tissuePixels = await this.#lookCoarsely(this.#coarse, col, row, width, height);
      kept = tissuePixels > 0 && tissuePixels >= least * PREFILTER_CAUTION.fraction;
      if (!kept) this.#painter.paint(col, row, this.#reducer.sums);
    }
    if (kept) {
      const patch = this.#memory.area('patch', slot.length);
      await this.#assembler.read(this.#region(col, row), patch);
      tissuePixels = this.#look(patch, col, row, width, height);
      kept = this.#keepAll || (tissuePixels > 0 && tissuePixels >= least);
      if (kept) slot.set(this.#memory.bytes(patch, slot.length));
    }
    return {
      outcome: kept ? 'tissue' : 'empty',
      validPixels: width * height,
      tissuePixels,
      seconds: (performance.now() - start) / 1000,
    };
  }

  close(): void {
    this.#assembler.close();
  }

  #region(col: number, row: number): Region {
    const { level, scale, core, margin, patchSize, rows, width, height } = this.#plan;
    return {
      level,
      scale,
      x: col * core - margin,
      y: row * core - margin,
      width: patchSize,
      height: patchSize,
      slideWidth: width,
      slideHeight: height,
      nextTop: row + 1 < rows ? (row + 1) * core - margin : Number.POSITIVE_INFINITY,
    };
  }

  /** Tissue of the patch at an address; also paints it. */
  #look(patch: number, col: number, row: number, width: number, height: number): number {
    const { core } = this.#plan;
    const reducer = this.#reducer;
    reducer.run(patch);
    if (reducer.factor) this.#painter.copy(col, row, reducer.means(patch));
    else this.#painter.paint(col, row, reducer.sums);
    return countTissue(reducer.sums, core / BLOCK, width, height, this.#rule);
  }

  /** Tissue of a patch as a coarser level shows it. */
  async #lookCoarsely(
    { level, scale }: { level: number; scale: number },
    col: number,
    row: number,
    width: number,
    height: number,
  ): Promise<number> {
    const blocks = this.#plan.core / BLOCK;
    const region: Region = {
      level,
      scale,
      x: col * blocks,
      y: row * blocks,
      width: blocks,
      height: blocks,
      slideWidth: Math.ceil(this.#plan.width / BLOCK),
      slideHeight: Math.ceil(this.#plan.height / BLOCK),
      nextTop: row + 1 < this.#plan.rows ? (row + 1) * blocks : Number.POSITIVE_INFINITY,
    };
    const means = this.#memory.area('coarse', blocks * blocks * 3);
    await this.#assembler.read(region, means);
    const pixels = this.#memory.bytes(means, blocks * blocks * 3);
    const { sums } = this.#reducer;
    for (let y = 0, at = 0; y < blocks; y++) {
      const down = Math.max(0, Math.min(BLOCK, height - y * BLOCK));
      for (let x = 0; x < blocks; x++, at += 3) {
        const area = down * Math.max(0, Math.min(BLOCK, width - x * BLOCK));
        sums[at] = (pixels[at] as number) * area;
        sums[at + 1] = (pixels[at + 1] as number) * area;
        sums[at + 2] = (pixels[at + 2] as number) * area;
      }
    }
    const { saturation, opticalDensity } = this.#rule;
    const cautious = {
      ...this.#rule,
      saturation: saturation * PREFILTER_CAUTION.colour,
      opticalDensity: opticalDensity * PREFILTER_CAUTION.colour,
    };
    return countTissue(sums, blocks, width, height, cautious);
  }
}

/** The finest level that is coarse enough for the prefilter. */
function coarseLevel(source: TileSource, plan: PatchPlan): { level: number; scale: number } | undefined {
  const level = source.levels.findIndex(level => level.downsample >= plan.downsample * PREFILTER_FACTOR.least);
  const geometry = source.levels[level];
  if (!geometry || geometry.downsample > plan.downsample * PREFILTER_FACTOR.most) return undefined;
  return { level, scale: (BLOCK * plan.downsample) / geometry.downsample };
}
