import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CheckOptions, checkLabels, describeLabelReport } from '#src/evaluate/check.js';
import { checkGroups } from '#src/evaluate/check-groups.js';
import type { CheckedImage } from '#src/evaluate/checked-image.js';
import type { LabelledImage } from '#src/evaluate/labelled-item.js';
import type { LabelledSet } from '#src/evaluate/labelled-set.js';
import type { Split } from '#src/evaluate/split.js';
import { openSlide } from '#src/slide/open.js';
import { scratch, writeMask } from './set-builder.js';

const NO_SET = { found: { ambiguous: [] } } as unknown as LabelledSet;

function image(name: string, more: Partial<LabelledImage> = {}, hash = name): CheckedImage {
  const item = { id: name, patient: name, subset: 's', kind: 'image', imagePath: `/set/${name}.png`, ...more };
  return { item: item as LabelledImage, hash };
}
const groups = (images: readonly CheckedImage[], split?: Split) =>
  checkGroups(images, NO_SET, split).map(({ severity, kind, message }) => [severity, kind, message]);

describe('regions of one slide', () => {
  const region = (left: number, top: number, right: number, bottom: number, subset = 's', slide = 'a') => ({
    ...image(`${slide}_[${left}, ${top}, ${right}, ${bottom}]`, { subset }),
    hash: undefined,
  });
  const first = region(100, 100, 200, 200);

  it.each([
    ['beside it', region(200, 100, 300, 200)],
    ['below it', region(100, 200, 200, 300)],
    ['at its corner', region(200, 200, 300, 300)],
    ['of another slide', region(100, 100, 200, 200, 's', 'b')],
    ['of another subset', region(100, 100, 200, 200, 'other')],
  ])('do not overlap when one is %s', (_, other) => {
    expect(groups([first, other])).toEqual([]);
    expect(groups([other, first])).toEqual([]);
  });

  it.each([
    ['by a pixel to the right', region(199, 199, 300, 300)],
    ['by a pixel to the left', region(0, 0, 101, 101)],
    ['inside it', region(140, 140, 160, 160)],
    ['around it', region(0, 0, 900, 900)],
    ['across it', region(150, 0, 160, 900)],
  ])('overlap %s: said once, naming both', (_, other) => {
    const message = `${other.item.imagePath}: its region overlaps that of ${first.item.imagePath}`;
    expect(groups([first, other])).toEqual([['warning', 'overlap', message]]);
  });
});

describe('the same picture twice', () => {
  const same = (name: string, subset: string) => image(name, { subset }, 'twin');

  it('is a warning, and a fault when the two stand on two sides', () => {
    expect(groups([same('a', 's'), same('b', 's')])).toEqual([
      ['warning', 'duplicate', '/set/b.png: the same picture as /set/a.png'],
    ]);
    expect(groups([same('a', 'train'), same('b', 'train')])[0]!.slice(0, 2)).toEqual(['warning', 'duplicate']);
    expect(groups([same('a', 'train'), same('b', 'test')])).toEqual([
      ['fault', 'duplicate-leak', '/set/b.png: the same picture as /set/a.png, and they are in train and test'],
    ]);
  });

  it('is not told of slides, which are not decoded whole', () => {
    const slide = (name: string): CheckedImage => ({ ...image(name), hash: undefined });
    expect(groups([slide('a'), slide('b')])).toEqual([]);
  });
});

describe('a split file of another set', () => {
  const split = (images: Split['images'], by: Split['by'] = 'patient'): Split => ({
    ...{ version: 1, by, seed: 1, fractions: { train: 0.8, validation: 0.1, test: 0.1 }, spacing: 0.5, patchSize: 512 },
    images,
  });

  it('is told by images it does not have, images it has alone, and patients that have moved', () => {
    const file = split({
      a: { patient: 'a', split: 'train' },
      b: { patient: 'x', split: 'test' },
      z: { patient: 'z', split: 'test' },
    });
    expect(groups([image('a'), image('b'), image('c')], file)).toEqual([
      ['warning', 'split-mismatch', 'the split file names z, which is not in the set'],
      ['warning', 'split-mismatch', '/set/c.png: it is not in the split file, and counts as test'],
      ['warning', 'split-mismatch', '/set/b.png: patient b here, x in the split file'],
    ]);
  });

  it('by patch says once how many patients are on several sides', () => {
    const letters = (patient: string, patches: string) => ({ patient, cols: 2, patches });
    const file = split(
      { a: letters('a', 'ttt'), b: letters('b', 'tv'), c: letters('c', 'e'), d: letters('c', 't') },
      'patch',
    );
    const images = [image('a'), image('b'), image('c'), image('d', { patient: 'c' })];
    expect(groups(images, file)).toEqual([
      [
        'warning',
        'patient-leak',
        'the split is by patch: 2 of 3 patients are on several sides, so its score is optimistic',
      ],
    ]);
  });
});

describe('checkLabels', () => {
  let folder: string;
  let remove: () => Promise<void>;
  beforeEach(async () => {
    ({ path: folder, remove } = await scratch());
  });
  afterEach(() => remove());

  const check = (options: Partial<CheckOptions> = {}) =>
    checkLabels(folder, { positive: '1', mpp: 0.5, openSlide, ...options });

  /** A plain picture of its own colour, with a mask. */
  async function pair(index: number, value: (x: number) => number, density?: number): Promise<void> {
    const path = join(folder, 'images', `${index}.png`);
    await mkdir(dirname(path), { recursive: true });
    const plain = sharp({ create: { width: 8, height: 8, channels: 3, background: { r: index, g: 99, b: 3 } } });
    await (density === undefined ? plain : plain.withMetadata({ density })).png().toFile(path);
    await writeMask(join(folder, 'masks', `${index}.png`), 8, 8, value);
  }

  it('calls a value of one image rare from ten images on, unless it is declared', async () => {
    for (let i = 0; i < 9; i++) await pair(i, x => (i === 4 && x === 0 ? 17 : 1));
    expect((await check()).findings).toEqual([]);
    await pair(9, () => 1);
    expect((await check()).findings).toEqual([
      {
        severity: 'warning',
        kind: 'rare-value',
        message: expect.stringContaining('masks/4.png: label value 17 occurs in no other image'),
      },
    ]);
    expect((await check({ positive: '1,17' })).findings).toEqual([]);
    await pair(8, x => (x === 0 ? 17 : 1));
    expect((await check()).findings).toEqual([]);
  });

  it('takes another spacing in the file for a contradiction beyond the tolerance only', async () => {
    // 25,400 ÷ µm per pixel dots an inch.
    for (const [i, mpp] of [0.5, 0.53, 0.54].entries()) await pair(i, () => 1, 25_400 / mpp);
    const { findings } = await check();
    expect(findings.map(({ kind, message }) => [kind, message.slice(folder.length + 1)])).toEqual([
      ['spacing', 'images/2.png: its own tag says 0.540 µm/px, the set 0.500'],
    ]);
  });

  it('names a JPEG as a mask, whose numbers are not those that were drawn', async () => {
    await pair(1, () => 1);
    const mask = sharp({ create: { width: 8, height: 8, channels: 3, background: '#010101' } });
    await writeFile(join(folder, 'masks/1.jpg'), await mask.jpeg().toBuffer());
    expect((await check()).findings.map(finding => finding.kind)).toEqual(['lossy-mask', 'ambiguous-name']);
    await rm(join(folder, 'masks/1.png'));
    expect((await check()).findings.map(finding => finding.kind)).toEqual(['lossy-mask']);
  });

  it('prints shares of all pixels, a declared class that never occurs among them, and counts at the end', async () => {
    await pair(1, x => (x < 2 ? 1 : 0));
    await writeMask(join(folder, 'masks', 'orphan.png'), 8, 8, () => 0);
    const lines = describeLabelReport(await check({ positive: '1,5', ignore: '0' }));
    expect(lines[0]).toBe(`${folder}: 1 images of 1 patients (folder)`);
    expect(lines).toContain('    1  positive   25.00 % of pixels  in 1 images  label 1');
    expect(lines).toContain('    0  ignored    75.00 % of pixels  in 1 images  label 0');
    expect(lines).toContain('    5  positive    0.00 % of pixels  in 0 images  label 5');
    expect(lines.slice(-3)).toEqual([
      `fault   ${join(folder, 'masks/orphan.png')}: it has no image`,
      'warning positive class 5 (label 5) occurs in no image',
      '1 faults, 1 warnings',
    ]);
  });
});
