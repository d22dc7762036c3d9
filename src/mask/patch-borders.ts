import { type Chains, DOWN, LEFT, RIGHT, UP } from './chains.js';
import type { Components } from './components.js';
import type { MaskGrid } from './grid.js';
import type { PatchRegions } from './patch-regions.js';

/** Runs of set pixels along one side of a patch: start, end, component, start, … */
type Runs = Int32Array;
const NONE: Runs = new Int32Array(0);

interface Border {
  /** Of the patch above or to the left of the line. */
  before?: Runs;
  /** Of the patch below or to the right of it. */
  after?: Runs;
}

/**
 * The lines between patches. Where both sides of a line are set there is no boundary, and the regions are one; where
 * only one is, there is an edge. Along a line that cuts, regions stay apart, and each has an edge. A line is settled and forgotten as soon as both its patches are known; beyond the grid there are none.
 */
export class PatchBorders {
  readonly #chains: Chains;
  #components: Components;
  readonly #core: number;
  readonly #cols: number;
  readonly #rows: number;
  readonly #cut: number | undefined;
  readonly #pending = new Map<number, Border>();

  constructor(chains: Chains, components: Components, { core, cols, rows }: MaskGrid, cut?: number) {
    this.#chains = chains;
    this.#components = components;
    this.#core = core;
    this.#cols = cols;
    this.#rows = rows;
    this.#cut = cut;
  }

  /** Takes the four sides of a patch. */
  add(col: number, row: number, regions: PatchRegions): void {
    const { side, stride } = regions;
    const origin = stride + 1;
    this.#side(col, row, false, 'after', runsAlong(regions, origin, 1));
    this.#side(col, row + 1, false, 'before', runsAlong(regions, origin + (side - 1) * stride, 1));
    this.#side(col, row, true, 'after', runsAlong(regions, origin, stride));
    this.#side(col + 1, row, true, 'before', runsAlong(regions, origin + side - 1, stride));
  }

  /** A patch without a set pixel: its neighbours' edges towards it stand. */
  addEmpty(col: number, row: number): void {
    this.#side(col, row, false, 'after', NONE);
    this.#side(col, row + 1, false, 'before', NONE);
    this.#side(col, row, true, 'after', NONE);
    this.#side(col + 1, row, true, 'before', NONE);
  }

  /** Settles the lines one of whose patches never came. */
  finish(): void {
    for (const [key, border] of this.#pending) this.#settle(key, border);
    this.#pending.clear();
  }

  /** The same regions, counted anew. */
  rename(components: Components, component: (id: number) => number): void {
    this.#components = components;
    const renamed = new Set<Runs>();
    for (const { before = NONE, after = NONE } of this.#pending.values())
      for (const runs of [before, after]) {
        if (renamed.has(runs)) continue;
        renamed.add(runs);
        for (let i = 2; i < runs.length; i += 3) runs[i] = component(runs[i]!);
      }
  }

  #side(col: number, row: number, vertical: boolean, which: keyof Border, runs: Runs): void {
    const key = (row * (this.#cols + 1) + col) * 2 + (vertical ? 1 : 0);
    const border = this.#pending.get(key) ?? {};
    border[which] = runs;
    const isOuter = vertical ? col === 0 || col === this.#cols : row === 0 || row === this.#rows;
    if (isOuter || (border.before && border.after)) {
      this.#pending.delete(key);
      this.#settle(key, border);
    } else {
      this.#pending.set(key, border);
    }
  }

  #settle(key: number, { before = NONE, after = NONE }: Border): void {
    const vertical = key % 2 === 1;
    const place = Math.floor(key / 2);
    const [col, row] = [place % (this.#cols + 1), Math.floor(place / (this.#cols + 1))];
    const [x, y] = [col * this.#core, row * this.#core];
    const isCut = this.#cut !== undefined && (vertical ? col : row) % this.#cut === 0;
    const emit = (from: number, to: number, component: number, forward: boolean): void => {
      // A vertical edge below its set pixel's left side runs up, one on the right side down, and so on.
      const heading = vertical ? (forward ? DOWN : UP) : forward ? RIGHT : LEFT;
      const [start, end] = forward ? [from, to] : [to, from];
      this.#chains.begin(x + (vertical ? 0 : start), y + (vertical ? start : 0), heading, component);
      this.#chains.edge(to - from, 0);
      this.#chains.end(x + (vertical ? 0 : end), y + (vertical ? end : 0), heading);
    };
    let i = 0;
    let j = 0;
    let at = 0;
    while (i < before.length || j < after.length) {
      const a0 = i < before.length ? Math.max(at, before[i]!) : Number.POSITIVE_INFINITY;
      const b0 = j < after.length ? Math.max(at, after[j]!) : Number.POSITIVE_INFINITY;
      const a1 = i < before.length ? before[i + 1]! : Number.POSITIVE_INFINITY;
      const b1 = j < after.length ? after[j + 1]! : Number.POSITIVE_INFINITY;
      at = Math.min(a0, b0);
      let to: number;
      if (a0 === b0) {
        to = Math.min(a1, b1);
        if (isCut) {
          emit(at, to, before[i + 2]!, vertical);
          emit(at, to, after[j + 2]!, !vertical);
        } else this.#components.union(before[i + 2]!, after[j + 2]!);
      } else if (a0 < b0) {
        to = Math.min(a1, b0);
        emit(at, to, before[i + 2]!, vertical);
      } else {
        to = Math.min(b1, a0);
        emit(at, to, after[j + 2]!, !vertical);
      }
      at = to;
      if (at >= a1) i += 3;
      if (at >= b1) j += 3;
    }
  }
}

function runsAlong({ labels, side }: PatchRegions, first: number, step: number): Runs {
  const runs: number[] = [];
  for (let i = 0, at = first; i < side; ) {
    const label = labels[at]! & 0x7fff_ffff;
    if (label === 0) {
      i++;
      at += step;
      continue;
    }
    const start = i;
    while (i < side && labels[at] !== 0) {
      i++;
      at += step;
    }
    runs.push(start, i, label - 1);
  }
  return runs.length > 0 ? Int32Array.from(runs) : NONE;
}
