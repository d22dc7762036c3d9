import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAsap } from '#src/evaluate/annotation/asap.js';
import { isRegionOfInterest, normaliseName } from '#src/evaluate/annotation/class-name.js';
import { parseDarwin } from '#src/evaluate/annotation/darwin.js';
import { parseGeoJson } from '#src/evaluate/annotation/geojson.js';
import { drawable, drawShape } from '#src/evaluate/annotation/rasterise.js';
import { ringArea, ringOf } from '#src/evaluate/annotation/shape.js';
import { openAnnotations } from '#src/evaluate/annotation/source.js';
import type { LabelWindow } from '#src/evaluate/label-source.js';
import { type LabelMap, parseLabelMap, TIGER_CLASSES } from '#src/evaluate/labels.js';
import { scratch } from './set-builder.js';

const window = (side: number, x = 0, y = 0, step = 1): LabelWindow => ({ x, y, step, side, width: side, height: side });

/** Even-odd rule by a ray to the left, edge by edge. */
function inside(px: number, py: number, rings: readonly Float64Array[]): boolean {
  let odd = false;
  for (const ring of rings) {
    for (let i = 0, j = ring.length - 2; i < ring.length; j = i, i += 2) {
      const [xi, yi, xj, yj] = [ring[i]!, ring[i + 1]!, ring[j]!, ring[j + 1]!];
      if (yi > py !== yj > py && px < ((xj - xi) * (py - yi)) / (yj - yi) + xi) odd = !odd;
    }
  }
  return odd;
}

const point = fc.tuple(
  fc.double({ min: -20, max: 60, noNaN: true }),
  fc.double({ min: -20, max: 60, noNaN: true }),
) as fc.Arbitrary<[number, number]>;
const ring = fc
  .array(point, { minLength: 3, maxLength: 9 })
  .map(points => ringOf(points))
  .filter(r => r !== undefined);

describe('drawShape', () => {
  it('fills exactly the pixels whose centres are inside, at any offset and step', () => {
    fc.assert(
      fc.property(
        fc.array(ring, { minLength: 1, maxLength: 3 }),
        fc.double({ min: -5, max: 20, noNaN: true }),
        fc.constantFrom(0.5, 1, 1.7, 4),
        (rings, offset, step) => {
          const view = window(24, offset, offset / 2, step);
          const into = new Uint8Array(24 * 24);
          drawShape(drawable(rings, 7), view, into);
          for (let i = 0; i < into.length; i++) {
            const [x, y] = [view.x + ((i % 24) + 0.5) * step, view.y + (Math.floor(i / 24) + 0.5) * step];
            if (isNearEdge(x, y, rings)) continue;
            expect(into[i] === 7, `(${x}, ${y})`).toBe(inside(x, y, rings));
          }
        },
      ),
    );
  });

  it('tiles the plane: areas that share an edge leave no gap and no overlap', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0.1, max: 31.9, noNaN: true }), { minLength: 1, maxLength: 6 }), cuts => {
        const xs = [-1, ...cuts.sort((a, b) => a - b), 33];
        const hits = new Uint8Array(32 * 32);
        for (let i = 0; i + 1 < xs.length; i++) {
          const [l, r] = [xs[i]!, xs[i + 1]!];
          const strip = ringOf([
            [l, -1],
            [r, -1],
            [r, 33],
            [l, 33],
          ]);
          if (!strip) continue;
          const one = new Uint8Array(32 * 32);
          drawShape(drawable([strip], 1), window(32), one);
          for (let p = 0; p < hits.length; p++) hits[p]! += one[p]!;
        }
        expect(hits.every(count => count === 1)).toBe(true);
      }),
    );
  });

  it('draws the same whether asked for at once or window by window', () => {
    const shape = drawable(
      [
        ringOf([
          [3, 2],
          [60, 9],
          [31, 62],
          [5, 40],
        ])!,
      ],
      1,
    );
    const whole = new Uint8Array(64 * 64);
    drawShape(shape, window(64), whole);
    for (const [x, y] of [
      [0, 0],
      [32, 0],
      [0, 32],
      [32, 32],
    ] as const) {
      const part = new Uint8Array(32 * 32);
      drawShape(shape, window(32, x, y), part);
      for (let i = 0; i < part.length; i++) {
        expect(part[i]).toBe(whole[(y + Math.floor(i / 32)) * 64 + x + (i % 32)]);
      }
    }
    expect(whole.reduce((sum, v) => sum + v, 0)).toBeCloseTo(
      ringArea(
        ringOf([
          [3, 2],
          [60, 9],
          [31, 62],
          [5, 40],
        ])!,
      ),
      -2,
    );
  });
});

function isNearEdge(x: number, y: number, rings: readonly Float64Array[]): boolean {
  return rings.some(r => {
    for (let i = 0; i < r.length; i += 2) {
      const j = (i + 2) % r.length;
      const [ax, ay, bx, by] = [r[i]!, r[i + 1]!, r[j]!, r[j + 1]!];
      const length = (bx - ax) ** 2 + (by - ay) ** 2;
      const t = length === 0 ? 0 : Math.max(0, Math.min(1, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length));
      if ((ax + t * (bx - ax) - x) ** 2 + (ay + t * (by - ay) - y) ** 2 < 1e-12) return true;
    }
    return false;
  });
}

const SQUARE = [
  [10, 10],
  [30, 10],
  [30, 30],
  [10, 30],
] as const;
const HOLE = [
  [15, 15],
  [25, 15],
  [25, 25],
  [15, 25],
] as const;

const asap = (annotations: string) =>
  `<?xml version="1.0"?>\n<ASAP_Annotations>\n<Annotations>${annotations}</Annotations>\n<AnnotationGroups><Group Name="x" PartOfGroup="None" Color="#fff"><Attributes/></Group></AnnotationGroups>\n</ASAP_Annotations>`;
const coordinates = (points: readonly (readonly [number, number])[]) =>
  points.map(([x, y], i) => `<Coordinate Order="${i}" X="${x}" Y="${y}" />`).join('');

describe('parseAsap', () => {
  it('reads groups, names, entities, order and decimal commas; leaves dots out', () => {
    const shuffled = [...SQUARE.entries()]
      .reverse()
      .map(([i, [x, y]]) => `<Coordinate Order='${i}' X="${x},5" Y="${y}"/>`);
    const shapes = parseAsap(
      asap(`
      <Annotation Name="A &amp; B" Type="Polygon" PartOfGroup="None" Color="#0"><Coordinates>${coordinates(SQUARE)}</Coordinates></Annotation>
      <Annotation Name="x" Type="Spline" PartOfGroup="tumor-associated stroma"><Coordinates>${shuffled.join('')}</Coordinates></Annotation>
      <Annotation Name="cell" Type="Dot" PartOfGroup="lymphocytes"><Coordinates><Coordinate Order="0" X="1" Y="2"/></Coordinates></Annotation>
      <Annotation Name="line" Type="Polygon" PartOfGroup="a"><Coordinates><Coordinate Order="0" X="1" Y="2"/></Coordinates></Annotation>`),
    );
    expect(shapes.map(({ name, rings }) => [name, rings.length])).toEqual([
      ['A & B', 1],
      ['tumor-associated stroma', 1],
      ['lymphocytes', 0],
      ['a', 0],
    ]);
    expect([...shapes[1]!.rings[0]!.slice(0, 4)]).toEqual([10.5, 10, 30.5, 10]);
  });

  it('says what is wrong', () => {
    expect(() => parseAsap('<html></html>')).toThrow(/ASAP_Annotations/);
    expect(() =>
      parseAsap(asap('<Annotation Name="n" Type="Polygon"><Coordinate Order="0" X="a" Y="1"/></Annotation>')),
    ).toThrow(/'n' has a coordinate/);
  });

  it('ends quickly on hostile text', () => {
    fc.assert(
      fc.property(
        fc.string({
          unit: fc.constantFrom('<Annotation ', '<', '>', '/', '"', '=', 'X', 'ASAP_Annotations', ' '),
          maxLength: 3000,
        }),
        text => {
          try {
            parseAsap(`<ASAP_Annotations>${text}`);
          } catch (error) {
            expect(error).toBeInstanceOf(Error);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('parseGeoJson', () => {
  const polygon = {
    type: 'Polygon',
    coordinates: [
      [...SQUARE, SQUARE[0]],
      [...HOLE, HOLE[0]],
    ],
  };
  const named = (classification: unknown) => ({ type: 'Feature', geometry: polygon, properties: { classification } });

  it('reads collections, arrays, single features and bare geometries, with holes', () => {
    for (const json of [
      { type: 'FeatureCollection', features: [named({ name: 'Stroma' })] },
      [named('Stroma')],
      { ...named(undefined), properties: { name: 'Stroma' } },
    ]) {
      const shapes = parseGeoJson(JSON.stringify(json));
      expect(shapes).toHaveLength(1);
      expect(shapes[0]!.name).toBe('Stroma');
      expect(shapes[0]!.rings).toHaveLength(2);
      expect(shapes[0]!.rings[0]).toHaveLength(8);
    }
    const bare = parseGeoJson(
      JSON.stringify({ type: 'MultiPolygon', coordinates: [polygon.coordinates, polygon.coordinates] }),
    );
    expect(bare.map(shape => shape.name)).toEqual(['', '']);
    const mixed = { type: 'GeometryCollection', geometries: [polygon, { type: 'Point', coordinates: [1, 2] }] };
    expect(parseGeoJson(JSON.stringify(mixed))).toHaveLength(1);
  });

  it('refuses what is none', () => {
    for (const text of [
      '{',
      '3',
      '{}',
      '{"type":"Polygon","coordinates":[[["a",1]]]}',
      '{"type":"FeatureCollection"}',
    ]) {
      expect(() => parseGeoJson(text)).toThrow(Error);
    }
    expect(() => parseGeoJson(`${'['.repeat(50)}${']'.repeat(50)}`)).toThrow(/deeply/);
  });
});

describe('parseDarwin', () => {
  const path = SQUARE.map(([x, y]) => ({ x, y }));

  it('reads version 1 and 2 polygons, boxes and leaves key points out', () => {
    const shapes = parseDarwin(
      JSON.stringify({
        annotations: [
          { name: 'stroma (area)', polygon: { paths: [path, HOLE.map(([x, y]) => ({ x, y }))] } },
          { name: 'v1', polygon: { path } },
          { name: 'ROI (segmentation)', bounding_box: { x: 1, y: 2, w: 10, h: 20 } },
          { name: 'lymphocyte (cell)', keypoint: { x: 1, y: 1 } },
        ],
      }),
    );
    expect(shapes.map(shape => [shape.name, shape.rings.length])).toEqual([
      ['stroma (area)', 2],
      ['v1', 1],
      ['ROI (segmentation)', 1],
      ['lymphocyte (cell)', 0],
    ]);
    expect([...shapes[2]!.rings[0]!]).toEqual([1, 2, 11, 2, 11, 22, 1, 22]);
  });

  it('refuses what is none', () => {
    for (const json of [
      {},
      [],
      { annotations: [3] },
      { annotations: [{ polygon: { path: [{ x: 'a', y: 1 }, 2, 3] } }] },
    ]) {
      expect(() => parseDarwin(JSON.stringify(json))).toThrow(Error);
    }
  });
});

describe('class names', () => {
  it('are compared as people write them', () => {
    expect(normaliseName(' Tumour-Associated_Stroma ')).toBe('tumor-associated stroma');
    expect(['ROI', 'roi (segmentation)', 'Region*', 'Region 1'].every(isRegionOfInterest)).toBe(true);
    expect(['stroma', 'regional metastasis', 'heroin'].some(isRegionOfInterest)).toBe(false);
  });
});

describe('openAnnotations', () => {
  let folder: string;
  let remove: () => Promise<void>;
  beforeAll(async () => {
    ({ path: folder, remove } = await scratch());
  });
  afterAll(() => remove());

  async function draw(text: string, map: LabelMap, view = window(40)): Promise<Uint8Array> {
    const path = join(folder, 'a.xml');
    await writeFile(path, text);
    const into = new Uint8Array(view.side * view.side).fill(99);
    await (await openAnnotations(path, map)).read(view, into);
    return into;
  }
  const annotation = (group: string, points: readonly (readonly [number, number])[]) =>
    `<Annotation Name="n" Type="Polygon" PartOfGroup="${group}"><Coordinates>${coordinates(points)}</Coordinates></Annotation>`;
  const frame = [
    [0, 0],
    [20, 0],
    [20, 40],
    [0, 40],
  ] as const;

  it('draws small areas over large ones whatever their order in the file', async () => {
    const map = parseLabelMap({ positive: 'stroma', negative: 'gland', byName: true });
    const [stroma, gland] = ['stroma', 'gland'].map(name => map.classes.find(item => item.name === name)!.value);
    for (const text of [
      asap(annotation('Stroma', SQUARE) + annotation('gland', HOLE)),
      asap(annotation('gland', HOLE) + annotation('stroma', SQUARE)),
    ]) {
      const values = await draw(text, map);
      expect([values[20 * 40 + 20], values[12 * 40 + 12], values[0]]).toEqual([gland, stroma, 1]);
    }
  });

  it('knows nothing outside regions of interest', async () => {
    const map = parseLabelMap({ positive: 'stroma', byName: true });
    const values = await draw(asap(annotation('stroma', SQUARE) + annotation('ROI', frame)), map);
    expect([values[20 * 40 + 15], values[20 * 40 + 25], values[5], values[35]]).toEqual([2, 0, 1, 0]);
    expect(map.meanings[0]).toBe(2);
  });

  it('reads TIGER’s XML with TIGER’s values: what is not annotated is ignored', async () => {
    const map = parseLabelMap({ classes: TIGER_CLASSES });
    const values = await draw(asap(annotation('inflamed stroma', SQUARE) + annotation('roi', frame)), map);
    expect([values[20 * 40 + 15], values[5]]).toEqual([6, 0]);
  });

  it('takes undeclared classes for other tissue, or for faults where negatives are listed', async () => {
    const text = asap(annotation('stroma', HOLE) + annotation('vessel', SQUARE));
    const open = parseLabelMap({ positive: 'stroma', byName: true });
    const closed = parseLabelMap({ positive: 'stroma', negative: 'gland', byName: true });
    expect(open.meanings[(await draw(text, open))[11 * 40 + 11]!]).toBe(0);
    expect(closed.meanings[(await draw(text, closed))[11 * 40 + 11]!]).toBe(3);
  });

  it('refuses a file without a declared class, naming what it has', async () => {
    const map = parseLabelMap({ positive: 'stroma', byName: true });
    await expect(draw(asap(annotation('vessel', SQUARE)), map)).rejects.toMatchObject({
      code: 'LABELS_INVALID',
      message: expect.stringMatching(/no declared class; it annotates 'vessel'/),
    });
    await expect(draw('<xml/>', map)).rejects.toMatchObject({ code: 'LABELS_INVALID' });
  });
});
