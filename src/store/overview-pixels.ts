import { closeSync, mkdirSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { OverviewCanvas } from '../read/overview.js';
import type { PatchPlan } from '../read/patch.js';
import { PARTIAL, withOutputErrors } from './final-file.js';

/** Begins a kept part; holes in the file read as 0. */
const KEPT = 1;

/**
 * The overview's picture lives in memory and is painted as patches are read; a patch done by an earlier start is not
 * read again. So each patch's part of it (some kilobytes) is kept in a file until the slide is finished.
 */
export class OverviewPixels {
  readonly #canvas: OverviewCanvas;
  readonly #pixels: Uint8Array;
  readonly #plan: PatchPlan;
  readonly #path: string;
  readonly #slot: Uint8Array;
  #file: number | undefined;

  /** `fresh` forgets what is kept. */
  constructor(folder: string, plan: PatchPlan, canvas: OverviewCanvas, fresh: boolean) {
    this.#canvas = canvas;
    this.#pixels = new Uint8Array(canvas.shared);
    this.#plan = plan;
    this.#path = join(folder, PARTIAL, 'overview.rgb');
    const side = Math.ceil(plan.core / canvas.factor) + 1;
    this.#slot = new Uint8Array(1 + side * side * 3);
    withOutputErrors(this.#path, () => {
      mkdirSync(join(folder, PARTIAL), { recursive: true });
      if (fresh) closeSync(openSync(this.#path, 'w'));
    });
  }

  /** Keeps a patch's part of the canvas as it is now. */
  save(col: number, row: number): void {
    let at = 1;
    this.#slot[0] = KEPT;
    for (const [from, to] of this.#rows(col, row)) {
      this.#slot.set(this.#pixels.subarray(from, to), at);
      at += to - from;
    }
    withOutputErrors(this.#path, () => {
      writeSync(this.#open(), this.#slot, 0, at, this.#place(col, row));
    });
  }

  /** Paints a patch's part as it was kept; false, and the canvas as it was, where nothing was. */
  restore(col: number, row: number): boolean {
    const read = withOutputErrors(this.#path, () =>
      readSync(this.#open(), this.#slot, 0, this.#slot.length, this.#place(col, row)),
    );
    if (read === 0 || this.#slot[0] !== KEPT) return false;
    let at = 1;
    for (const [from, to] of this.#rows(col, row)) {
      if (at + to - from > read) return false;
      this.#pixels.set(this.#slot.subarray(at, at + to - from), from);
      at += to - from;
    }
    return true;
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #open(): number {
    this.#file ??= openExisting(this.#path);
    return this.#file;
  }

  #place(col: number, row: number): number {
    return (row * this.#plan.cols + col) * this.#slot.length;
  }

  /** Byte ranges of the canvas's rows that belong to a patch: pixels whose upper left plan pixel it has. */
  *#rows(col: number, row: number): Generator<[from: number, to: number]> {
    const { core } = this.#plan;
    const { width, height, factor } = this.#canvas;
    const range = (index: number, limit: number): [number, number] => [
      Math.ceil((index * core) / factor),
      Math.min(limit, Math.ceil(((index + 1) * core) / factor)),
    ];
    const [left, right] = range(col, width);
    const [top, bottom] = range(row, height);
    for (let y = top; y < bottom; y++) yield [(y * width + left) * 3, (y * width + right) * 3];
  }
}

function openExisting(path: string): number {
  closeSync(openSync(path, 'a'));
  return openSync(path, 'r+');
}
