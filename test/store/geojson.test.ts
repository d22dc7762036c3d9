import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MaskPolygons } from '#src/mask/polygons.js';
import { PolygonFiles } from '#src/store/geojson.js';
import { maskedSlide, temporaryFolder } from './slide-fixture.js';

interface Annotation {
  readonly type: string;
  readonly id: string;
  readonly geometry: { readonly type: string; readonly coordinates: [number, number][][] };
  readonly properties: Record<string, unknown> & { readonly measurements: Record<string, number> };
}

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

function written(options: Parameters<typeof maskedSlide>[0]) {
  const slide = maskedSlide(options);
  const polygons = new MaskPolygons(slide.plan);
  for (const { ref, mask } of slide.patches) if (mask) polygons.add(ref.col, ref.row, mask.bits);
  const files = new PolygonFiles(folder.path, slide.plan);
  for (const polygon of polygons.polygons()) files.write(polygon);
  const counts = files.finish();
  const json = JSON.parse(readFileSync(join(folder.path, 'mask.geojson'), 'utf8'));
  return { slide, counts, type: json.type as string, features: json.features as Annotation[] };
}

const signedArea = (ring: readonly [number, number][]): number =>
  ring.slice(1).reduce((sum, [x, y], i) => sum + (ring[i]![0] * y - x * ring[i]![1]) / 2, 0);

describe('polygons as GeoJSON', () => {
  it('go on in further files where one would be too large, none of them cut, and a shorter end leaves none behind', () => {
    const slide = maskedSlide({ width: 300, height: 200 });
    const write = (most?: number) => {
      const polygons = new MaskPolygons(slide.plan);
      for (const { ref, mask } of slide.patches) if (mask) polygons.add(ref.col, ref.row, mask.bits);
      const files = new PolygonFiles(folder.path, slide.plan, most);
      for (const polygon of polygons.polygons()) files.write(polygon);
      return files.finish();
    };
    const read = (name: string) => JSON.parse(readFileSync(join(folder.path, name), 'utf8')).features as Annotation[];
    const whole = write();
    expect(whole.parts).toBeUndefined();
    const all = read('mask.geojson');
    const most = 6000;
    const { parts = [], ...counts } = write(most);
    expect(counts).toEqual(whole);
    expect(parts.length).toBeGreaterThan(2);
    expect(parts.slice(0, 2)).toEqual(['mask.geojson', 'mask-2.geojson']);
    expect(parts.flatMap(read)).toEqual(all);
    for (const name of parts)
      if (read(name).length > 1) expect(statSync(join(folder.path, name)).size).toBeLessThanOrEqual(most);
    write();
    expect(readdirSync(folder.path).filter(name => name.endsWith('.geojson'))).toEqual(['mask.geojson']);
  });

  it('are annotations as QuPath imports them', () => {
    const { type, features, counts } = written({ width: 300, height: 200 });
    expect(type).toBe('FeatureCollection');
    expect(features).toHaveLength(counts.polygons);
    expect(features.length).toBeGreaterThan(10);
    for (const { type: kind, id, geometry, properties } of features) {
      expect(kind).toBe('Feature');
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      expect(geometry.type).toBe('Polygon');
      expect(properties).toEqual({
        objectType: 'annotation',
        classification: { name: 'Stroma', color: [0, 158, 115] },
        measurements: { 'Area µm^2': expect.any(Number) },
      });
    }
    expect(new Set(features.map(({ id }) => id)).size).toBe(features.length);
  });

  it('have closed rings, exteriors counter-clockwise and holes clockwise as RFC 7946 wants them', () => {
    const { features, counts } = written({ width: 300, height: 200 });
    let holes = 0;
    for (const { geometry } of features) {
      for (const [i, ring] of geometry.coordinates.entries()) {
        expect(ring.length).toBeGreaterThanOrEqual(5);
        expect(ring.at(-1)).toEqual(ring[0]);
        expect(Math.sign(signedArea(ring))).toBe(i === 0 ? 1 : -1);
        if (i > 0) holes++;
      }
    }
    expect(counts.holes).toBe(holes);
    expect(holes).toBeGreaterThan(0);
  });

  it('cover the mask: in µm² as measured, in mm² in sum', () => {
    const { slide, features, counts } = written({ width: 300, height: 200, mpp: 0.3 });
    const stroma = slide.pixels.reduce((a, b) => a + b, 0);
    const measured = features.reduce((sum, f) => sum + f.properties.measurements['Area µm^2']!, 0);
    expect(measured).toBeCloseTo(stroma * 0.09, 1);
    expect(counts.areaMm2).toBeCloseTo((stroma * 0.09) / 1e6, 9);
    const level0 = features.reduce((sum, f) => sum + f.geometry.coordinates.reduce((s, r) => s + signedArea(r), 0), 0);
    expect(level0).toBe(stroma);
  });

  it('lie in level-0 pixels inside the slide, also where the mask is coarser by a fraction', () => {
    const { slide, features } = written({ width: 1000, height: 701, mpp: 0.23, spacing: 0.5 });
    expect(slide.plan.downsample).toBeCloseTo(0.5 / 0.23, 9);
    const points = features.flatMap(({ geometry }) => geometry.coordinates.flat());
    expect(Math.max(...points.map(([x]) => x))).toBeGreaterThan(900);
    for (const [x, y] of points) {
      expect(x >= 0 && x <= 1000 && y >= 0 && y <= 701).toBe(true);
      expect(Number.isInteger(Math.round(x * 1e6) / 1e4)).toBe(true);
    }
    const level0 = features.reduce((sum, f) => sum + f.geometry.coordinates.reduce((s, r) => s + signedArea(r), 0), 0);
    const stroma = slide.pixels.reduce((a, b) => a + b, 0) * slide.plan.downsample ** 2;
    expect(Math.abs(level0 / stroma - 1)).toBeLessThan(0.005);
  });

  it('count from the corner of the scanned part, which is all that QuPath shows', () => {
    const { slide, features: whole } = written({ width: 1000, height: 701, mpp: 0.23, spacing: 0.5 });
    const plan = { ...slide.plan, bounds: { x: 130, y: 77, width: 800, height: 600 } };
    const polygons = new MaskPolygons(plan);
    for (const { ref, mask } of slide.patches) if (mask) polygons.add(ref.col, ref.row, mask.bits);
    const files = new PolygonFiles(folder.path, plan);
    for (const polygon of polygons.polygons()) files.write(polygon);
    files.finish();
    const { features } = JSON.parse(readFileSync(join(folder.path, 'mask.geojson'), 'utf8')) as {
      features: Annotation[];
    };
    expect(features).toHaveLength(whole.length);
    for (const [i, { id, geometry, properties }] of features.entries()) {
      expect({ id, properties }).toEqual({ id: whole[i]!.id, properties: whole[i]!.properties });
      for (const [r, ring] of geometry.coordinates.entries())
        for (const [p, [x, y]] of ring.entries()) {
          const [fromX, fromY] = whole[i]!.geometry.coordinates[r]![p]!;
          expect([x, y]).toEqual([Math.round((fromX - 130) * 100) / 100, Math.round((fromY - 77) * 100) / 100]);
        }
    }
  });

  it('are an empty collection where there is no stroma', () => {
    const { plan } = maskedSlide({ width: 64, height: 64 });
    const counts = new PolygonFiles(folder.path, plan).finish();
    expect(counts).toEqual({ polygons: 0, holes: 0, areaMm2: 0 });
    const json = JSON.parse(readFileSync(join(folder.path, 'mask.geojson'), 'utf8'));
    expect(json).toEqual({ type: 'FeatureCollection', features: [] });
  });

  it('keep their ids when the slide is run again', () => {
    const ids = () => written({ width: 300, height: 200 }).features.map(({ id }) => id);
    expect(ids()).toEqual(ids());
  });
});
