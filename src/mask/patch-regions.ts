import { rowBytes } from './bits.js';
import type { Components } from './components.js';
import { growInts } from './grow.js';

/**
 * The 4-connected regions of one patch: every set pixel's component, framed by a border of zeros so that neighbours
 * can be looked up without bounds tests. One instance serves all patches of a size; its tables are reused.
 */
export class PatchRegions {
  readonly side: number;
  /** Entries a row of `labels`: side + 2. */
  readonly stride: number;
  /** At (y + 1) × stride + x + 1: 0 where the pixel is clear, else its component + 1. */
  readonly labels: Int32Array;

  /** Runs of set pixels, row by row: [start, end) and the provisional region; row y owns runs rowOf[y] … rowOf[y+1]. */
  readonly #start = growInts();
  readonly #end = growInts();
  readonly #region = growInts();
  readonly #rowOf: Int32Array;
  readonly #parent = growInts();
  readonly #first = growInts();

  constructor(side: number) {
    this.side = side;
    this.stride = side + 2;
    this.labels = new Int32Array(this.stride * this.stride);
    this.#rowOf = new Int32Array(side + 1);
  }

  /**
   * Labels a patch in a row of patches; `key(x, y)` names a region by its first pixel in reading order. Returns false when all is clear.
   */
  load(bits: Uint8Array, components: Components, row: number, key: (x: number, y: number) => number): boolean {
    this.#findRuns(bits);
    if (this.#start.length === 0) return false;
    this.labels.fill(0);
    this.#joinRuns();
    this.#paint(components, row, key);
    return true;
  }

  /** Calls `visit` for the first pixel of every stretch of set pixels that has clear pixels above it. */
  stretches(visit: (x: number, y: number) => void): void {
    const start = this.#start.data;
    const end = this.#end.data;
    for (let y = 0; y < this.side; y++) {
      let above = y > 0 ? this.#rowOf[y - 1]! : 0;
      const aboveEnd = y > 0 ? this.#rowOf[y]! : 0;
      for (let run = this.#rowOf[y]!; run < this.#rowOf[y + 1]!; run++) {
        while (above < aboveEnd && end[above]! <= start[run]!) above++;
        if (above === aboveEnd || start[above]! > start[run]!) visit(start[run]!, y);
        while (above < aboveEnd && end[above]! < end[run]!) visit(end[above++]!, y);
      }
    }
  }

  #findRuns(bits: Uint8Array): void {
    const stride = rowBytes(this.side);
    this.#start.clear();
    this.#end.clear();
    for (let y = 0; y < this.side; y++) {
      this.#rowOf[y] = this.#start.length;
      let previous = 0;
      for (let i = 0; i < stride; i += 4) {
        const at = y * stride + i;
        const left = stride - i;
        // Bytes after the row's end read as zero, so a run always ends inside the last word or at the row's end.
        const word =
          (bits[at]! << 24) |
          (left > 1 ? bits[at + 1]! << 16 : 0) |
          (left > 2 ? bits[at + 2]! << 8 : 0) |
          (left > 3 ? bits[at + 3]! : 0);
        // A bit of `turns` is set where a pixel differs from its left neighbour.
        let turns = word ^ ((word >>> 1) | (previous << 31));
        previous = word & 1;
        while (turns !== 0) {
          const bit = Math.clz32(turns);
          turns &= ~(0x80000000 >>> bit);
          const x = i * 8 + bit;
          if (this.#start.length === this.#end.length) this.#start.push(x);
          else this.#end.push(x);
        }
      }
      if (this.#start.length > this.#end.length) this.#end.push(this.side);
    }
    this.#rowOf[this.side] = this.#start.length;
  }

  /** Unites runs that share an edge with a run of the row above. */
  #joinRuns(): void {
    const start = this.#start.data;
    const end = this.#end.data;
    this.#region.clear();
    this.#parent.clear();
    for (let y = 0; y < this.side; y++) {
      let above = y > 0 ? this.#rowOf[y - 1]! : 0;
      const aboveEnd = this.#rowOf[y]!;
      for (let run = aboveEnd; run < this.#rowOf[y + 1]!; run++) {
        let region = -1;
        while (above < aboveEnd && end[above]! <= start[run]!) above++;
        for (let other = above; other < aboveEnd && start[other]! < end[run]!; other++) {
          const found = this.#find(this.#region.data[other]!);
          if (region < 0) region = found;
          else if (found !== region) {
            const low = Math.min(region, found);
            this.#parent.data[Math.max(region, found)] = low;
            region = low;
          }
        }
        if (region < 0) {
          region = this.#parent.length;
          this.#parent.push(region);
        }
        this.#region.push(region);
      }
    }
  }

  #find(region: number): number {
    const parent = this.#parent.data;
    let at = region;
    while (parent[at]! !== at) {
      parent[at] = parent[parent[at]!]!;
      at = parent[at]!;
    }
    return at;
  }

  #paint(components: Components, patchRow: number, key: (x: number, y: number) => number): void {
    this.#first.clear();
    for (let i = 0; i < this.#parent.length; i++) this.#first.push(0);
    for (let y = 0; y < this.side; y++) {
      const row = (y + 1) * this.stride + 1;
      for (let run = this.#rowOf[y]!; run < this.#rowOf[y + 1]!; run++) {
        const root = this.#find(this.#region.data[run]!);
        const x = this.#start.data[run]!;
        if (this.#first.data[root] === 0) this.#first.data[root] = components.add(key(x, y), patchRow) + 1;
        this.labels.fill(this.#first.data[root]!, row + x, row + this.#end.data[run]!);
      }
    }
  }
}
