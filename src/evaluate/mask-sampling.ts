import type { SlideBounds } from '../slide/slide.js';
import type { LabelFrame, LabelWindow } from './label-source.js';
import type { MaskAlignment } from './mask-alignment.js';

/** Where a mask's pixels lie on level 0: mask pixel = floor((level-0 pixel − origin) × scale). */
export interface MaskSampling {
  readonly origin: { readonly x: number; readonly y: number };
  readonly scale: { readonly x: number; readonly y: number };
}

/** From pixels of the picture's file to those of level 0. */
export function samplingOf({ origin, scale }: MaskAlignment, { perPixel = ONE }: LabelFrame): MaskSampling {
  return {
    origin: { x: origin.x / perPixel.x, y: origin.y / perPixel.y },
    scale: { x: scale.x * perPixel.x, y: scale.y * perPixel.y },
  };
}

/** A rectangle of the picture's file in level-0 pixels. */
export const levelAreaOf = (area: SlideBounds | undefined, { perPixel = ONE }: LabelFrame): SlideBounds | undefined =>
  area && {
    x: area.x / perPixel.x,
    y: area.y / perPixel.y,
    width: area.width / perPixel.x,
    height: area.height / perPixel.y,
  };

const ONE = { x: 1, y: 1 };

/**
 * The mask pixels under the centres of a window's pixels.
 * @param factor pixels of the finest level per pixel of the one that is sampled
 */
export function maskIndices(
  { x, y, step, width, height }: LabelWindow,
  { origin, scale }: MaskSampling,
  size: { readonly width: number; readonly height: number },
  factor = 1,
): { columns: Int32Array; rows: Int32Array } {
  return {
    columns: sampleIndices(x - origin.x, step, width, scale.x / factor, size.width),
    rows: sampleIndices(y - origin.y, step, height, scale.y / factor, size.height),
  };
}

/** Index of the mask pixel under each window pixel's centre, along one axis. */
export function sampleIndices(start: number, step: number, count: number, scale: number, size: number): Int32Array {
  const indices = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    indices[i] = Math.min(size - 1, Math.max(0, Math.floor((start + (i + 0.5) * step) * scale)));
  }
  return indices;
}
