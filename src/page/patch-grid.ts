import type { Grid } from './api.js';

export const STATES = ['pending', 'segmented', 'empty', 'missing', 'failed'] as const;
export type State = (typeof STATES)[number];

/** What became of each patch, and when the page heard of it. */
export class PatchGrid {
  readonly grid: Grid;
  readonly codes: Uint8Array;
  /** Number of the change that touched a patch last. */
  readonly #changed: Uint32Array;
  #changes = 1;

  constructor(grid: Grid, codes: Uint8Array) {
    this.grid = grid;
    this.codes = codes;
    this.#changed = new Uint32Array(codes.length);
  }

  get changes(): number {
    return this.#changes;
  }

  set(col: number, row: number, code: number): void {
    const at = row * this.grid.cols + col;
    this.#changes += 1;
    this.codes[at] = code;
    this.#changed[at] = this.#changes;
  }

  state(col: number, row: number): State {
    return STATES[this.codes[row * this.grid.cols + col]! & 7]!;
  }

  /** Whether a patch of the rectangle (level-0 pixels) changed after a change. */
  changedSince(since: number, x: number, y: number, width: number, height: number): boolean {
    const { cols, rows, side, downsample } = this.grid;
    const pitch = side * downsample;
    const right = Math.min(cols, Math.ceil((x + width) / pitch));
    const bottom = Math.min(rows, Math.ceil((y + height) / pitch));
    for (let row = Math.max(0, Math.floor(y / pitch)); row < bottom; row++)
      for (let col = Math.max(0, Math.floor(x / pitch)); col < right; col++)
        if (this.#changed[row * cols + col]! > since) return true;
    return false;
  }
}
