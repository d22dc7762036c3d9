import type { PatchRecord } from '../read/patch.js';

/** What is known of a patch, in the order of their codes. */
export const PATCH_STATES = ['pending', 'segmented', 'empty', 'missing', 'failed'] as const;
export type PatchState = (typeof PATCH_STATES)[number];

const SEGMENTED = PATCH_STATES.indexOf('segmented');

/** A patch of a slide that is looked at. Counts are pixels of the mask. */
export interface ViewedPatch {
  readonly col: number;
  readonly row: number;
  readonly state: PatchState;
  readonly validPixels: number;
  readonly tissuePixels: number;
  readonly stromaPixels: number;
}

export type PatchFacts = Pick<PatchRecord, 'col' | 'row' | 'validPixels' | 'tissuePixels' | 'stromaPixels'> & {
  readonly state: PatchState;
};

/** A rectangle of the grid. */
export interface PatchArea {
  readonly col: number;
  readonly row: number;
  readonly cols: number;
  readonly rows: number;
}

/** Largest grid that is kept: 15 bytes a patch. */
export const LARGEST_TABLE = 1 << 22;

/** What became of every patch of one slide: 15 bytes each, so that a hundred thousand are 1.5 MB. */
export class PatchTable {
  readonly cols: number;
  readonly rows: number;
  readonly #states: Uint8Array;
  readonly #versions: Uint16Array;
  readonly #valid: Uint32Array;
  readonly #tissue: Uint32Array;
  readonly #stroma: Uint32Array;

  constructor(cols: number, rows: number) {
    const patches = cols * rows;
    this.cols = cols;
    this.rows = rows;
    this.#states = new Uint8Array(patches);
    this.#versions = new Uint16Array(patches);
    this.#valid = new Uint32Array(patches);
    this.#tissue = new Uint32Array(patches);
    this.#stroma = new Uint32Array(patches);
  }

  /** Takes what became of a patch; one outside the grid is none. */
  set({ col, row, state, validPixels, tissuePixels, stromaPixels }: PatchFacts): void {
    if (!(col >= 0 && col < this.cols && row >= 0 && row < this.rows)) return;
    const at = row * this.cols + col;
    this.#states[at] = PATCH_STATES.indexOf(state);
    this.#versions[at]! += 1;
    this.#valid[at] = validPixels;
    this.#tissue[at] = tissuePixels;
    this.#stroma[at] = stromaPixels;
  }

  at(col: number, row: number): ViewedPatch {
    const at = row * this.cols + col;
    return {
      ...{ col, row, state: PATCH_STATES[this.#states[at]!]! },
      ...{ validPixels: this.#valid[at]!, tissuePixels: this.#tissue[at]!, stromaPixels: this.#stroma[at]! },
    };
  }

  /** Those from `offset` on, row by row, that are in one of these states. */
  list(offset: number, limit: number, states: readonly PatchState[]): { patches: ViewedPatch[]; total: number } {
    const wanted = new Set(states.map(state => PATCH_STATES.indexOf(state)));
    const patches: ViewedPatch[] = [];
    let total = 0;
    for (let at = 0; at < this.#states.length; at++) {
      if (!wanted.has(this.#states[at]!)) continue;
      if (total >= offset && patches.length < limit) patches.push(this.at(at % this.cols, Math.floor(at / this.cols)));
      total += 1;
    }
    return { patches, total };
  }

  /** A byte a patch, row by row: its state's code in the low three bits, above it the share of stroma in its valid pixels, 0–31. */
  codes(): Uint8Array {
    const codes = new Uint8Array(this.#states.length);
    for (let at = 0; at < codes.length; at++) codes[at] = this.#code(at);
    return codes;
  }

  code(col: number, row: number): number {
    return this.#code(row * this.cols + col);
  }

  /** Grows whenever a patch of the area changes. */
  version(area: PatchArea): number {
    let sum = 0;
    this.#each(area, at => {
      sum += this.#versions[at]!;
    });
    return sum;
  }

  /** For each patch of the area, row by row: 0 where its mask is clear or not there, else a number that changes with it. */
  masked(area: PatchArea): Uint16Array {
    const out = new Uint16Array(area.cols * area.rows);
    let i = 0;
    this.#each(area, at => {
      out[i++] = this.#stroma[at]! > 0 ? this.#versions[at]! : 0;
    });
    return out;
  }

  /** The same, not 0 also where the mask of a segmented patch is clear. */
  segmented(area: PatchArea): Uint16Array {
    const out = new Uint16Array(area.cols * area.rows);
    let i = 0;
    this.#each(area, at => {
      out[i++] = this.#states[at] === SEGMENTED ? this.#versions[at]! : 0;
    });
    return out;
  }

  #code(at: number): number {
    const valid = this.#valid[at]!;
    const share = valid > 0 ? Math.ceil((31 * this.#stroma[at]!) / valid) : 0;
    return this.#states[at]! | (Math.min(31, share) << 3);
  }

  #each({ col, row, cols, rows }: PatchArea, visit: (at: number) => void): void {
    for (let y = row; y < row + rows; y++) for (let x = col; x < col + cols; x++) visit(y * this.cols + x);
  }
}
