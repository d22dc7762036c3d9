import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAsap } from '#src/evaluate/annotation/asap.js';
import { parseDarwin } from '#src/evaluate/annotation/darwin.js';
import { parseGeoJson } from '#src/evaluate/annotation/geojson.js';
import { readAnnotations } from '#src/evaluate/annotation/read-annotations.js';
import type { AnnotatedShape } from '#src/evaluate/annotation/shape.js';
import { openAnnotations } from '#src/evaluate/annotation/source.js';
import { parseLabelMap } from '#src/evaluate/labels.js';
import { scratch } from './set-builder.js';

type Point = readonly [number, number];

/** Shapes of one ring, written as each of the three programs writes them. */
interface Drawn {
  readonly name: string;
  readonly points: readonly Point[];
}

const xml = (text: string) => text.replace(/[&<>"]/g, c => `&#${c.charCodeAt(0)};`);
const toAsap = (shapes: readonly Drawn[]) =>
  `<ASAP_Annotations><Annotations>${shapes
    .map(({ name, points }) => {
      const corners = points.map(([x, y], i) => `<Coordinate Order="${i}" X="${x}" Y="${y}" />`);
      return `<Annotation Name="A" Type="Polygon" PartOfGroup="${xml(name)}"><Coordinates>${corners.join('')}</Coordinates></Annotation>`;
    })
    .join('')}</Annotations></ASAP_Annotations>`;
const toGeoJson = (shapes: readonly Drawn[]) =>
  JSON.stringify({
    type: 'FeatureCollection',
    features: shapes.map(({ name, points }) => ({
      type: 'Feature',
      geometry: { type: 'Polygon', coordinates: [[...points, points[0]]] },
      properties: { objectType: 'annotation', classification: { name } },
    })),
  });
const toDarwin = (shapes: readonly Drawn[]) =>
  JSON.stringify({
    version: '2.0',
    annotations: shapes.map(({ name, points }) => ({ name, polygon: { paths: [points.map(([x, y]) => ({ x, y }))] } })),
  });

const coordinate = fc.double({ min: -1e6, max: 1e6, noNaN: true }).map(value => value + 0);
const drawn = fc.array(
  fc.record({
    // ASAP writes 'None' for no group, and an empty group is none.
    name: fc.string({ minLength: 1 }).filter(name => name !== 'None'),
    points: fc.uniqueArray(fc.tuple(coordinate, coordinate), { minLength: 3, maxLength: 8, selector: p => `${p}` }),
  }),
  { minLength: 1, maxLength: 5 },
);
const plain = (shapes: readonly AnnotatedShape[]) =>
  shapes.map(({ name, rings }) => ({ name, rings: rings.map(ring => [...ring]) }));

describe('annotations', () => {
  it('are the same whichever of the three programs wrote them', () => {
    fc.assert(
      fc.property(drawn, shapes => {
        const expected = shapes.map(({ name, points }) => ({ name, rings: [points.flat()] }));
        expect(plain(parseAsap(toAsap(shapes)))).toEqual(expected);
        expect(plain(parseGeoJson(toGeoJson(shapes)))).toEqual(expected);
        expect(plain(parseDarwin(toDarwin(shapes)))).toEqual(expected);
      }),
    );
  });
});

describe('annotation files', () => {
  let folder: string;
  let remove: () => Promise<void>;
  beforeAll(async () => {
    ({ path: folder, remove } = await scratch());
  });
  afterAll(() => remove());

  const kinds = [
    ['asap', toAsap],
    ['geojson', toGeoJson],
    ['darwin', toDarwin],
  ] as const;
  const square: Drawn = {
    name: 'Tumour_Stroma',
    points: [
      [2, 2],
      [6, 2],
      [6, 6],
      [2, 6],
    ],
  };

  it.each(kinds)('of kind %s give the labels of their areas, and errors that name the file', async (kind, write) => {
    const path = join(folder, kind);
    await writeFile(path, write([square]));
    const map = parseLabelMap({ positive: 'tumor stroma', byName: true });
    const source = await openAnnotations(path, map);
    const into = new Uint8Array(8 * 8);
    await source.read({ x: 0, y: 0, step: 1, side: 8, width: 8, height: 7 }, into);
    const at = (x: number, y: number) => (y === 7 ? 0 : x >= 2 && x < 6 && y >= 2 && y < 6 ? 2 : 1);
    expect([...into]).toEqual(Array.from({ length: 64 }, (_, i) => at(i % 8, i >> 3)));
    await writeFile(path, '[1');
    for (const wrong of [path, join(folder, 'absent')]) {
      await expect(readAnnotations(wrong)).rejects.toMatchObject({
        code: 'LABELS_INVALID',
        message: expect.stringMatching(new RegExp(`^${wrong}: [^\n]+$`)),
      });
    }
  });
});
