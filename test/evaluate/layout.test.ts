import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readLabelsFile } from '#src/evaluate/labels-file.js';
import { findLayout, pairOf, truthOf } from '#src/evaluate/layout.js';
import { labelLocation } from '#src/evaluate/layout-folder.js';
import { regionOf, withoutRegion } from '#src/evaluate/region.js';
import { TIGER } from './replayed-fixture.js';
import { scratch, writeImage, writeMask } from './set-builder.js';

let folder: string;
let remove: () => Promise<void>;
beforeEach(async () => {
  ({ path: folder, remove } = await scratch());
});
afterEach(() => remove());

const slide = join(TIGER, 'wsirois/wsi-level-annotations/images/901S.tif');
const mask = join(TIGER, 'wsirois/wsi-level-annotations/annotations-tissue-bcss-masks/901S.tif');

describe('findLayout', () => {
  it.each(['masks', 'labels', 'annotations'])('pairs images/ with %s/', async truths => {
    await writeImage(join(folder, 'images/a.png'), 8, 8);
    await writeMask(join(folder, truths, 'a.png'), 8, 8, () => 1);
    await writeFile(join(folder, 'images/.hidden.png'), '');
    await writeFile(join(folder, 'images/notes.txt'), '');
    const { name, candidates, orphans } = await findLayout(folder, 0.5);
    expect([name, candidates.map(item => [item.name, item.kind, item.labels?.kind]), orphans]).toEqual([
      'folder',
      [['a', 'image', 'mask-image']],
      [],
    ]);
  });

  it('keeps train, val and test folders apart by name', async () => {
    for (const part of ['train', 'val', 'test']) {
      await writeImage(join(folder, part, 'images/a.png'), 8, 8);
      await writeMask(join(folder, part, 'masks/a.png'), 8, 8, () => 1);
    }
    const { candidates } = await findLayout(folder, 0.5);
    expect(candidates.map(item => item.subset)).toEqual(['train', 'val', 'test']);
  });

  it('finds slides with their truth beside them', async () => {
    for (const name of ['a', 'b', 'c']) await copyFile(slide, join(folder, `${name}.tif`));
    await copyFile(mask, join(folder, 'a_mask.tif'));
    await writeFile(join(folder, 'b.geojson'), '{}');
    const { name, candidates } = await findLayout(folder);
    expect([name, candidates.map(item => [item.name, item.kind, item.labels?.kind])]).toEqual([
      'slides',
      [
        ['a', 'slide', 'mask-tiff'],
        ['b', 'slide', 'annotations'],
        ['c', 'slide', undefined],
      ],
    ]);
  });

  it('finds slides in images/ with annotations of another kind', async () => {
    await mkdir(join(folder, 'images'));
    await copyFile(slide, join(folder, 'images/a.tif'));
    await mkdir(join(folder, 'annotations'));
    await writeFile(join(folder, 'annotations/a.xml'), '');
    const { candidates } = await findLayout(folder);
    expect(candidates.map(item => [item.kind, item.labels?.kind])).toEqual([['slide', 'annotations']]);
  });

  it('takes a TIFF beside a mask picture for a picture', async () => {
    await mkdir(join(folder, 'images'));
    await copyFile(slide, join(folder, 'images/a.tif'));
    await writeMask(join(folder, 'masks/a.png'), 8, 8, () => 1);
    expect((await findLayout(folder, 0.5)).candidates[0]).toMatchObject({ kind: 'image', mpp: 0.5 });
  });

  it('finds nothing in a folder of slides alone, or of nothing', async () => {
    await expect(findLayout(folder)).rejects.toMatchObject({ code: 'LABELS_INVALID' });
    await copyFile(slide, join(folder, 'a.tif'));
    await expect(findLayout(folder)).rejects.toMatchObject({ code: 'LABELS_INVALID' });
  });
});

describe('pairOf', () => {
  it('takes any slide and truth, whatever their names', async () => {
    const { candidates } = await pairOf(slide, mask);
    expect(candidates).toEqual([
      { name: '901S', subset: 'slide', kind: 'slide', imagePath: slide, labels: { kind: 'mask-tiff', path: mask } },
    ]);
    await writeFile(join(folder, 'a.txt'), '');
    await expect(pairOf(slide, join(folder, 'a.txt'))).rejects.toMatchObject({ code: 'LABELS_INVALID' });
    await expect(pairOf(join(folder, 'b.svs'), mask)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
  });

  it('takes a folder of tiles, by itself or by what describes it', async () => {
    const tiles = join(folder, 'scan 7');
    await mkdir(tiles);
    const manifest = { width: 9, height: 9, tileWidth: 9, tileHeight: 9, pattern: '{col}_{row}.png' };
    await writeFile(join(tiles, 'manifest.json'), JSON.stringify(manifest));
    for (const imagePath of [tiles, join(tiles, 'manifest.json')]) {
      const { candidates } = await pairOf(imagePath, mask);
      expect(candidates).toMatchObject([{ name: expect.stringMatching(/^scan_7-/), kind: 'slide', imagePath }]);
    }
  });
});

describe('labelLocation', () => {
  it.each([
    ['a.XML', 'annotations'],
    ['a.geojson', 'annotations'],
    ['a.json', 'annotations'],
    ['a.tiff', 'mask-tiff'],
    ['a.png', 'mask-image'],
    ['a.docx', undefined],
  ])('%s → %s', (path, kind) => expect(labelLocation(path)?.kind).toBe(kind));
});

describe('regionOf', () => {
  it('reads corners out of TIGER’s names', () => {
    expect(regionOf('100B_[10779, 11621, 12102, 12874].png')).toEqual([10779, 11621, 12102, 12874]);
    expect(regionOf('a_[1,2,3,4]')).toEqual([1, 2, 3, 4]);
    expect(regionOf('a_1_2_3_4.png')).toBeUndefined();
    expect(withoutRegion('100B_[10779, 11621, 12102, 12874]')).toBe('100B');
    expect(withoutRegion('plain')).toBe('plain');
  });
});

describe('readLabelsFile', () => {
  const read = (text: string) => readLabelsFile('labels.json', async () => text);
  it('is undefined where there is none', async () => {
    expect(await readLabelsFile(join(folder, 'labels.json'), () => Promise.reject(new Error('none')))).toBeUndefined();
  });

  it('reads classes, meanings and colours', async () => {
    const classes = [{ value: 2, name: 'stroma', meaning: 'positive', colour: '#FF00AA' }];
    expect(await read(JSON.stringify({ mpp: 0.5, classes }))).toEqual({
      mpp: 0.5,
      classes: [{ value: 2, name: 'stroma', meaning: 'positive', colour: '#ff00aa' }],
    });
    expect(await read('{}')).toEqual({});
  });

  it.each([
    ['{', /no JSON/],
    ['[]', /no object/],
    ['{"mpp":0}', /mpp/],
    ['{"classes":3}', /no list/],
    ['{"classes":[1]}', /classes\[0\] is no object/],
    ['{"classes":[{"value":300,"name":"x","meaning":"positive"}]}', /0–255/],
    ['{"classes":[{"value":3,"meaning":"positive"}]}', /name is missing/],
    ['{"classes":[{"value":3,"name":"x","meaning":"unknown"}]}', /meaning/],
    ['{"classes":[{"value":3,"name":"x","meaning":"positive","colour":"red"}]}', /#rrggbb/],
  ])('refuses %s', async (text, message) => {
    await expect(read(text)).rejects.toMatchObject({ code: 'LABELS_INVALID', message: expect.stringMatching(message) });
  });
});

describe('truthOf', () => {
  it('finds a truth beside a slide, never the slide itself, nor another slide’s', async () => {
    const path = join(folder, 'a.tif');
    for (const name of ['a.tif', 'ab.xml', 'b.geojson']) await writeFile(join(folder, name), '');
    expect(await truthOf(path)).toBeUndefined();
    expect(await truthOf(path, folder)).toBeUndefined();
    await writeFile(join(folder, 'A_mask.tif'), '');
    expect(await truthOf(path)).toBe(join(folder, 'A_mask.tif'));
  });

  it('in another folder takes a mask of the slide’s own name; a file only when it has that name', async () => {
    expect(await truthOf(slide)).toBeUndefined();
    expect(await truthOf(slide, join(mask, '..'))).toBe(mask);
    expect(await truthOf(slide, mask)).toBe(mask);
    expect(await truthOf(slide.replace('901S', '902S'), mask)).toBeUndefined();
    expect(await truthOf(slide, join(folder, 'absent'))).toBeUndefined();
  });
});
