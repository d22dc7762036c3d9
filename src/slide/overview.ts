import type { PatchPlan } from './patch.js';
import { validSize } from './plan.js';

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
 * Paints a patch's core from sums of its blocks. Canvas pixels belong to the patch that has their upper left plan pixel,
 * so threads never write the same one.
 *
 * @param sums RGB sums of `block` × `block` plan pixels inside the slide, rows of core / block blocks.
 */
export function paintBlocks(
  canvas: OverviewCanvas,
  plan: PatchPlan,
  col: number,
  row: number,
  sums: Uint16Array,
  block: number,
): void {
  const pixels = new Uint8Array(canvas.shared);
  const { factor } = canvas;
  const { core } = plan;
  const [width, height] = validSize(plan, col, row);
  const stride = (core / block) * 3;
  const bottom = row * core + height;
  const right = col * core + width;
  for (let y = Math.ceil((row * core) / factor); y * factor < bottom; y++) {
    const y0 = y * factor - row * core;
    const y1 = Math.min(height, y0 + factor);
    for (let x = Math.ceil((col * core) / factor); x * factor < right; x++) {
      const x0 = x * factor - col * core;
      const x1 = Math.min(width, x0 + factor);
      let r = 0;
      let g = 0;
      let b = 0;
      for (let by = Math.floor(y0 / block); by * block < y1; by++) {
        for (let bx = Math.floor(x0 / block); bx * block < x1; bx++) {
          const at = by * stride + bx * 3;
          r += sums[at] as number;
          g += sums[at + 1] as number;
          b += sums[at + 2] as number;
        }
      }
      // Where blocks are larger than canvas pixels, a pixel shows its block's mean.
      const across = factor >= block ? x1 - x0 : Math.min(block, width - Math.floor(x0 / block) * block);
      const down = factor >= block ? y1 - y0 : Math.min(block, height - Math.floor(y0 / block) * block);
      const area = across * down;
      const to = (y * canvas.width + x) * 3;
      pixels[to] = r / area + 0.5;
      pixels[to + 1] = g / area + 0.5;
      pixels[to + 2] = b / area + 0.5;
    }
  }
}

/** Copies a patch's core 1:1, for canvases of factor 1. */
export function paintPixels(
  canvas: OverviewCanvas,
  plan: PatchPlan,
  col: number,
  row: number,
  patch: Uint8Array,
): void {
  const pixels = new Uint8Array(canvas.shared);
  const [width, height] = validSize(plan, col, row);
  for (let y = 0; y < height; y++) {
    const from = ((y + plan.margin) * plan.patchSize + plan.margin) * 3;
    pixels.set(patch.subarray(from, from + width * 3), ((row * plan.core + y) * canvas.width + col * plan.core) * 3);
  }
}
