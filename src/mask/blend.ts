import type { PatchPlan } from '../read/patch.js';
import { patchesAround } from '../read/plan.js';

/** The grid of a plan whose patches overlap: each reaches `margin` pixels into its neighbours' cores. */
export type BlendGrid = Pick<PatchPlan, 'patchSize' | 'margin' | 'core' | 'cols' | 'rows'>;

/** What a patch gives to the blend. */
type Share = 'unknown' | 'scores' | 'nothing' | 'failed';

export interface Blended {
  /** core × core probabilities. */
  readonly scores: Float32Array;
  /** Neighbours that failed, so that theirs are not in it. */
  readonly without: number;
}

/** Probabilities are summed as whole multiples of this: the sum is the same in whatever order patches come. */
const STEPS = 2 ** 30;

/**
 * The weight of each of a patch's pixels along one axis: it rises over the overlap as sin² does from 0 to 1, is 1 where no neighbour
 * reaches, and falls as it rose; with an overlap of half a patch this is the Hann window (N. Pielawski, C. Wählby, "Introducing Hann windows for reducing edge-effects
 * in patch-based image segmentation", PLoS ONE 15(3), 2020). A pixel counts least where the network knew least of what is around it, and
 * the weights of the patches over a pixel add up to 1.
 */
export function blendWeights({ patchSize, margin }: Pick<BlendGrid, 'patchSize' | 'margin'>): Float64Array {
  const overlap = 2 * margin;
  const rise = (i: number): number => (i < overlap ? Math.sin((Math.PI / 2) * ((i + 0.5) / overlap)) ** 2 : 1);
  return Float64Array.from({ length: patchSize }, (_, i) => Math.min(rise(i), rise(patchSize - 1 - i)));
}

/**
 * Blends the probabilities of patches that overlap, as they come, in any order. The core of a patch is due when the patch and all
 * neighbours that touch it are done: the mean of what reaches each pixel, by blendWeights, of those that have probabilities. A patch without tissue
 * is done and gives nothing, as is one that failed, which is counted.
 *
 * Kept are sums, 4 bytes a pixel, of the cores that somebody gave to and that are not due. When patches come row by row those are of two
 * rows at most: (cols + 2) that wait for the row below, and as many below that were reached.
 */
export class Blend {
  readonly #grid: BlendGrid;
  readonly #weights: Float64Array;
  readonly #shares: Share[];
  readonly #isOver: boolean[];
  readonly #sums = new Map<number, Int32Array>();
  readonly #spare: Int32Array[] = [];

  constructor(grid: BlendGrid) {
    const { cols, rows, core, margin } = grid;
    if (margin <= 0 || 2 * margin > core) throw new RangeError(`an overlap of ${2 * margin} px of cores of ${core}`);
    this.#grid = grid;
    this.#weights = blendWeights(grid);
    this.#shares = Array(cols * rows).fill('unknown');
    this.#isOver = Array(cols * rows).fill(false);
  }

  /** Cores of which sums are kept. */
  get open(): number {
    return this.#sums.size;
  }

  /** Takes the patchSize² probabilities of a patch; what lies in cores that are over goes nowhere. */
  add(col: number, row: number, scores: Float32Array): void {
    this.#shares[this.#at(col, row)] = 'scores';
    for (const [c, r] of patchesAround(this.#grid, col, row)) {
      const cell = this.#at(c, r);
      if (!this.#isOver[cell]) this.#addTo(this.#sumsOf(cell), scores, c - col, r - row);
    }
  }

  /** The patch is done and has no probabilities, nor a mask. */
  skip(col: number, row: number, why: 'nothing' | 'failed'): void {
    const cell = this.#at(col, row);
    this.#shares[cell] = why;
    this.#close(cell);
  }

  /** Its mask is there from an earlier start; its probabilities may come for its neighbours. */
  over(col: number, row: number): void {
    this.#close(this.#at(col, row));
  }

  isDue(col: number, row: number): boolean {
    if (this.#shares[this.#at(col, row)] !== 'scores' || this.#isOver[this.#at(col, row)]) return false;
    return [...patchesAround(this.#grid, col, row)].every(([c, r]) => this.#shares[this.#at(c, r)] !== 'unknown');
  }

  /** The blend of a patch that is due; to be asked for once. */
  take(col: number, row: number): Blended {
    if (!this.isDue(col, row)) throw new RangeError(`patch ${col}, ${row} is not due`);
    const { core } = this.#grid;
    const cell = this.#at(col, row);
    const sums = this.#sumsOf(cell);
    const [left, middle, right] = [-1, 0, 1].map(d => this.#reach(d)) as [Reach, Reach, Reach];
    const has = [-1, 0, 1].map(dy => [-1, 0, 1].map(dx => this.#shareOf(col + dx, row + dy) === 'scores'));
    const scores = new Float32Array(core * core);
    if (has.every(line => line.every(there => there)))
      for (let i = 0; i < scores.length; i++) scores[i] = sums[i]! / STEPS;
    else {
      const reaches = [left, middle, right];
      for (let y = 0, i = 0; y < core; y++) {
        const lines = reaches.flatMap((reach, at) =>
          y >= reach.from && y < reach.to ? [{ at, w: this.#weight(reach, y) }] : [],
        );
        for (let x = 0; x < core; x++, i++) {
          let weight = 0;
          for (const { at, w } of lines)
            for (let dx = 0; dx < 3; dx++) {
              const reach = reaches[dx]!;
              if (has[at]![dx] && x >= reach.from && x < reach.to) weight += w * this.#weight(reach, x);
            }
          scores[i] = Math.min(1, sums[i]! / STEPS / weight);
        }
      }
    }
    const without = [...patchesAround(this.#grid, col, row)].filter(
      ([c, r]) => this.#shareOf(c, r) === 'failed',
    ).length;
    this.#close(cell);
    return { scores, without };
  }

  /** Of a patch `d` columns (or rows) away: which of a core's pixels it reaches, and what is to be added to find them in it. */
  #reach(d: number): Reach {
    const { core, margin } = this.#grid;
    const by = margin - d * core;
    if (d === 0) return { from: 0, to: core, by };
    return d < 0 ? { from: 0, to: margin, by } : { from: core - margin, to: core, by };
  }

  #weight({ by }: Reach, at: number): number {
    return this.#weights[at + by]!;
  }

  /** Adds what a patch gives to the core that is dx, dy away from it. */
  #addTo(sums: Int32Array, scores: Float32Array, dx: number, dy: number): void {
    const { core, patchSize } = this.#grid;
    const [across, down] = [this.#reach(-dx), this.#reach(-dy)];
    for (let y = down.from; y < down.to; y++) {
      const steps = STEPS * this.#weight(down, y);
      const from = (y + down.by) * patchSize + across.by;
      for (let x = across.from, to = y * core; x < across.to; x++)
        sums[to + x]! += Math.round(scores[from + x]! * this.#weights[x + across.by]! * steps);
    }
  }

  #shareOf(col: number, row: number): Share | undefined {
    const { cols, rows } = this.#grid;
    return col >= 0 && col < cols && row >= 0 && row < rows ? this.#shares[this.#at(col, row)] : undefined;
  }

  #sumsOf(cell: number): Int32Array {
    let sums = this.#sums.get(cell);
    if (!sums) {
      sums = this.#spare.pop()?.fill(0) ?? new Int32Array(this.#grid.core ** 2);
      this.#sums.set(cell, sums);
    }
    return sums;
  }

  #close(cell: number): void {
    this.#isOver[cell] = true;
    const sums = this.#sums.get(cell);
    if (sums) this.#spare.push(sums);
    this.#sums.delete(cell);
  }

  #at(col: number, row: number): number {
    return row * this.#grid.cols + col;
  }
}

interface Reach {
  readonly from: number;
  readonly to: number;
  readonly by: number;
}
