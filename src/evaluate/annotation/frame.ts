import type { LabelFrame, LabelReading } from '../label-source.js';
import { drawable } from './rasterise.js';
import type { AnnotationFile } from './read-annotations.js';
import type { AnnotatedShape } from './shape.js';

interface Placed {
  /** In level-0 pixels. */
  readonly shapes: readonly AnnotatedShape[];
  readonly notes: readonly string[];
}

/**
 * Brings annotations into level-0 pixels. QuPath shows the scanned part of a slide alone, so GeoJSON has that part's corner as its
 * origin unless told otherwise; ASAP and the others show the whole frame.
 */
export function place(
  { format, shapes }: AnnotationFile,
  frame: LabelFrame | undefined,
  reading: LabelReading,
): Placed {
  if (!frame) return { shapes, notes: [] };
  const { bounds, perPixel = { x: 1, y: 1 } } = frame;
  const inBounds = bounds !== undefined && (reading.frame ?? (format === 'GeoJSON' ? 'bounds' : 'full')) === 'bounds';
  const origin = inBounds ? bounds : { x: 0, y: 0 };
  if (origin.x === 0 && origin.y === 0 && perPixel.x === 1 && perPixel.y === 1) return { shapes, notes: [] };
  const move = (ring: Float64Array) =>
    ring.map((value, i) => (i % 2 === 0 ? (value + origin.x) / perPixel.x : (value + origin.y) / perPixel.y));
  const moved = shapes.map(shape => ({ ...shape, rings: shape.rings.map(move) }));
  return { shapes: moved, notes: inBounds ? frameNotes(shapes, bounds) : [] };
}

/** Areas that no scanned pixel can be under are a sign of the other frame. */
function frameNotes(
  shapes: readonly AnnotatedShape[],
  { x, y, width, height }: NonNullable<LabelFrame['bounds']>,
): string[] {
  const areas = shapes.filter(({ rings }) => rings.length > 0).map(({ rings }) => drawable(rings, 0));
  const beyond = areas.filter(({ right, bottom }) => right > width + 1 || bottom > height + 1).length;
  if (beyond === 0) return [];
  const place = `${width} × ${height} pixels at ${x}, ${y}`;
  return [
    `${beyond} of its ${areas.length} areas reach out of the scanned part (${place}): if they were drawn on the whole frame, say --labels-frame full`,
  ];
}
