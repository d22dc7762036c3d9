/** An annotated area: closed rings in level-0 pixels; what an odd number of them surrounds is inside (holes are rings). */
export interface AnnotatedShape {
  /** Class, as the annotator named it; empty when there is none. */
  readonly name: string;
  /** x, y, x, y, … of each ring, not closed. */
  readonly rings: readonly Float64Array[];
}

/** Class names compared as people write them: case, spelling of tumour, and kind of blank do not matter. */
export const normaliseName = (name: string): string =>
  name
    .trim()
    .toLowerCase()
    .replaceAll('tumour', 'tumor')
    .replace(/[\s_]+/g, ' ');

/** Frames within which everything was annotated: TIGER's 'roi', QuPath's 'Region*', 'ROI (segmentation)'. */
export const isRegionOfInterest = (name: string): boolean =>
  /^(roi\b|rois\b|region\b|region\*)/.test(normaliseName(name));

/** Flattens points, drops a repeated last point; undefined when no area is left. */
export function ringOf(points: readonly (readonly [number, number])[]): Float64Array | undefined {
  const first = points[0];
  const last = points[points.length - 1];
  const closed = first && last && points.length > 1 && first[0] === last[0] && first[1] === last[1];
  const open = closed ? points.slice(0, -1) : points;
  return open.length >= 3 ? Float64Array.from(open.flat()) : undefined;
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
