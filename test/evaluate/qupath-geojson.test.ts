import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StromaflowError } from '#src/errors.js';
import { readAnnotations } from '#src/evaluate/annotation/read-annotations.js';
import { openAnnotations } from '#src/evaluate/annotation/source.js';
import type { LabelFacts } from '#src/evaluate/label-facts.js';
import type { LabelReading } from '#src/evaluate/label-source.js';
import { LABEL_MEANINGS, type LabelMapOptions, parseLabelMap } from '#src/evaluate/labels.js';
import { scratch } from './set-builder.js';

let folder: string;
let remove: () => Promise<void>;
beforeAll(async () => {
  ({ path: folder, remove } = await scratch());
});
afterAll(() => remove());

const SIDE = 64;
type Box = readonly [left: number, top: number, right: number, bottom: number];
const ring = ([l, t, r, b]: Box) => [
  [l, t],
  [r, t],
  [r, b],
  [l, b],
  [l, t],
];
const polygon = (...boxes: Box[]) => ({ type: 'Polygon', coordinates: boxes.map(ring) });
const feature = (box: Box, properties: object, more: object = {}) => ({
  type: 'Feature',
  id: '7b1f2a64-0e8a-4f51-9a62-7a3a6b2d8f10',
  geometry: polygon(box),
  properties: { objectType: 'annotation', ...properties },
  ...more,
});
const of = (...names: string[]) => ({
  classification: names.length === 1 ? { name: names[0], color: [1, 2, 3] } : { names, color: [1, 2, 3] },
});

interface Drawn {
  /** 'p' positive, 'n' negative, 'i' ignored, 'u' unknown: one letter a pixel. */
  at(x: number, y: number): string;
  count(letter: string): number;
  readonly facts: LabelFacts;
}

async function draw(json: unknown, options: LabelMapOptions = { positive: 'Stroma' }, reading?: LabelReading) {
  const path = join(folder, 'a.geojson');
  await writeFile(path, JSON.stringify(json));
  const map = parseLabelMap({ ...options, byName: true });
  const source = await openAnnotations(path, map, { width: SIDE, height: SIDE }, reading);
  const into = new Uint8Array(SIDE * SIDE);
  await source.read({ x: 0, y: 0, step: 1, side: SIDE, width: SIDE, height: SIDE }, into);
  await source.close();
  const letters = [...into].map(value => LABEL_MEANINGS[map.meanings[value]!]![0]!);
  const drawn: Drawn = {
    at: (x, y) => letters[y * SIDE + x]!,
    count: letter => letters.filter(one => one === letter).length,
    facts: source.facts,
  };
  return drawn;
}
const STROMA = feature([10, 10, 50, 50], of('Stroma'));

describe('a class of QuPath', () => {
  const area = 40 * 40;
  it.each<[string, object, string]>([
    ['names of 0.4 and later', { classification: { names: ['Stroma', 'Inflamed'] } }, 'Stroma: Inflamed'],
    ['names of one', { classification: { names: ['Stroma'] } }, 'Stroma'],
    ['a name', { classification: { name: 'Stroma' } }, 'Stroma'],
    ['a derived name of 0.2', { classification: { name: 'Stroma: Inflamed', colorRGB: -1 } }, 'Stroma: Inflamed'],
    ['a parent class', { classification: { name: 'Inflamed', parentClass: { name: 'Stroma' } } }, 'Stroma: Inflamed'],
    ['a text', { classification: 'Stroma: Inflamed' }, 'Stroma: Inflamed'],
    ['three names', { classification: { names: ['Stroma', 'Inflamed', '2+'] } }, 'Stroma: Inflamed: 2+'],
  ])('is read from %s, and called as QuPath shows it', async (_, properties, name) => {
    const { count, facts } = await draw([feature([10, 10, 50, 50], properties)], { positive: name });
    expect(count('p')).toBe(area);
    expect(facts.classes).toEqual([{ name, areas: 1, meaning: 'positive' }]);
  });

  it('that is derived counts as its nearest declared ancestor', async () => {
    const json = [feature([10, 10, 50, 50], of('Stroma', 'Inflamed', '2+')), feature([0, 0, 8, 8], of('Tumor', '2+'))];
    const base = await draw(json, { positive: 'Stroma', negative: 'tumour' });
    expect([base.count('p'), base.count('u')]).toEqual([area, 0]);
    expect(base.facts.classes).toEqual([
      { name: 'Stroma: Inflamed: 2+', areas: 1, meaning: 'positive', as: 'Stroma' },
      { name: 'Tumor: 2+', areas: 1, meaning: 'negative', as: 'tumour' },
    ]);
    const nearer = await draw(json, { positive: 'Stroma', negative: 'Stroma:inflamed,Tumor' });
    expect(nearer.count('p')).toBe(0);
    expect(nearer.facts.classes[0]).toMatchObject({ meaning: 'negative', as: 'Stroma:inflamed' });
    await expect(draw(json, { positive: 'Inflamed' })).rejects.toMatchObject({
      message: expect.stringMatching(/no declared class; it annotates 'Stroma: Inflamed: 2\+', 'Tumor: 2\+'$/),
    });
  });

  it('that nobody declared is another tissue, or left out and named where all classes were to be declared', async () => {
    const json = [STROMA, feature([20, 20, 30, 30], of('Vessel')), feature([32, 20, 40, 30], of('Vessel'))];
    const open = await draw(json);
    expect([open.count('p'), open.at(25, 25), open.facts.leftOut]).toEqual([area - 180, 'n', {}]);
    const closed = await draw(json, { positive: 'Stroma', negative: 'Tumor' });
    expect(closed.at(25, 25)).toBe('u');
    expect(closed.facts).toMatchObject({
      classes: [{ name: 'Stroma' }, { name: 'Vessel', areas: 2, meaning: 'unknown' }],
      leftOut: { 'unknown-class': 2 },
    });
  });

  it('may be a number, whatever numbers mean in masks', async () => {
    const json = [feature([10, 10, 50, 50], of('1')), feature([0, 0, 8, 8], of('95202360'))];
    expect((await draw(json, { positive: '1' })).count('p')).toBe(area);
    const id = await draw(json, { positive: '95202360', negative: '1' });
    expect([id.count('p'), id.count('u')]).toEqual([64, 0]);
  });
});

describe('what takes no part', () => {
  it.each(['Ignore*', 'Artefact*', 'ignore *', 'Stroma: Fold*'])(
    'are areas of class %s: they hide what is below',
    async name => {
      const { count, at, facts } = await draw([STROMA, feature([20, 20, 30, 60], of(...name.split(': ')))]);
      expect([at(25, 25), at(25, 55), at(15, 15), at(5, 5)]).toEqual(['i', 'i', 'p', 'n']);
      expect([count('p'), count('i')]).toEqual([40 * 40 - 300, 400]);
      expect(facts.leftOut).toEqual({ ignored: 1 });
      expect(facts.classes[1]).toMatchObject({ meaning: 'ignored', areas: 1 });
    },
  );

  it('may be declared to: what the command line says of a class goes before its asterisk', async () => {
    const json = [STROMA, feature([20, 20, 30, 60], of('Background*'))];
    expect((await draw(json, { positive: 'Stroma', negative: 'Background*' })).at(25, 25)).toBe('n');
    expect((await draw(json, { positive: 'Stroma', ignore: 'background*' })).at(25, 25)).toBe('i');
  });

  it('hides a smaller area that reaches out of it, not one that was drawn inside it', async () => {
    const json = [
      feature([0, 0, 60, 40], of('Ignore*')),
      feature([4, 4, 12, 12], of('Stroma')),
      feature([20, 30, 30, 50], of('Stroma')),
      feature([6, 6, 8, 8], of('Tumor')),
      feature([9, 9, 11, 11], of('Ignore*')),
    ];
    for (const order of [json, json.toReversed()]) {
      const { at } = await draw(order);
      expect([at(5, 5), at(7, 7), at(10, 10), at(25, 35), at(25, 45), at(40, 20)]).toEqual([
        'p',
        'n',
        'i',
        'i',
        'p',
        'i',
      ]);
    }
  });

  it.each<[string, object]>([
    ['no classification', {}],
    ['null', { classification: null }],
    ['an empty one', { classification: {} }],
    ['a blank name', { classification: { name: '  ' } }],
    ['a name that is no class', { name: 'Stroma' }],
  ])('are annotations with %s: they say nothing of what is below', async (_, properties) => {
    const { count, facts } = await draw([STROMA, feature([20, 20, 30, 30], properties)]);
    expect(count('p')).toBe(40 * 40);
    expect(facts.leftOut).toEqual({ unclassified: 1 });
    expect(facts.classes).toHaveLength(1);
  });

  it.each(['detection', 'cell', 'tile'])('is a %s, unless it is asked for', async objectType => {
    const json = [
      STROMA,
      feature([20, 20, 30, 30], { objectType, ...of('Tumor') }, { nucleusGeometry: polygon([22, 22, 24, 24]) }),
    ];
    const plain = await draw(json);
    expect([plain.at(25, 25), plain.facts.leftOut]).toEqual(['p', { detection: 1 }]);
    const all = await draw(json, undefined, { objects: 'all' });
    expect([all.at(25, 25), all.at(15, 15), all.facts.leftOut]).toEqual(['n', 'p', {}]);
    const only = await draw(json, { positive: 'Tumor' }, { objects: 'detections' });
    expect([only.at(25, 25), only.at(15, 15), only.facts.leftOut]).toEqual(['p', 'n', { annotation: 1 }]);
    await expect(draw([json[1]], { positive: 'Tumor' })).rejects.toMatchObject({
      message: expect.stringMatching(/annotates nothing; left out: 1 detection or cell$/),
      fix: expect.stringContaining('--labels-objects all'),
    });
  });

  it('is a TMA core, the root, and what QuPath 0.2 called by its own names', async () => {
    const old = (id: string, box: Box) => ({ ...feature(box, of('Tumor')), id, properties: of('Tumor') });
    const { count, facts } = await draw([
      STROMA,
      feature([0, 0, 60, 60], { objectType: 'tmaCore', isMissing: true, ...of('Tumor') }),
      { type: 'Feature', geometry: null, properties: { objectType: 'root' } },
      old('PathCellObject', [12, 12, 14, 14]),
      old('TMACoreObject', [12, 12, 14, 14]),
      old('PathAnnotationObject', [20, 20, 30, 30]),
    ]);
    expect(count('p')).toBe(40 * 40 - 100);
    expect(facts.leftOut).toEqual({ 'tma-core': 2, detection: 1 });
  });

  it.each<[string, object]>([
    ['a point', { type: 'Point', coordinates: [20, 20] }],
    ['points', { type: 'MultiPoint', coordinates: [[20, 20]] }],
    [
      'a line',
      {
        type: 'LineString',
        coordinates: [
          [20, 20],
          [40, 40],
        ],
      },
    ],
    [
      'a polygon without an area',
      {
        type: 'Polygon',
        coordinates: [
          [
            [20, 20],
            [40, 40],
            [60, 60],
            [20, 20],
          ],
        ],
      },
    ],
    ['a collection of points', { type: 'GeometryCollection', geometries: [{ type: 'Point', coordinates: [20, 20] }] }],
  ])('is %s', async (_, geometry) => {
    const { count, facts } = await draw([STROMA, { ...feature([0, 0, 1, 1], of('Tumor')), geometry }]);
    expect([count('p'), facts.leftOut]).toEqual([40 * 40, { 'no-area': 1 }]);
  });

  it('is an annotation outside the picture; when all are, the file is another picture’s', async () => {
    const away = feature([70, 70, 90, 90], of('Stroma'));
    const { count, facts } = await draw([STROMA, away]);
    expect([count('p'), facts.leftOut]).toEqual([40 * 40, { outside: 1 }]);
    await expect(draw([away])).rejects.toMatchObject({
      code: 'LABELS_INVALID',
      message: expect.stringMatching(/all its areas lie outside the picture$/),
    });
  });

  it('is counted by annotation, not by polygon', async () => {
    const boxes: Box[] = [
      [20, 20, 24, 24],
      [30, 30, 34, 34],
      [40, 40, 44, 44],
    ];
    const geometry = { type: 'MultiPolygon', coordinates: boxes.map(box => [ring(box)]) };
    const { count, facts } = await draw([STROMA, { ...feature([0, 0, 1, 1], of('Ignore*')), geometry }]);
    expect([count('i'), facts.leftOut]).toEqual([48, { ignored: 1 }]);
  });
});

describe('a file of QuPath', () => {
  const inside = feature([20, 20, 30, 30], of('Tumor'));
  const whole = { ...STROMA, properties: { ...STROMA.properties, isLocked: true, childObjects: [inside] } };

  it.each<[string, unknown]>([
    ['a FeatureCollection', { type: 'FeatureCollection', features: [STROMA, inside] }],
    ['an array of features', [STROMA, inside]],
    ['children inside their parent', [whole]],
    ['one feature with children', whole],
    ['children before their parent', [inside, STROMA]],
  ])('may be %s', async (_, json) => {
    const { count, at, facts } = await draw(json);
    expect([count('p'), at(25, 25)]).toEqual([40 * 40 - 100, 'n']);
    expect(facts.classes.map(({ name, areas }) => [name, areas]).sort()).toEqual([
      ['Stroma', 1],
      ['Tumor', 1],
    ]);
  });

  it('may have a child as large as its parent: the child is what is seen', async () => {
    const child = feature([10, 10, 50, 50], of('Tumor'));
    const { count } = await draw([{ ...STROMA, properties: { ...STROMA.properties, childObjects: [child] } }]);
    expect(count('p')).toBe(0);
  });

  it('may have holes, several polygons and collections of them', async () => {
    const parts = [polygon([0, 0, 20, 20], [5, 5, 15, 15]), polygon([30, 30, 40, 40])];
    for (const geometry of [
      { type: 'MultiPolygon', coordinates: parts.map(({ coordinates }) => coordinates) },
      { type: 'GeometryCollection', geometries: parts },
    ]) {
      const { count, at } = await draw([{ ...STROMA, geometry }]);
      expect([count('p'), at(10, 10), at(35, 35)]).toEqual([400, 'n', 'p']);
    }
  });

  it('may be compressed, under any name', async () => {
    const text = JSON.stringify([STROMA]);
    for (const name of ['b.geojson.gz', 'b.geojson']) {
      const path = join(folder, name);
      await writeFile(path, gzipSync(text));
      expect((await readAnnotations(path)).shapes).toHaveLength(1);
      await writeFile(path, gzipSync(text).subarray(0, 40));
      await expect(readAnnotations(path)).rejects.toMatchObject({ code: 'LABELS_INVALID' });
    }
  });

  it('ends in labels or in LABELS_INVALID, whatever stands in its fields', async () => {
    const path = join(folder, 'any.geojson');
    const map = parseLabelMap({ positive: 'Stroma', byName: true });
    const odd = fc.oneof(
      fc.jsonValue({ maxDepth: 3 }),
      fc.constantFrom('Stroma', 'Ignore*', ['Stroma', ''], { name: 'Stroma' }),
    );
    const geometry = fc.oneof(fc.constant(polygon([1, 1, 9, 9])), odd);
    const one = fc.record(
      {
        type: fc.constantFrom('Feature', 'FeatureCollection', 'Polygon', ''),
        id: odd,
        geometry,
        features: odd,
        coordinates: odd,
        properties: fc.record(
          { objectType: odd, classification: odd, name: odd, childObjects: odd, type: odd },
          { requiredKeys: [] },
        ),
      },
      { requiredKeys: ['type'] },
    );
    await fc.assert(
      fc.asyncProperty(fc.oneof(one, fc.array(one), odd), async json => {
        await writeFile(path, JSON.stringify(json));
        try {
          await (await openAnnotations(path, map, { width: 20, height: 20 })).close();
        } catch (error) {
          expect(error).toBeInstanceOf(StromaflowError);
          expect(error).toMatchObject({ code: 'LABELS_INVALID', message: expect.stringMatching(/^[^\n]+$/) });
        }
      }),
      { numRuns: 300 },
    );
  });
});
