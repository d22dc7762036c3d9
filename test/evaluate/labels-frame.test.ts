import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LabelReading } from '#src/evaluate/label-source.js';
import { parseLabelMap } from '#src/evaluate/labels.js';
import { openLabels } from '#src/evaluate/open-item.js';
import type { SlideInfo } from '#src/slide/slide.js';
import { plain, writeTiff } from '../slide/tiff-writer.js';
import { scratch } from './set-builder.js';

let folder: string;
let remove: () => Promise<void>;
beforeAll(async () => {
  ({ path: folder, remove } = await scratch());
});
afterAll(() => remove());

const [WIDTH, HEIGHT] = [200, 160];
const level = { width: WIDTH, height: HEIGHT, downsample: 1, mpp: 0.5, tileWidth: 64, tileHeight: 64 };
const slide: SlideInfo = {
  ...{ id: 's', path: 's.scn', format: 'Leica SCN', mpp: 0.5, levels: [level], fingerprint: 'f', properties: {} },
  bounds: { x: 50, y: 30, width: 120, height: 100 },
};
const { bounds: _, ...whole } = slide;

/** The box of the positive label on the whole frame: left, top, right, bottom, and what was said. */
async function placed(name: string, content: string | Buffer, on: SlideInfo, reading: LabelReading = {}) {
  const path = join(folder, name);
  await writeFile(path, content);
  const kind = name.endsWith('.tif') ? 'mask-tiff' : 'annotations';
  const map = parseLabelMap({ positive: kind === 'mask-tiff' ? '2' : 'Stroma', byName: kind === 'annotations' });
  const source = await openLabels({ labels: { kind, path } }, on, map, reading);
  const into = new Uint8Array(WIDTH * WIDTH);
  await source.read({ x: 0, y: 0, step: 1, side: WIDTH, width: WIDTH, height: HEIGHT }, into);
  await source.close();
  const covered = source.covered ?? { x: 0, y: 0, width: WIDTH, height: HEIGHT };
  const found = [...into.keys()]
    .filter(i => map.meanings[into[i]!] === 1)
    .map(i => [i % WIDTH, Math.floor(i / WIDTH)] as const)
    .filter(
      ([x, y]) => x >= covered.x && x < covered.x + covered.width && y >= covered.y && y < covered.y + covered.height,
    );
  const [xs, ys] = [found.map(([x]) => x), found.map(([, y]) => y)];
  const box = [Math.min(...xs), Math.min(...ys), Math.max(...xs) + 1, Math.max(...ys) + 1];
  return { box, notes: source.facts.notes };
}

const corners = (l: number, t: number, r: number, b: number) => [
  [l, t],
  [r, t],
  [r, b],
  [l, b],
  [l, t],
];
const geoJson = (...box: [number, number, number, number]) =>
  JSON.stringify({
    type: 'Feature',
    geometry: { type: 'Polygon', coordinates: [corners(...box)] },
    properties: { objectType: 'annotation', classification: { name: 'Stroma' } },
  });
const asap = (...box: [number, number, number, number]) => {
  const points = corners(...box).map(([x, y], i) => `<Coordinate Order="${i}" X="${x}" Y="${y}" />`);
  return `<ASAP_Annotations><Annotation Type="Polygon" PartOfGroup="Stroma">${points.join('')}</Annotation></ASAP_Annotations>`;
};
const darwin = (...box: [number, number, number, number]) => {
  const path = corners(...box).map(([x, y]) => ({ x, y }));
  return JSON.stringify({ version: '2.0', annotations: [{ name: 'Stroma', polygon: { paths: [path] } }] });
};

describe('on a slide that states its scanned part', () => {
  it.each([
    ['a.geojson', geoJson(10, 20, 40, 60), [60, 50, 90, 90]],
    ['a.xml', asap(10, 20, 40, 60), [10, 20, 40, 60]],
    ['a.json', darwin(10, 20, 40, 60), [10, 20, 40, 60]],
  ])('%s has the origin that its program shows', async (name, text, box) => {
    expect(await placed(name, text, slide)).toEqual({ box, notes: [] });
    expect(await placed(name, text, whole)).toEqual({ box: [10, 20, 40, 60], notes: [] });
  });

  it('somebody may say otherwise', async () => {
    expect((await placed('a.geojson', geoJson(10, 20, 40, 60), slide, { frame: 'full' })).box).toEqual([
      10, 20, 40, 60,
    ]);
    expect((await placed('a.xml', asap(10, 20, 40, 60), slide, { frame: 'bounds' })).box).toEqual([60, 50, 90, 90]);
    expect((await placed('a.xml', asap(10, 20, 40, 60), whole, { frame: 'bounds' })).box).toEqual([10, 20, 40, 60]);
  });

  it('areas that reach out of the scanned part are a sign of the other frame, and said', async () => {
    const { notes } = await placed('a.geojson', geoJson(60, 50, 130, 90), slide);
    expect(notes).toEqual([
      expect.stringMatching(
        /^1 of its 1 areas reach out of the scanned part \(120 × 100 pixels at 50, 30\).*--labels-frame full$/,
      ),
    ]);
  });

  it('a mask of the frame’s size lies on the frame, one of the scanned part’s size on that', async () => {
    const full = writeTiff([{ picture: plain(WIDTH, HEIGHT, [2]) }]);
    expect(await placed('m.tif', full, slide)).toEqual({ box: [0, 0, WIDTH, HEIGHT], notes: [] });
    const part = await placed('m.tif', writeTiff([{ picture: plain(60, 50, [2]) }]), slide);
    expect(part).toEqual({ box: [50, 30, 170, 130], notes: [expect.stringMatching(/size of the scanned part/)] });
  });
});
