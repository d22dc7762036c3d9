import { derivedName } from './class-name.js';
import { type AnnotatedShape, type ObjectType, ringOf, shapesOf } from './shape.js';

/**
 * GeoJSON as QuPath writes it: a FeatureCollection, an array of features, one feature or a bare geometry. The class is
 * properties.classification: a text, `name`, `names` of a derived class since 0.4, `parentClass` with `name` before it. What QuPath
 * wrote says what it is (properties.objectType; the feature's id in 0.2), and its properties.name is no class; of other programs'
 * features without a classification it is. Children may stand inside their parent. Polygons and multipolygons with holes; points
 * and lines have no area.
 */
/** @throws Error saying what is wrong with the text */
export function parseGeoJson(text: string): AnnotatedShape[] {
  return geoJsonShapes(JSON.parse(text));
}

/** @throws Error saying what is wrong */
export function geoJsonShapes(json: unknown): AnnotatedShape[] {
  const shapes: AnnotatedShape[] = [];
  let annotation = 0;
  for (const { geometry, name, object } of features(json, 0)) {
    const areas = [...polygons(geometry, 0)].map(([exterior = [], ...holes]) => {
      const outline = ringOf(exterior);
      return outline ? [outline, ...holes.map(ringOf)] : [];
    });
    shapes.push(...shapesOf({ name, annotation, ...(object && { object }) }, areas));
    annotation++;
  }
  return shapes;
}

interface Feature {
  readonly geometry: unknown;
  readonly name: string;
  readonly object?: ObjectType;
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
    const properties = isRecord(json['properties']) ? json['properties'] : {};
    const object = objectType(json['id'], properties);
    // The root of a hierarchy is the slide itself.
    if (object !== ROOT) yield { geometry: json['geometry'], ...describe(object, properties) };
    const children = properties['childObjects'] ?? properties['children'];
    if (Array.isArray(children)) for (const child of children) yield* features(child, depth + 1);
  } else if (typeof json['type'] === 'string') {
    yield { geometry: json, name: '' };
  } else throw new Error('it is no GeoJSON');
}

const ROOT = 'root';
/** Names of object types; QuPath 0.2 has its own in the feature's id. */
const OBJECT_TYPES: ReadonlyMap<unknown, ObjectType | typeof ROOT> = new Map([
  ['annotation', 'annotation'],
  ['PathAnnotationObject', 'annotation'],
  ['detection', 'detection'],
  ['PathDetectionObject', 'detection'],
  ['cell', 'detection'],
  ['PathCellObject', 'detection'],
  ['tile', 'detection'],
  ['PathTileObject', 'detection'],
  ['tmaCore', 'tma-core'],
  ['tma_core', 'tma-core'],
  ['TMACoreObject', 'tma-core'],
  ['root', ROOT],
  ['PathRootObject', ROOT],
]);

/** What QuPath would take the feature for; undefined when it is not known to be QuPath's. */
function objectType(id: unknown, properties: Record<string, unknown>): ObjectType | typeof ROOT | undefined {
  const stated = properties['objectType'] ?? properties['object_type'];
  // An object type QuPath does not know is an annotation to it; 'type' may be any program's.
  if (typeof stated === 'string') return OBJECT_TYPES.get(stated) ?? 'annotation';
  return OBJECT_TYPES.get(id) ?? OBJECT_TYPES.get(properties['type']);
}

function describe(object: ObjectType | undefined, properties: Record<string, unknown>): Omit<Feature, 'geometry'> {
  const { classification, name } = properties;
  const own = typeof name === 'string' && object === undefined ? name : '';
  return { name: className(classification, 0) || own, ...(object && { object }) };
}

function className(classification: unknown, depth: number): string {
  if (typeof classification === 'string') return classification;
  if (!isRecord(classification) || depth > MAX_DEPTH) return '';
  const { names, name, parentClass } = classification;
  if (names !== undefined && names !== null) {
    if (!Array.isArray(names) || !names.every(part => typeof part === 'string')) {
      throw new Error('a classification has names that are no texts');
    }
    return derivedName(names);
  }
  if (typeof name !== 'string') return '';
  const parent = className(parentClass, depth + 1);
  return parent === '' ? name : derivedName([parent, name]);
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

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
