/** What an annotation is in the program that wrote it. Only annotations are areas that somebody vouches for. */
export type ObjectType = 'annotation' | 'detection' | 'tma-core';

/** A polygon of an annotation; an annotation of several has a shape for each, one without an area a single shape without rings. */
export interface AnnotatedShape {
  /** Class, as the annotator named it ('Stroma: Inflamed' for a derived one); empty when there is none. */
  readonly name: string;
  /**
   * x, y, x, y, … of each ring, not closed, in pixels of the program's frame; what an odd number of them surrounds is inside
   * (holes are rings). Empty: points, lines and the like.
   */
  readonly rings: readonly Float64Array[];
  /** Number of the annotation in its file: polygons of one annotation share it. */
  readonly annotation: number;
  /** 'annotation' unless given. */
  readonly object?: ObjectType;
}

/** Flattens points, drops a repeated last point; undefined when no area is left. */
export function ringOf(points: readonly (readonly [number, number])[]): Float64Array | undefined {
  const first = points[0];
  const last = points[points.length - 1];
  const closed = first && last && points.length > 1 && first[0] === last[0] && first[1] === last[1];
  const open = closed ? points.slice(0, -1) : points;
  return open.length >= 3 ? Float64Array.from(open.flat()) : undefined;
}

/** The shapes of one annotation: one a polygon that has an area, or a single one without rings. */
export function shapesOf(
  of: Omit<AnnotatedShape, 'rings'>,
  polygons: Iterable<readonly (Float64Array | undefined)[]>,
): AnnotatedShape[] {
  const shapes: AnnotatedShape[] = [];
  for (const polygon of polygons) {
    const rings = polygon.filter(ring => ring !== undefined);
    if (rings.length > 0) shapes.push({ ...of, rings });
  }
  return shapes.length > 0 ? shapes : [{ ...of, rings: [] }];
}

/** Twice the signed area, halved and made positive (shoelace formula). */
export function ringArea(ring: Float64Array): number {
  let twice = 0;
  for (let i = 0; i < ring.length; i += 2) {
    const j = (i + 2) % ring.length;
    twice += ring[i]! * ring[j + 1]! - ring[j]! * ring[i + 1]!;
  }
  return Math.abs(twice) / 2;
}
