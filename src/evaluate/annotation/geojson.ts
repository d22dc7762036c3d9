import { type AnnotatedShape, ringOf } from './shape.js';

/**
 * GeoJSON as QuPath writes it: a FeatureCollection, an array of features, one feature or a bare geometry, in level-0
 * pixels. The class is properties.classification.name (a string in older exports), else properties.name. Polygons and
 * multipolygons with holes; points and lines have no area.
 */
/** @throws Error saying what is wrong with the text */
export function parseGeoJson(text: string): AnnotatedShape[] {
  const json: unknown = JSON.parse(text);
  const shapes: AnnotatedShape[] = [];
  for (const { geometry, name } of features(json, 0)) {
    for (const polygon of polygons(geometry, 0)) {
      const rings = polygon.map(ring => ringOf(ring)).filter(ring => ring !== undefined);
      if (rings.length > 0) shapes.push({ name, rings });
    }
  }
  return shapes;
}

interface Feature {
  readonly geometry: unknown;
  readonly name: string;
}

const MAX_DEPTH = 16;

function* features(json: unknown, depth: number): Generator<Feature> {
  if (depth > MAX_DEPTH) throw new Error('it is nested too deeply');
  if (Array.isArray(json)) {
    for (const item of json) yield* features(item, depth + 1);
    return;
  }
  if (!isRecord(json)) throw new Error('it is no GeoJSON');
  if (json['type'] === 'FeatureCollection') {
    if (!Array.isArray(json['features'])) throw new Error('its FeatureCollection has no features');
    for (const item of json['features']) yield* features(item, depth + 1);
  } else if (json['type'] === 'Feature') {
    yield { geometry: json['geometry'], name: className(json['properties']) };
  } else if (typeof json['type'] === 'string') {
    yield { geometry: json, name: '' };
  } else throw new Error('it is no GeoJSON');
}

function className(properties: unknown): string {
  if (!isRecord(properties)) return '';
  const { classification, name } = properties;
  if (typeof classification === 'string') return classification;
  if (isRecord(classification) && typeof classification['name'] === 'string') return classification['name'];
  return typeof name === 'string' ? name : '';
}

type Ring = readonly (readonly [number, number])[];

function* polygons(geometry: unknown, depth: number): Generator<readonly Ring[]> {
  if (geometry === null) return;
  if (!isRecord(geometry) || depth > MAX_DEPTH) throw new Error('a feature has no geometry');
  const { type, coordinates, geometries } = geometry;
  if (type === 'Polygon') yield rings(coordinates);
  else if (type === 'MultiPolygon') {
    if (!Array.isArray(coordinates)) throw new Error('a MultiPolygon has no coordinates');
    for (const polygon of coordinates) yield rings(polygon);
  } else if (type === 'GeometryCollection' && Array.isArray(geometries)) {
    for (const part of geometries) yield* polygons(part, depth + 1);
  }
}

function rings(value: unknown): Ring[] {
  if (!Array.isArray(value)) throw new Error('a polygon has no rings');
  return value.map(ring => {
    if (!Array.isArray(ring)) throw new Error('a ring is no list of points');
    return ring.map(point => {
      const [x, y]: unknown[] = Array.isArray(point) ? point : [];
      if (typeof x !== 'number' || typeof y !== 'number' || !Number.isFinite(x + y)) {
        throw new Error('a ring has a point that is no pair of numbers');
      }
      return [x, y] as const;
    });
  });
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
