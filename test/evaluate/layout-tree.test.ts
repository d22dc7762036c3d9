import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findLayout, pairOf, truthOf } from '#src/evaluate/layout.js';
import { filesByName, filesByStem, pairFolders } from '#src/evaluate/layout-folder.js';
import { findTiger, TIGER_MPP } from '#src/evaluate/layout-tiger.js';
import { scratch } from './set-builder.js';

let folder: string;
let remove: () => Promise<void>;
beforeEach(async () => {
  ({ path: folder, remove } = await scratch());
});
afterEach(() => remove());

/** Empty files: a layout is told by names alone. */
async function tree(...files: readonly string[]): Promise<void> {
  for (const file of files) {
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await writeFile(join(folder, file), '');
  }
}
const short = (path: string | undefined) => path?.slice(folder.length + 1);
async function found(inside = '') {
  const layout = await findLayout(join(folder, inside));
  return {
    name: layout.name,
    candidates: layout.candidates.map(({ name, subset, kind, labels }) => [name, subset, kind, short(labels?.path)]),
    orphans: layout.orphans.map(short),
    ambiguous: layout.ambiguous.map(short),
    classes: layout.classes?.map(item => item.name),
    mpp: layout.candidates[0]?.mpp,
  };
}

const ROI = 'wsirois/roi-level-annotations';
const WSI = 'wsirois/wsi-level-annotations';

describe('TIGER as published', () => {
  const regions = [`${ROI}/tissue-bcss/images/a.png`, `${ROI}/tissue-bcss/masks/a.png`];
  const slides = [`${WSI}/images/s.tif`, `${WSI}/annotations-tissue-cells-masks/s.tif`];
  const bulk = ['wsibulk/images/b.tif', 'wsibulk/annotations-tumor-bulk/masks/b.tif'];

  it('gives of a whole tree its regions, else its slides, else the tumour bulk: never one picture twice', async () => {
    await tree(...regions, ...slides, ...bulk);
    expect(await found()).toMatchObject({
      name: 'tiger',
      candidates: [['a', 'tissue-bcss', 'image', `${ROI}/tissue-bcss/masks/a.png`]],
      mpp: TIGER_MPP,
    });
    expect((await found(WSI)).candidates).toEqual([
      ['s', 'tissue-cells', 'slide', `${WSI}/annotations-tissue-cells-masks/s.tif`],
    ]);
    const { candidates, classes } = await found('wsibulk');
    expect(candidates).toEqual([['b', 'wsibulk', 'slide', 'wsibulk/annotations-tumor-bulk/masks/b.tif']]);
    expect(classes).toEqual(['outside the tumor bulk', 'tumor']);
  });

  it('names regions without a mask, masks without a region and names that stand twice, of both subsets', async () => {
    await tree(
      ...[`${ROI}/tissue-bcss/images/a.png`, `${ROI}/tissue-bcss/images/a.jpg`, `${ROI}/tissue-bcss/masks/a.png`],
      ...[`${ROI}/tissue-cells/images/b.png`, `${ROI}/tissue-cells/masks/c.png`],
    );
    expect(await found()).toMatchObject({
      candidates: [
        ['a', 'tissue-bcss', 'image', `${ROI}/tissue-bcss/masks/a.png`],
        ['b', 'tissue-cells', 'image', undefined],
      ],
      orphans: [`${ROI}/tissue-cells/masks/c.png`],
      ambiguous: [`${ROI}/tissue-bcss/images/a.png`],
    });
  });

  it('takes for a slide its mask before its XML, and its BCSS truth before its cells’', async () => {
    const at = (name: string, file: string) => `${WSI}/annotations-${name}/${file}`;
    await tree(
      ...['1', '2', '3', '4'].map(name => `${WSI}/images/${name}.tif`),
      ...[at('tissue-bcss-xmls', '1.xml'), at('tissue-bcss-masks', '1.tif'), at('tissue-cells-masks', '1.tif')],
      ...[at('tissue-cells-masks', '2.tif'), at('tissue-bcss-xmls', '2.xml'), at('tissue-cells-xmls', '3.xml')],
      at('tissue-cells-xmls', '5.xml'),
    );
    const { candidates, orphans } = await found(WSI);
    expect(candidates.sort()).toEqual([
      ['1', 'tissue-bcss', 'slide', at('tissue-bcss-masks', '1.tif')],
      ['2', 'tissue-bcss', 'slide', at('tissue-bcss-xmls', '2.xml')],
      ['3', 'tissue-cells', 'slide', at('tissue-cells-xmls', '3.xml')],
      ['4', 'wsi-level', 'slide', undefined],
    ]);
    expect(orphans).toEqual([at('tissue-cells-xmls', '5.xml')]);
  });

  it('takes tumour bulk’s XML where there is no mask, and names truths without a slide', async () => {
    const at = (file: string) => `annotations-tumor-bulk/${file}`;
    await tree('images/1.tif', 'images/2.tif', 'images/3.tif', at('masks/1.tif'), at('xmls/1.xml'), at('xmls/2.xml'));
    await tree(at('masks/9.tif'), at('xmls/8.xml'));
    const { candidates, orphans } = await found();
    expect(candidates).toEqual([
      ['1', 'wsibulk', 'slide', at('masks/1.tif')],
      ['2', 'wsibulk', 'slide', at('xmls/2.xml')],
      ['3', 'wsibulk', 'slide', undefined],
    ]);
    expect(orphans).toEqual([at('masks/9.tif'), at('xmls/8.xml')]);
  });

  it('is not what merely has folders of such names', async () => {
    await tree('annotations-tumor-bulk/masks/1.tif', 'roi-level-annotations/readme.txt');
    expect(await findTiger(folder)).toBeUndefined();
    await mkdir(join(folder, 'images'));
    expect(await findTiger(folder)).toBeUndefined();
    await mkdir(join(folder, 'tissue-bcss'));
    expect(await findTiger(join(folder, 'tissue-bcss'))).toBeUndefined();
  });

  it('has the spacing and the classes that labels.json or the command line states', async () => {
    await tree(...regions);
    const classes = [{ value: 3, name: 'mine', meaning: 'positive' }];
    await writeFile(join(folder, 'labels.json'), JSON.stringify({ mpp: 0.25, classes }));
    expect(await found()).toMatchObject({ mpp: 0.25, classes: ['mine'] });
    expect((await findLayout(folder, 1)).candidates[0]!.mpp).toBe(1);
  });
});

describe('pairs of folders', () => {
  it('take the first of masks/, labels/ and annotations/ that is there', async () => {
    await tree('images/a.png', 'annotations/a.xml', 'labels/a.png');
    expect((await found()).candidates).toEqual([['a', expect.any(String), 'image', 'labels/a.png']]);
  });

  it('pair by the name up to its last dot, leaving hidden files and folders alone', async () => {
    await tree('images/a.b.png', 'images/a.png', 'masks/a.b.png', 'masks/.a.png', 'masks/a/x.png', 'masks/notes.txt');
    const { candidates, orphans } = await pairFolders(join(folder, 'images'), join(folder, 'masks'), 's', 0.25);
    expect(candidates.map(({ name, labels, mpp }) => [name, short(labels?.path), mpp])).toEqual([
      ['a.b', 'masks/a.b.png', 0.25],
      ['a', undefined, 0.25],
    ]);
    expect(orphans).toEqual([]);
  });

  it('take a truth of an unknown kind for none', async () => {
    await tree('images/a.png', 'masks/a.npy');
    expect((await found()).candidates).toEqual([['a', expect.any(String), 'image', undefined]]);
  });

  it('list files by name, the first of a stem counting; what is absent or a file has none', async () => {
    await tree('b.png', 'a.tif', 'a.png', 'c/d.png');
    expect([...(await filesByName(folder)).keys()]).toEqual(['a.png', 'a.tif', 'b.png']);
    const { files, ambiguous } = await filesByStem(folder);
    expect([...files].map(([stem, path]) => [stem, short(path)])).toEqual([
      ['a', 'a.png'],
      ['b', 'b.png'],
    ]);
    expect(ambiguous.map(short)).toEqual(['a.tif']);
    for (const path of ['none', 'a.png']) expect((await filesByName(join(folder, path))).size).toBe(0);
  });
});

describe('slides with truth beside them', () => {
  it.each(['a_mask.tif', 'a_mask.tiff', 'a_mask.png', 'a_labels.tif', 'a.xml', 'a.geojson', 'a.json', 'A_MASK.TIF'])(
    'find %s',
    async truth => {
      await tree('a.svs', truth);
      const { candidates, name } = await found();
      expect([name, candidates]).toEqual(['slides', [['a', expect.any(String), 'slide', truth]]]);
      expect(short(await truthOf(join(folder, 'a.svs')))).toBe(truth);
    },
  );

  it('are not a mask, however it is named, nor a set without any truth', async () => {
    await tree('a_mask.tif', 'b_labels.tif', 'c.svs');
    await expect(found()).rejects.toMatchObject({
      code: 'LABELS_INVALID',
      message: `${folder}: no labelled images were found`,
      fix: expect.stringContaining('docs/evaluation.md'),
    });
  });
});

describe('pairOf', () => {
  it('names the file that is missing, the slide first', async () => {
    await tree('a.svs', 'a.xml');
    const [slide, truth, none] = ['a.svs', 'a.xml', 'none.xml'].map(name => join(folder, name)) as [
      string,
      string,
      string,
    ];
    await expect(pairOf(slide, none)).rejects.toMatchObject({ message: `${none}: no such file` });
    await expect(pairOf(none, none)).rejects.toMatchObject({
      code: 'FILE_NOT_FOUND',
      message: `${none}: no such file`,
    });
    await expect(pairOf(slide, folder)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
    expect((await pairOf(slide, truth, 0.3)).candidates[0]).toMatchObject({ name: 'a', kind: 'slide', mpp: 0.3 });
  });

  it('takes a picture for an image, a TIFF for a slide', async () => {
    await tree('a.png', 'b.tif', 'a.xml');
    for (const [name, kind] of [
      ['a.png', 'image'],
      ['b.tif', 'slide'],
    ] as const)
      expect((await pairOf(join(folder, name), join(folder, 'a.xml'))).candidates[0]).toMatchObject({ kind });
  });
});
