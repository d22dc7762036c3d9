import type { PatchPlan } from './patch.js';
import { validSize } from './plan.js';
import { BLOCK } from './reduce.js';

/** A picture of the whole slide that reader threads fill while they read: RGB, white where nothing was read yet. */
export interface OverviewCanvas {
  readonly shared: SharedArrayBuffer;
  /** Canvas pixels. */
  readonly width: number;
  readonly height: number;
  /** Plan pixels per canvas pixel: the least power of two with which the longer side is at most 2048. */
  readonly factor: number;
}

const LONGEST = 2048;

/** Allocates a white canvas for a plan. */
export function createOverview(plan: PatchPlan): OverviewCanvas {
  let factor = 1;
  while (Math.ceil(Math.max(plan.width, plan.height) / factor) > LONGEST) factor *= 2;
  const width = Math.ceil(plan.width / factor);
  const height = Math.ceil(plan.height / factor);
  const shared = new SharedArrayBuffer(width * height * 3);
  new Uint8Array(shared).fill(255);
  return { shared, width, height, factor };
}

/**
 * Paints patches' cores on a canvas. A canvas pixel belongs to the patch that has its upper left plan pixel, so threads
 * never write the same one and need no locks.
 */
export class OverviewPainter {
  readonly #canvas: OverviewCanvas;
  readonly #plan: PatchPlan;
  readonly #pixels: Uint8Array;

  constructor(canvas: OverviewCanvas, plan: PatchPlan) {
    this.#canvas = canvas;
    this.#plan = plan;
    this.#pixels = new Uint8Array(canvas.shared);
  }

  /**
   * Copies a picture that has the canvas's own resolution.
   *
   * @param lines RGB rows of the core, top down. Squares that the slide's edge cuts are means over padding too, and are made
   * means over the slide alone.
   */
  copy(col: number, row: number, lines: readonly Uint8Array[]): void {
    const { factor, width: canvasWidth } = this.#canvas;
    const { core } = this.#plan;
    const [width, height] = validSize(this.#plan, col, row);
    const bytes = Math.ceil(width / factor) * 3;
    const down = Math.ceil(height / factor);
    const left = (col * core) / factor;
    const cutCol = width % factor;
    for (let y = 0; y < down; y++) {
      const line = lines[y]!;
      const to = (((row * core) / factor + y) * canvasWidth + left) * 3;
      this.#pixels.set(line.length === bytes ? line : line.subarray(0, bytes), to);
      const cutRow = height - y * factor;
      if (cutRow < factor) this.#scale(to, to + bytes, factor / cutRow);
      if (cutCol > 0) this.#scale(to + bytes - 3, to + bytes, factor / cutCol);
    }
  }

  /**
   * Paints from sums of 8 × 8 blocks: means of them where canvas pixels are larger, their colour where they are smaller.
   *
   * @param sums RGB sums of each block's pixels inside the slide, rows of core / 8 blocks.
   */
  paint(col: number, row: number, sums: Uint16Array): void {
    const { factor, width: canvasWidth } = this.#canvas;
    const { core } = this.#plan;
    const [width, height] = validSize(this.#plan, col, row);
    const bottom = row * core + height;
    const right = col * core + width;
    const span = Math.max(factor, BLOCK);
    for (let y = Math.ceil((row * core) / factor); y * factor < bottom; y++) {
      const y0 = Math.floor((y * factor - row * core) / BLOCK) * BLOCK;
      const y1 = Math.min(height, y0 + span);
      for (let x = Math.ceil((col * core) / factor); x * factor < right; x++) {
        const x0 = Math.floor((x * factor - col * core) / BLOCK) * BLOCK;
        const x1 = Math.min(width, x0 + span);
        this.#mean(sums, x0, y0, x1, y1, (y * canvasWidth + x) * 3);
      }
    }
  }

  #mean(sums: Uint16Array, x0: number, y0: number, x1: number, y1: number, to: number): void {
    const stride = (this.#plan.core / BLOCK) * 3;
    let r = 0;
    let g = 0;
    let b = 0;
    for (let y = y0; y < y1; y += BLOCK) {
      for (let x = x0; x < x1; x += BLOCK) {
        const at = (y / BLOCK) * stride + (x / BLOCK) * 3;
        r += sums[at] as number;
        g += sums[at + 1] as number;
        b += sums[at + 2] as number;
      }
    }
    const area = (x1 - x0) * (y1 - y0);
    this.#pixels[to] = r / area + 0.5;
    this.#pixels[to + 1] = g / area + 0.5;
    this.#pixels[to + 2] = b / area + 0.5;
  }

  #scale(from: number, to: number, by: number): void {
    for (let i = from; i < to; i++) this.#pixels[i] = Math.min(255, (this.#pixels[i] as number) * by + 0.5);
  }
}
