import { copyFile, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CheckOptions, checkLabels, describeLabelReport } from '#src/evaluate/check.js';
import type { FindingKind } from '#src/evaluate/finding.js';
import { makeSplit, type Split } from '#src/evaluate/split.js';
import { openSlide } from '#src/slide/open.js';
import { scratch, writeImage, writeMask } from './set-builder.js';

let folder: string;
let remove: () => Promise<void>;
beforeEach(async () => {
  ({ path: folder, remove } = await scratch());
});
afterEach(() => remove());

const check = (options: Partial<CheckOptions> = {}) =>
  checkLabels(folder, { positive: '1', mpp: 0.5, openSlide, ...options });

let shade = 0;
/** A pair whose picture no other has. */
async function pair(name: string, value: (x: number, y: number) => number = x => x % 3, inside = ''): Promise<void> {
  const path = join(folder, inside, 'images', `${name}.png`);
  await writeImage(path, 24, 24);
  shade += 1;
  const marked = await sharp(path).removeAlpha().linear(1, -shade).png().toBuffer();
  await writeFile(path, marked);
  await writeMask(join(folder, inside, 'masks', `${name}.png`), 24, 24, value);
}

function kinds(report: Awaited<ReturnType<typeof check>>, severity: 'fault' | 'warning'): FindingKind[] {
  return report.findings.filter(finding => finding.severity === severity).map(finding => finding.kind);
}

describe('checkLabels', () => {
  it('finds nothing in a clean set, and measures its balance', async () => {
    await pair('a');
    await pair('b');
    const report = await check();
    expect(report.findings).toEqual([]);
    expect(report).toMatchObject({ images: 2, patients: 2, layout: 'folder', spacings: [{ mpp: 0.5, images: 2 }] });
    expect(report.classes.map(item => [item.value, item.meaning, item.pixels, item.images])).toEqual([
      [0, 'negative', 384, 2],
      [1, 'positive', 384, 2],
      [2, 'negative', 384, 2],
    ]);
    expect(describeLabelReport(report).at(-1)).toBe('0 faults, 0 warnings');
  });

  it('finds every planted fault, each in one line that names it', async () => {
    for (let i = 0; i < 10; i++) await pair(`ok-${i}`);
    await writeImage(join(folder, 'images', 'lonely.png'), 9, 9);
    await writeMask(join(folder, 'masks', 'orphan.png'), 9, 9, () => 0);
    await pair('size');
    await writeMask(join(folder, 'masks', 'size.png'), 23, 24, () => 1);
    await pair('value', x => (x === 3 ? 200 : 1));
    await pair('cut-image');
    await truncate(join(folder, 'images', 'cut-image.png'), 120);
    await pair('cut-mask');
    await truncate(join(folder, 'masks', 'cut-mask.png'), 100);
    await pair('text');
    await writeFile(join(folder, 'images', 'text.png'), 'no picture');
    await pair('middle');
    await damageMiddle(join(folder, 'images', 'middle.png'));
    await pair('slide_[100, 100, 124, 125]');
    await pair('slide_[110, 110, 134, 134]');
    await pair('twin');
    await copyFile(join(folder, 'images', 'ok-0.png'), join(folder, 'images', 'twin.png'));
    await pair('rare', x => (x === 3 ? 17 : 1));
    await pair('tag');
    await sharp(join(folder, 'images', 'ok-1.png'))
      .linear(1, 5)
      .withMetadata({ density: 25_400 })
      .png()
      .toFile(join(folder, 'images', 'tag.png'));
    await copyFile(join(folder, 'images', 'ok-2.png'), join(folder, 'images', 'ok-2.webp'));
    const report = await check();
    const found = report.findings.map(({ severity, message }) => `${severity} ${message.replace(`${folder}/`, '')}`);
    for (const expected of [
      /^fault masks\/orphan\.png: it has no image$/,
      /^fault images\/lonely\.png: it has no mask$/,
      /^fault masks\/size\.png: it has 23 × 24 pixels of an unknown spacing, its image 24 × 24 of 0\.5 µm$/,
      /^fault masks\/value\.png: label value 200 is not declared$/,
      /^fault images\/cut-image\.png: it is cut off$/,
      /^fault masks\/cut-mask\.png: the mask cannot be read: it is truncated$/,
      /^fault images\/text\.png: /,
      /^fault images\/middle\.png: /,
      /^fault images\/slide_\[100, 100, 124, 125\]\.png: it has 24 × 24 pixels, its name says 24 × 25$/,
      /^warning images\/slide_\[110, 110, 134, 134\]\.png: its region overlaps/,
      /^warning images\/twin\.png: the same picture as .*ok-0\.png$/,
      /^warning masks\/rare\.png: label value 17 occurs in no other image/,
      /^warning images\/tag\.png: its own tag says 1\.000 µm\/px, the set 0\.500$/,
      /^warning images\/ok-2\.webp: another file has the same name/,
    ]) {
      expect(
        found.filter(line => expected.test(line)),
        String(expected),
      ).toHaveLength(1);
    }
    expect(found).toHaveLength(14);
    for (const line of found) expect(line).not.toContain('\n');
  });

  it('finds images without a label, and a class that never occurs', async () => {
    await pair('a', () => 0);
    const report = await check({ positive: '5', ignore: '0' });
    expect(kinds(report, 'warning')).toEqual(['unlabelled', 'absent-class']);
  });

  it('finds leaks between train, val and test folders', async () => {
    await pair('TCGA-A2-A0CM-x1', () => 1, 'train');
    await pair('TCGA-A2-A0CM-x2', () => 1, 'test');
    await pair('p2', () => 1, 'train');
    await pair('p3', () => 1, 'val');
    await copyFile(join(folder, 'train/images/p2.png'), join(folder, 'val/images/p3.png'));
    const report = await check();
    expect(report.images).toBe(4);
    expect(kinds(report, 'fault').sort()).toEqual(['duplicate-leak', 'patient-leak']);
    expect(report.findings.map(finding => finding.message).join('\n')).toMatch(
      /patient TCGA-A2-A0CM is in train and test/,
    );
  });

  it('finds leaks in a split file, says what a split by patch means, and sees that a file is another set’s', async () => {
    await pair('a-1');
    await pair('a-2');
    await pair('b-1');
    const patient = /^(\w)-/;
    const images: Split['images'] = {
      'a-1': { patient: 'a', split: 'train' },
      'a-2': { patient: 'a', split: 'test' },
      gone: { patient: 'c', split: 'test' },
    };
    const grid = { seed: 1, spacing: 0.5, patchSize: 512 };
    const leaking: Split = {
      version: 1,
      by: 'patient',
      ...grid,
      fractions: { train: 0.8, validation: 0.1, test: 0.1 },
      images,
    };
    const report = await check({ split: leaking, patient });
    expect(kinds(report, 'fault')).toEqual(['patient-leak']);
    expect(kinds(report, 'warning')).toEqual(['split-mismatch', 'split-mismatch']);
    const candidates = ['a-1', 'a-2', 'b-1'].map(id => ({ id, patient: id.slice(0, 1), cols: 3, rows: 3 }));
    const byPatch = await check({ split: makeSplit(candidates, { by: 'patch', ...grid }), patient });
    expect(byPatch.findings.map(finding => [finding.severity, finding.kind])).toEqual([['warning', 'patient-leak']]);
    const byPatient = await check({ split: makeSplit(candidates, { by: 'patient', ...grid }), patient });
    expect(byPatient.findings).toEqual([]);
  });

  it('reads TIGER’s slides too, estimating their balance', async () => {
    const tiger = fileURLToPath(new URL('../fixtures/tiger/wsirois/wsi-level-annotations', import.meta.url));
    const report = await checkLabels(tiger, { openSlide });
    expect(report.findings).toEqual([]);
    expect(report.classes.find(item => item.value === 2)).toMatchObject({ pixels: 2 * 80 * 96, images: 2 });
    expect(report.spacings).toHaveLength(1);
    expect(report.spacings[0]!.mpp).toBeCloseTo(0.5, 6);
  });
});

/** Zeroes bytes inside the compressed data; header and end stay as they are. */
async function damageMiddle(path: string): Promise<void> {
  const file = await readFile(path);
  const data = file.indexOf('IDAT') + 4;
  file.fill(0, data + 40, data + 120);
  await writeFile(path, file);
}
