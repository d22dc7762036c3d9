import type { MaskPyramid } from '../mask/reduce.js';
import type { OverviewCanvas } from '../read/overview.js';
import type { PatchPlan } from '../read/patch.js';

/**
 * The mask at the overview's resolution, summed up patch by patch: set plan pixels under each canvas pixel. The canvas
 * factor is a power of two, so a block of the patch's pyramid never straddles two canvas pixels.
 */
export class OverviewMask {
  readonly width: number;
  readonly height: number;
  readonly #counts: Uint16Array | Uint32Array;
  readonly #plan: PatchPlan;
  readonly #factor: number;

  constructor(plan: PatchPlan, { width, height, factor }: OverviewCanvas) {
    if (!Number.isInteger(Math.log2(factor))) throw new RangeError(`overview factor ${factor}`);
    this.width = width;
    this.height = height;
    this.#plan = plan;
    this.#factor = factor;
    this.#counts = factor ** 2 < 2 ** 16 ? new Uint16Array(width * height) : new Uint32Array(width * height);
  }

  clear(): void {
    this.#counts.fill(0);
  }

  /** Adds a patch whose mask the pyramid of `levels` levels holds. */
  add(col: number, row: number, pyramid: MaskPyramid, levels: number): void {
    let k = 0;
    while (k + 1 < levels && 2 ** (k + 1) <= this.#factor) k++;
    const counts = pyramid.counts(k);
    const side = pyramid.side / 2 ** k;
    const blocks = this.#factor / 2 ** k;
    const left = (col * this.#plan.core) / 2 ** k;
    const top = (row * this.#plan.core) / 2 ** k;
    for (let y = 0, i = 0; y < side; y++) {
      const line = Math.floor((top + y) / blocks) * this.width;
      for (let x = 0; x < side; x++, i++) {
        // Blocks past the slide's edge hold nothing, and may lie past the canvas's.
        if (counts[i]! > 0) this.#counts[line + Math.floor((left + x) / blocks)]! += counts[i]!;
      }
    }
  }

  /** Part of the slide under each canvas pixel that is stroma, 0 to 255. */
  coverage(): Uint8Array {
    const out = new Uint8Array(this.width * this.height);
    for (let y = 0, i = 0; y < this.height; y++) {
      const height = Math.min(this.#factor, this.#plan.height - y * this.#factor);
      for (let x = 0; x < this.width; x++, i++) {
        const width = Math.min(this.#factor, this.#plan.width - x * this.#factor);
        out[i] = Math.round((255 * this.#counts[i]!) / (width * height));
      }
    }
    return out;
  }
}
