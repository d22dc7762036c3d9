import type { LabelWindow } from '../label-source.js';
import type { AnnotatedShape } from './shape.js';

/** An area prepared for drawing: its edges and where they lie. */
export interface DrawableShape {
  readonly value: number;
  /** x0, y0, x1, y1 of every edge. */
  readonly edges: Float64Array;
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

export function drawable(rings: AnnotatedShape['rings'], value: number): DrawableShape {
  const edges = new Float64Array(rings.reduce((sum, ring) => sum + ring.length * 2, 0));
  let at = 0;
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const ring of rings) {
    for (let i = 0; i < ring.length; i += 2) {
      const next = (i + 2) % ring.length;
      const [x, y] = [ring[i]!, ring[i + 1]!];
      edges.set([x, y, ring[next]!, ring[next + 1]!], at);
      at += 4;
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y);
    }
  }
  return { value, edges, left, top, right, bottom };
}

/** Whether any of a shape may lie in a window. */
export const touches = (shape: DrawableShape, { x, y, step, width, height }: LabelWindow): boolean =>
  shape.right > x && shape.left < x + width * step && shape.bottom > y && shape.top < y + height * step;

/**
 * Fills the window pixels whose centres lie inside the shape (even-odd rule): per row, the edges crossing its centre line
 * are sorted by x, and every second gap is filled. An edge takes its upper end and leaves its lower one, so shared corners
 * count once and neighbouring areas leave neither gap nor overlap.
 */
export function drawShape(shape: DrawableShape, window: LabelWindow, into: Uint8Array, value = shape.value): void {
  const { edges } = shape;
  const { x, y, step, side, width, height } = window;
  if (!touches(shape, window)) return;
  const crossings: number[][] = Array.from({ length: height }, () => []);
  for (let i = 0; i < edges.length; i += 4) {
    const [x0, y0, x1, y1] = [edges[i]!, edges[i + 1]!, edges[i + 2]!, edges[i + 3]!];
    const first = Math.max(0, Math.ceil((Math.min(y0, y1) - y) / step - 0.5));
    const last = Math.min(height, Math.ceil((Math.max(y0, y1) - y) / step - 0.5));
    for (let row = first; row < last; row++) {
      const at = x0 + ((y + (row + 0.5) * step - y0) * (x1 - x0)) / (y1 - y0);
      crossings[row]!.push(at);
    }
  }
  for (const [row, xs] of crossings.entries()) {
    xs.sort((a, b) => a - b);
    for (let i = 0; i + 1 < xs.length; i += 2) {
      const from = Math.max(0, Math.ceil((xs[i]! - x) / step - 0.5));
      const to = Math.min(width, Math.ceil((xs[i + 1]! - x) / step - 0.5));
      if (to > from) into.fill(value, row * side + from, row * side + to);
    }
  }
}
