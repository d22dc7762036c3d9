import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAsap } from '#src/evaluate/annotation/asap.js';
import { parseDarwin } from '#src/evaluate/annotation/darwin.js';
import { parseGeoJson } from '#src/evaluate/annotation/geojson.js';
import { ringArea, ringOf } from '#src/evaluate/annotation/shape.js';

describe('parseAsap', () => {
  const document = (inner: string) => `<ASAP_Annotations>${inner}</ASAP_Annotations>`;
  const square = [0, 1, 2, 3].map(i => `<Coordinate Order="${i}" X="${i % 2}" Y="${i >> 1}"/>`).join('');

  it.each([
    ['a &lt;b&gt; &quot;c&quot; &apos;d&apos; &amp; e', `a <b> "c" 'd' & e`],
    ['&#65;&#x42;&#X43;', 'ABC'],
    ['&amp;lt;', '&lt;'],
    ['&nbsp; &#x110000; &', '&nbsp; &#x110000; &'],
    ['Größe µ', 'Größe µ'],
  ])('decodes %j once', (name, expected) => {
    const [shape] = parseAsap(document(`<Annotation Type="Polygon" Name="${name}">${square}</Annotation>`));
    expect(shape!.name).toBe(expected);
  });

  it.each(['Polygon', 'polygon', 'Spline', 'Rectangle'])('takes a %s for an area', type => {
    expect(parseAsap(document(`<Annotation Type="${type}">${square}</Annotation>`))).toHaveLength(1);
  });

  it.each(['Dot', 'PointSet', 'Measurement', 'None'])('takes a %s for none', type => {
    const shapes = parseAsap(document(`<Annotation Type="${type}">${square}</Annotation>`));
    expect(shapes).toEqual([{ name: '', rings: [], annotation: 0 }]);
  });

  it('passes over annotations that are empty, and takes the name where the group is none', () => {
    const shapes = parseAsap(
      document(
        `<Annotation Name="x" /><Annotation Name="own" PartOfGroup="">${square}</Annotation>` +
          `<Annotation Name="own" PartOfGroup="None">${square}</Annotation><Annotation PartOfGroup="g">${square}</Annotation>`,
      ),
    );
    const areas = shapes.filter(({ rings }) => rings.length > 0);
    expect(areas.map(({ name, annotation }) => [name, annotation])).toEqual([
      ['own', 1],
      ['own', 2],
      ['g', 3],
    ]);
  });

  it.each([
    ['<Annotation Name="a"', /its last annotation is cut off/],
    [`<Annotation Name="a">${square}`, /its last annotation is cut off/],
    ['<Annotation Name="a"><Coordinate Order="0" X="1"/></Annotation>', /'a' has a coordinate that is no number/],
    ['<Annotation Name="a"><Coordinate Order="0" X="" Y="1"/></Annotation>', /'a' has a coordinate/],
    ['<Annotation Name="a"><Coordinate Order="first" X="1" Y="1"/></Annotation>', /'a' has a coordinate/],
    ['<Annotation Name="a"><Coordinate Order="0" X="1e999" Y="1"/></Annotation>', /'a' has a coordinate/],
  ])('refuses %s', (inner, message) => {
    expect(() => parseAsap(`<ASAP_Annotations>${inner}`)).toThrow(message);
  });
});

describe('parseDarwin', () => {
  const path = [
    { x: 1, y: 1 },
    { x: 5, y: 1 },
    { x: 5, y: 5 },
  ];
  const of = (annotation: object) => parseDarwin(JSON.stringify({ annotations: [annotation] }));

  it('reads version 1’s polygons of several paths, and prefers a polygon to its box', () => {
    const box = { x: 0, y: 0, w: 9, h: 9 };
    expect(of({ name: 'n', complex_polygon: { path: [path, path] }, bounding_box: box })[0]!.rings).toHaveLength(2);
    expect(of({ polygon: { path }, bounding_box: box })).toEqual([
      { name: '', rings: [expect.anything()], annotation: 0 },
    ]);
    expect(of({ name: 3, polygon: { path: [] } })).toEqual([{ name: '', rings: [], annotation: 0 }]);
    expect(of({ name: 'tag', tag: {} })).toEqual([{ name: 'tag', rings: [], annotation: 0 }]);
  });

  it.each<[object, RegExp]>([
    [{ polygon: {} }, /a polygon has no path/],
    [{ polygon: { paths: [path, 3] } }, /a polygon mixes points and paths/],
    [{ polygon: { path: [...path, null] } }, /a point that is no object/],
    [{ polygon: { path: [...path, { x: 1 }] } }, /a point without x and y/],
    [{ bounding_box: { x: 1, y: 2, w: '3', h: 4 } }, /a bounding box has no numbers/],
  ])('refuses %j', (annotation, message) => expect(() => of(annotation)).toThrow(message));
});

describe('parseGeoJson', () => {
  const feature = (geometry: unknown) => JSON.stringify({ type: 'Feature', geometry, properties: null });

  it('gives features without an area as annotations without rings', () => {
    const none = [{ name: '', rings: [], annotation: 0 }];
    for (const type of ['Point', 'LineString', 'MultiPoint', 'MultiLineString'])
      expect(parseGeoJson(feature({ type, coordinates: [[1, 2]] }))).toEqual(none);
    expect(parseGeoJson(feature(null))).toEqual(none);
    expect(parseGeoJson(feature({ type: 'Polygon', coordinates: [] }))).toEqual(none);
    const line = [
      [1, 1],
      [2, 2],
      [1, 1],
    ];
    const hole = [
      [1, 1],
      [3, 1],
      [3, 3],
    ];
    expect(parseGeoJson(feature({ type: 'Polygon', coordinates: [line] }))).toEqual(none);
    expect(parseGeoJson(feature({ type: 'Polygon', coordinates: [line, hole] }))).toEqual(none);
  });

  it('drops a third coordinate', () => {
    const ring = [
      [0, 0, 7],
      [4, 0, 7],
      [4, 4, 7],
      [0, 0, 7],
    ];
    expect([...parseGeoJson(feature({ type: 'Polygon', coordinates: [ring] }))[0]!.rings[0]!]).toEqual([
      0, 0, 4, 0, 4, 4,
    ]);
  });

  const nested = (depth: number): unknown =>
    depth === 0
      ? { type: 'Polygon', coordinates: [] }
      : { type: 'GeometryCollection', geometries: [nested(depth - 1)] };
  it.each<[string, RegExp]>([
    [feature(undefined), /a feature has no geometry/],
    [feature({ type: 'Polygon' }), /a polygon has no rings/],
    [feature({ type: 'Polygon', coordinates: [3] }), /a ring is no list of points/],
    [feature({ type: 'Polygon', coordinates: [[[1]]] }), /a point that is no pair of numbers/],
    [feature({ type: 'Polygon', coordinates: [[[null, 1]]] }), /a point that is no pair of numbers/],
    [feature({ type: 'MultiPolygon' }), /a MultiPolygon has no coordinates/],
    [feature(nested(20)), /a feature has no geometry/],
    ['{"type":7}', /it is no GeoJSON/],
    ['null', /it is no GeoJSON/],
    ['{"type":"FeatureCollection","features":{}}', /its FeatureCollection has no features/],
  ])('refuses %s', (text, message) => expect(() => parseGeoJson(text)).toThrow(message));
});

describe('ringOf and ringArea', () => {
  it('agree with the sum of triangles around any point, whichever way round and wherever a ring starts', () => {
    const points = fc.array(fc.tuple(fc.integer({ min: -99, max: 99 }), fc.integer({ min: -99, max: 99 })), {
      minLength: 3,
      maxLength: 12,
    });
    fc.assert(
      fc.property(points, fc.nat(11), fc.integer(), (corners, turn, px) => {
        const cross = corners.map(([x, y], i) => {
          const [nx, ny] = corners[(i + 1) % corners.length]!;
          return ((x - (px % 50)) * (ny - 3) - (nx - (px % 50)) * (y - 3)) / 2;
        });
        const area = Math.abs(cross.reduce((sum, one) => sum + one, 0));
        const at = turn % corners.length;
        for (const order of [corners, [...corners.slice(at), ...corners.slice(0, at)], [...corners].reverse()]) {
          expect(ringArea(Float64Array.from(order.flat()))).toBeCloseTo(area, 6);
        }
      }),
    );
    expect(ringOf([])).toBeUndefined();
    expect(
      ringOf([
        [1, 1],
        [2, 2],
        [3, 1],
      ]),
    ).toHaveLength(6);
    expect(
      ringOf([
        [1, 1],
        [2, 2],
        [1, 1],
      ]),
    ).toBeUndefined();
  });
});
