import type { LabelWindow } from '../label-source.js';
import type { ClassifiedShape } from './legend.js';
import { type DrawableShape, drawable, drawShape, touches } from './rasterise.js';
import { ringArea } from './shape.js';

/** What is drawn on top of what. */
export interface Layers {
  /** Areas, what is drawn first standing first. */
  readonly areas: readonly DrawableShape[];
  /** Areas to be ignored, each with the areas that lie wholly inside it and stay visible. */
  readonly ignored: readonly IgnoredArea[];
}

interface IgnoredArea {
  readonly area: DrawableShape;
  readonly inside: readonly DrawableShape[];
}

/**
 * Larger areas are drawn first, so that what lies inside another area stays visible. An ignored area hides all it touches, but
 * what lies wholly inside it: that was annotated on purpose, as a child of it.
 */
export function layersOf(shapes: readonly ClassifiedShape[], isIgnored: (value: number) => boolean): Layers {
  const sized = shapes.map(shape => ({
    drawn: drawable(shape.rings, shape.value),
    size: shape.rings.reduce((sum, ring) => sum + ringArea(ring), 0),
  }));
  sized.sort((a, b) => b.size - a.size);
  const ignored = sized.filter(({ drawn }) => isIgnored(drawn.value));
  const areas = sized.filter(({ drawn }) => !isIgnored(drawn.value));
  return {
    areas: areas.map(({ drawn }) => drawn),
    ignored: ignored.map(({ drawn, size }) => ({
      area: drawn,
      inside: areas.filter(other => other.size < size && isInside(other.drawn, drawn)).map(other => other.drawn),
    })),
  };
}

/** Draws the layers' values into a window that holds the value of what is not annotated. */
export function drawLayers({ areas, ignored }: Layers, window: LabelWindow, into: Uint8Array): void {
  for (const area of areas) drawShape(area, window, into);
  const hidden = ignored.filter(({ area }) => touches(area, window));
  if (hidden.length === 0) return;
  const stencil = new Uint8Array(into.length);
  for (const { area, inside } of hidden) {
    stencil.fill(0);
    drawShape(area, window, stencil, 1);
    for (const other of inside) drawShape(other, window, stencil, 0);
    for (let i = 0; i < into.length; i++) if (stencil[i] === 1) into[i] = area.value;
  }
}

/** Whether every corner of one shape is inside another, or on its outline. */
function isInside(shape: DrawableShape, of: DrawableShape): boolean {
  if (shape.left < of.left || shape.right > of.right || shape.top < of.top || shape.bottom > of.bottom) return false;
  for (let i = 0; i < shape.edges.length; i += 4) {
    if (!covers(of.edges, shape.edges[i]!, shape.edges[i + 1]!)) return false;
  }
  return true;
}

/** Even-odd rule by a ray to the left; a point on an edge is covered. */
function covers(edges: Float64Array, x: number, y: number): boolean {
  let odd = false;
  for (let i = 0; i < edges.length; i += 4) {
    const [x0, y0, x1, y1] = [edges[i]!, edges[i + 1]!, edges[i + 2]!, edges[i + 3]!];
    const cross = (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0);
    const within = Math.min(x0, x1) <= x && x <= Math.max(x0, x1) && Math.min(y0, y1) <= y && y <= Math.max(y0, y1);
    if (cross === 0 && within) return true;
    if (y0 > y !== y1 > y && x > x0 + ((y - y0) * (x1 - x0)) / (y1 - y0)) odd = !odd;
  }
  return odd;
}
