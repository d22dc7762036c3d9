import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { StromaflowError } from '#src/errors.js';
import { type LabelledImage, patientOf } from '#src/evaluate/labelled-item.js';
import { openLabelledSet } from '#src/evaluate/labelled-set.js';
import { LABEL_MEANINGS } from '#src/evaluate/labels.js';
import { openItem, openLabels } from '#src/evaluate/open-item.js';
import { readPatchLabels } from '#src/evaluate/patch-labels.js';
import { isTigerQuestion } from '#src/evaluate/summarise.js';
import { planPatches } from '#src/read/plan.js';
import { openSlide } from '#src/slide/open.js';

const root = fileURLToPath(new URL('../fixtures/tiger', import.meta.url));

async function walk(folder: string, options = {}) {
  const faults: StromaflowError[] = [];
  const set = await openLabelledSet(join(root, folder), { ...options, onFault: fault => faults.push(fault) });
  const items: LabelledImage[] = [];
  for await (const item of set) items.push(item);
  return { set, items, faults: faults.map(fault => fault.message) };
}

async function valuesOf(item: LabelledImage, set: Awaited<ReturnType<typeof walk>>['set']) {
  const slide = await openItem(item, { spacing: 0.5, openSlide });
  const plan = planPatches(slide.info);
  const source = await openLabels(item, slide.info, set.map);
  const labels = await readPatchLabels(source, plan, { col: 0, row: 0 }, set.map);
  await source.close();
  return { slide, plan, labels };
}

describe('TIGER’s layout', () => {
  it.each(['', 'wsirois', 'wsirois/roi-level-annotations'])(
    'finds the regions of both subsets from %j',
    async folder => {
      const { set, items, faults } = await walk(folder);
      expect(faults).toEqual([]);
      expect(set.layout).toBe('tiger');
      expect(isTigerQuestion(set.map)).toBe(true);
      expect(items.map(item => [item.subset, item.patient, item.mpp, `${item.width}x${item.height}`])).toEqual([
        ['tissue-bcss', 'TCGA-ZZ-0001', 0.5, '160x120'],
        ['tissue-bcss', 'TCGA-ZZ-0002', 0.5, '130x100'],
        ['tissue-cells', '900', 0.5, '100x100'],
        ['tissue-cells', 'TCGA-ZZ-0001', 0.5, '100x90'],
        ['tissue-cells', 'TC_S01_P000900', 0.5, '90x100'],
      ]);
      expect(new Set(items.map(item => item.id)).size).toBe(5);
      for (const { id } of items) expect(id).toMatch(/^[A-Za-z0-9_-]+$/);
    },
  );

  it('takes one subset alone', async () => {
    const { items, set } = await walk('wsirois/roi-level-annotations/tissue-cells');
    expect(items).toHaveLength(3);
    expect(isTigerQuestion(set.map)).toBe(true);
  });

  it('reads every class of a region, and 0 as ignored', async () => {
    const { items, set } = await walk('');
    const { labels } = await valuesOf(items[0]!, set);
    const inside = new Set<number>();
    for (let y = 0; y < labels.height; y++)
      for (let x = 0; x < labels.width; x++) inside.add(labels.values[y * labels.side + x]!);
    expect([...inside].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(labels.labelledPixels).toBe((160 * 120 * 7) / 8);
    expect(labels.positivePixels).toBe((160 * 120 * 2) / 8);
  });

  it('opens whole slides with mask TIFFs, and with XML where there is no mask', async () => {
    const { items, set, faults } = await walk('wsirois/wsi-level-annotations');
    expect(faults).toEqual([]);
    expect(items.map(item => [item.id, item.patient, item.kind, item.labels.kind, item.subset])).toEqual([
      ['901S', '901', 'slide', 'mask-tiff', 'tissue-bcss'],
      ['902S', '902', 'slide', 'annotations', 'tissue-cells'],
    ]);
    const [mask, xml] = await Promise.all(items.map(item => valuesOf(item, set)));
    expect(mask!.slide.info.mpp).toBeCloseTo(0.5, 6);
    // Both hold the same rectangles: drawn by hand into the mask, by our rasteriser from the XML.
    expect(Buffer.from(mask!.labels.values).equals(Buffer.from(xml!.labels.values))).toBe(true);
    expect(mask!.labels.positivePixels).toBe(80 * 192);
    expect(mask!.labels.labelledPixels).toBe(96 * 192 + 80 * 192 + 80 * 96);
  });

  it('takes tumour bulk with its own question', async () => {
    const { items, set } = await walk('wsibulk');
    expect(items.map(item => [item.id, item.labels.kind])).toEqual([['903B', 'mask-tiff']]);
    const { labels } = await valuesOf(items[0]!, set);
    expect([labels.positivePixels, labels.labelledPixels]).toEqual([192 * 128, 320 * 256]);
  });

  it('lets the command line ask another question of the same classes', async () => {
    const { set } = await walk('', { positive: 'invasive tumor' });
    expect([0, 1, 2, 6].map(value => LABEL_MEANINGS[set.map.meanings[value]!])).toEqual([
      'ignored',
      'positive',
      'negative',
      'negative',
    ]);
    expect(isTigerQuestion(set.map)).toBe(false);
  });
});

describe('one slide with its labels', () => {
  it('is a set of its own', async () => {
    const folder = join(root, 'wsirois/wsi-level-annotations');
    const labels = join(folder, 'annotations-tissue-bcss-xmls/901S.xml');
    const set = await openLabelledSet(join(folder, 'images/901S.tif'), {
      labels,
      positive: 'tumor-associated stroma, inflamed stroma',
    });
    const items: LabelledImage[] = [];
    for await (const item of set) items.push(item);
    expect(items.map(item => [item.id, item.kind, basename(item.maskPath)])).toEqual([['901S', 'slide', '901S.xml']]);
    const { labels: truth } = await valuesOf(items[0]!, set);
    // The rest of the region of interest is other tissue now: nothing but the two names was declared.
    expect([truth.positivePixels, truth.labelledPixels]).toEqual([80 * 192, 256 * 192]);
    await expect(openLabelledSet(join(folder, 'images/901S.tif'), { labels: `${labels}.txt` })).rejects.toMatchObject({
      code: 'FILE_NOT_FOUND',
    });
  });
});

describe('patientOf', () => {
  it.each([
    ['TCGA-A2-A0CM-01Z-00-DX1.uuid_[1, 2, 3, 4]', 'TCGA-A2-A0CM'],
    ['100B_[10779, 11621, 12102, 12874]', '100'],
    ['104S', '104'],
    ['TC_S01_P000115_C0001_B105_[21731, 71869, 22834, 72898]', 'TC_S01_P000115'],
    ['case 7_[1, 2, 3, 4]', 'case 7'],
    ['case 7', 'case 7'],
  ])('%s → %s', (name, patient) => expect(patientOf(name)).toBe(patient));

  it('takes what a pattern captures', () => {
    expect(patientOf('H21-0345_b3', /^(H\d+-\d+)/)).toBe('H21-0345');
    expect(patientOf('other', /^(H\d+-\d+)/)).toBe('other');
  });
});
