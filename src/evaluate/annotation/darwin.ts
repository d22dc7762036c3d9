import { type AnnotatedShape, ringOf, shapesOf } from './shape.js';

/**
 * Darwin JSON (V7), versions 1 and 2: annotations with a name and a polygon (version 2: polygon.paths; version 1:
 * polygon.path, or complex_polygon.path with several), in pixels of the image. A bounding box without a polygon is an
 * area where its name is that of a region of interest or of a class; key points have none.
 */
/** @throws Error saying what is wrong with the text */
export function parseDarwin(text: string): AnnotatedShape[] {
  return darwinShapes(JSON.parse(text));
}

/** @throws Error saying what is wrong */
export function darwinShapes(json: unknown): AnnotatedShape[] {
  const annotations = isRecord(json) ? json['annotations'] : undefined;
  if (!Array.isArray(annotations)) throw new Error('it has no annotations');
  return annotations.flatMap((item, annotation) => {
    if (!isRecord(item)) throw new Error('an annotation is no object');
    const name = typeof item['name'] === 'string' ? item['name'] : '';
    return shapesOf({ name, annotation }, [paths(item).map(path => ringOf(path.map(point)))]);
  });
}

function paths(annotation: Record<string, unknown>): unknown[][] {
  const { polygon, complex_polygon: complex, bounding_box: box } = annotation;
  for (const area of [polygon, complex]) {
    if (!isRecord(area)) continue;
    const path = area['paths'] ?? area['path'];
    if (!Array.isArray(path)) throw new Error('a polygon has no path');
    if (path.length === 0) return [];
    if (!Array.isArray(path[0])) return [path];
    if (!path.every(Array.isArray)) throw new Error('a polygon mixes points and paths');
    return path as unknown[][];
  }
  if (!isRecord(box)) return [];
  const { x, y, w, h } = box;
  if (![x, y, w, h].every(value => typeof value === 'number')) throw new Error('a bounding box has no numbers');
  const [left, top, right, bottom] = [x, y, (x as number) + (w as number), (y as number) + (h as number)];
  const corners = [
    { x: left, y: top },
    { x: right, y: top },
    { x: right, y: bottom },
    { x: left, y: bottom },
  ];
  return [corners];
}

function point(value: unknown): readonly [number, number] {
  if (!isRecord(value)) throw new Error('a path has a point that is no object');
  const { x, y } = value;
  if (typeof x !== 'number' || typeof y !== 'number' || !Number.isFinite(x + y)) {
    throw new Error('a path has a point without x and y');
  }
  return [x, y];
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
