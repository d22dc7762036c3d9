import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readAnnotations } from '#src/evaluate/annotation/read-annotations.js';
import { labelsAt } from '#src/evaluate/labels-at.js';
import { scratch } from './set-builder.js';

let folder: string;
let remove: () => Promise<void>;
beforeAll(async () => {
  ({ path: folder, remove } = await scratch());
});
afterAll(() => remove());

const WKT = 'POLYGON ((10 90, 30 90, 30 70, 10 90))';
const CYTOMINE = { id: 95166527, location: WKT, image: 94255021, term: [95202360] };

describe('annotations of programs that are told and not read', () => {
  it.each<[string, string, string, RegExp]>([
    [
      'Cytomine’s list',
      'a.json',
      JSON.stringify({ collection: [CYTOMINE], size: 1 }),
      /a Cytomine export.*image height − y/,
    ],
    ['Cytomine’s annotations', 'a.json', JSON.stringify([CYTOMINE]), /a Cytomine export/],
    [
      'Cytomine’s class',
      'a.json',
      JSON.stringify({ class: 'be.cytomine.ontology.UserAnnotation' }),
      /a Cytomine export/,
    ],
    [
      'a table of Cytomine’s',
      'a.csv',
      `id;term;location\n1;stroma;"MULTIPOLYGON (((1 2, 3 4, 5 6, 1 2)))"\n`,
      /a Cytomine export/,
    ],
    [
      'Sectra’s results',
      'a.json',
      JSON.stringify({ slideId: 'x', displayResult: 'r', data: {} }),
      /a Sectra export.*GeoJSON/,
    ],
    ['Sectra’s own key', 'a.json', JSON.stringify({ sectraVersion: '3.1', items: [] }), /a Sectra export/],
    ['COCO', 'a.json', JSON.stringify({ images: [], annotations: [], categories: [] }), /COCO JSON/],
    ['LabelMe', 'a.json', JSON.stringify({ shapes: [], imagePath: 'a.png' }), /LabelMe JSON/],
    [
      'ImageScope',
      'a.xml',
      '<Annotations><Annotation LineColor="65280"><Regions><Region/></Regions></Annotation></Annotations>',
      /Aperio ImageScope’s.*QuPath/,
    ],
    ['NDP.view', 'a.xml', '<annotations><ndpviewstate id="1"/></annotations>', /NDP\.view/],
  ])('%s: refused by name, with what to export instead', async (_, name, text, line) => {
    const path = join(folder, name);
    await writeFile(path, text);
    const failing = labelsAt(path).then(({ path: at }) => readAnnotations(at));
    await expect(failing).rejects.toMatchObject({ code: 'LABELS_INVALID', line: expect.stringMatching(line) });
    await expect(failing).rejects.toMatchObject({ message: expect.stringMatching(/which is not read$/) });
  });

  it.each([
    ['a.qpdata', /QuPath’s own data.*Export as GeoJSON/],
    ['a.svs.graphics.2025-02-10.dcm', /DICOM.*Sectra’s presentation states/],
    ['a.ndpa', /NDP\.view/],
    ['a.annotations', /HALO/],
    ['a.MLD', /Visiopharm/],
    ['a.docx', /neither a mask nor annotations by its name/],
  ])('%s: by its ending', async (name, line) => {
    await expect(labelsAt(join(folder, name))).rejects.toMatchObject({
      code: 'LABELS_INVALID',
      line: expect.stringMatching(line),
    });
  });

  it('a text that is none of them is called what it is not', async () => {
    const path = join(folder, 'b.txt');
    await writeFile(path, 'stroma 3');
    await expect(labelsAt(path)).rejects.toMatchObject({ message: `${path}: it is neither JSON nor XML` });
  });
});
