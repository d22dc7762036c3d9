import { createHash } from 'node:crypto';
import type { MaskPolygon } from '../mask/polygons.js';
import type { Ring } from '../mask/rings.js';
import type { PatchPlan } from '../read/patch.js';
import { STROMA_RGB } from './colours.js';
import { writeFinal } from './final-file.js';

export const POLYGON_FILE = 'mask.geojson';

export interface PolygonCounts {
  readonly polygons: number;
  readonly holes: number;
  /** mm². */
  readonly areaMm2: number;
}

/**
 * Streams polygons into a GeoJSON FeatureCollection as QuPath imports it: one annotation of class Stroma a polygon,
 * coordinates in level-0 pixels, from the corner of the scanned part where the slide states one: QuPath shows no more. An annotation's id depends on the slide and its place only, so that a run repeated
 * gives the same file.
 */
export function writeGeoJson(folder: string, plan: PatchPlan, polygons: Iterable<MaskPolygon>): PolygonCounts {
  return writeFinal(folder, POLYGON_FILE, put => {
    let count = 0;
    let holes = 0;
    let pixels = 0;
    put('{"type":"FeatureCollection","features":[');
    for (const polygon of polygons) {
      put(`${count === 0 ? '' : ','}\n${feature(polygon, plan)}`);
      count++;
      holes += polygon.holes.length;
      pixels += polygon.area;
    }
    put('\n]}\n');
    return { polygons: count, holes, areaMm2: (pixels * plan.mpp ** 2) / 1e6 };
  });
}

function feature({ exterior, holes, area }: MaskPolygon, plan: PatchPlan): string {
  const rings = [exterior, ...holes].map(ring => ringText(ring, plan)).join(',');
  const measured = Math.round(area * plan.mpp ** 2 * 1000) / 1000;
  return (
    `{"type":"Feature","id":"${annotationId(plan.slide, exterior)}",` +
    `"geometry":{"type":"Polygon","coordinates":[${rings}]},` +
    `"properties":{"objectType":"annotation","classification":{"name":"Stroma","color":[${STROMA_RGB.join(',')}]},` +
    `"measurements":{"Area µm^2":${measured}}}}`
  );
}

/** Plan pixels become level-0 pixels, to a hundredth; the last column ends where the slide does. */
function ringText(ring: Ring, { downsample, slideWidth, slideHeight, bounds }: PatchPlan): string {
  const { x: left, y: top } = bounds ?? { x: 0, y: 0 };
  const placed = (value: number, limit: number, origin: number): number =>
    Math.round((Math.min(limit, value * downsample) - origin) * 100) / 100;
  const point = (i: number): string =>
    `[${placed(ring[i]!, slideWidth, left)},${placed(ring[i + 1]!, slideHeight, top)}]`;
  let text = '[';
  for (let i = 0; i < ring.length; i += 2) text += `${point(i)},`;
  return `${text}${point(0)}]`;
}

/** A name-based UUID (RFC 9562 §5.8, version 8) of the slide and the polygon's topmost left corner. */
function annotationId(slide: string, ring: Ring): string {
  const hash = createHash('sha1').update(`${slide} ${ring[0]} ${ring[1]}`).digest();
  hash[6] = (hash[6]! & 0x0f) | 0x80;
  hash[8] = (hash[8]! & 0x3f) | 0x80;
  const hex = hash.toString('hex', 0, 16);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
