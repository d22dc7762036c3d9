import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StromaflowError } from '#src/errors.js';
import type { LabelledImage } from '#src/evaluate/labelled-item.js';
import { type LabelledSetOptions, openLabelledSet } from '#src/evaluate/labelled-set.js';
import { scratch, writeImage, writeMask } from './set-builder.js';

let folder: string;
let remove: () => Promise<void>;
beforeEach(async () => {
  ({ path: folder, remove } = await scratch());
});
afterEach(() => remove());

async function pair(name: string, size = 24, value: (x: number, y: number) => number = x => x % 3): Promise<void> {
  await writeImage(join(folder, 'images', `${name}.png`), size, size);
  await writeMask(join(folder, 'masks', `${name}.png`), size, size, value);
}

async function walk(options: LabelledSetOptions) {
  const faults: StromaflowError[] = [];
  const items: LabelledImage[] = [];
  const set = await openLabelledSet(folder, { ...options, onFault: fault => faults.push(fault) });
  for await (const item of set) items.push(item);
  return { set, items, faults, lines: faults.map(fault => fault.line) };
}

describe('openLabelledSet on images/ and masks/', () => {
  it('pairs by name and gives size, spacing and patient', async () => {
    await pair('TCGA-A2-A0CM-01Z-00-DX1.uuid_[1, 2, 25, 26]');
    await pair('b');
    const { items, faults, set } = await walk({ positive: '1', mpp: 0.5 });
    expect(faults).toEqual([]);
    expect(set.layout).toBe('folder');
    expect(items.map(item => [item.id, item.patient, item.mpp, item.width, item.kind])).toEqual([
      ['TCGA-A2-A0CM-01Z-00-DX1_uuid_1_2_25_26', 'TCGA-A2-A0CM', 0.5, 24, 'image'],
      ['b', 'b', 0.5, 24, 'image'],
    ]);
  });

  it('names a missing mask, another size, an unknown value, an unreadable image and mask in one line each, and goes on', async () => {
    for (const name of ['a-good', 'c-value', 'd-cut', 'e-text', 'f-mask', 'z-good']) await pair(name);
    await writeImage(join(folder, 'images', 'a-lonely.png'), 8, 8);
    await writeImage(join(folder, 'images', 'b-size.png'), 8, 8);
    await writeMask(join(folder, 'masks', 'b-size.png'), 9, 8, () => 0);
    await writeMask(join(folder, 'masks', 'c-value.png'), 24, 24, x => (x === 5 ? 77 : 0));
    await truncate(join(folder, 'images', 'd-cut.png'), 100);
    await writeFile(join(folder, 'images', 'e-text.png'), 'this is no picture');
    await truncate(join(folder, 'masks', 'f-mask.png'), 90);
    await writeMask(join(folder, 'masks', 'g-orphan.png'), 8, 8, () => 0);
    const { items, faults, lines } = await walk({ positive: '1', mpp: 0.5 });
    expect(items.map(item => item.id)).toEqual(['a-good', 'z-good']);
    expect(new Set(faults.map(fault => fault.code))).toEqual(new Set(['LABELS_INVALID']));
    const expected = [
      /g-orphan\.png: it has no image/,
      /a-lonely\.png: it has no mask/,
      /b-size\.png: it has 9 × 8 pixels of an unknown spacing, its image 8 × 8 of 0\.5 µm \[LABELS_INVALID\]/,
      /c-value\.png: label value 77 is not declared/,
      /d-cut\.png: it is cut off/,
      /e-text\.png: .*unsupported/i,
      /f-mask\.png: the mask cannot be read: it is truncated/,
    ];
    expect(lines).toHaveLength(expected.length);
    for (const [i, pattern] of expected.entries()) expect(lines[i]).toMatch(pattern);
    for (const line of lines) expect(line).not.toContain('\n');
  });

  it('stops at the first fault when strict', async () => {
    await pair('good');
    await writeImage(join(folder, 'images', 'a.png'), 8, 8);
    await expect(walk({ positive: '1', mpp: 0.5, strict: true })).rejects.toMatchObject({ code: 'LABELS_INVALID' });
  });

  it('asks for the spacing when nothing states it', async () => {
    await pair('a');
    const { items, faults } = await walk({ positive: '1' });
    expect(items).toEqual([]);
    expect(faults[0]).toMatchObject({ code: 'SLIDE_NO_MPP' });
  });

  it('takes classes and spacing from labels.json', async () => {
    await pair('a');
    const classes = [
      { value: 0, name: 'tumour', meaning: 'negative' },
      { value: 1, name: 'stroma', meaning: 'positive' },
      { value: 2, name: 'void', meaning: 'ignored' },
    ];
    await writeFile(join(folder, 'labels.json'), JSON.stringify({ mpp: 1, classes }));
    const { items, set } = await walk({});
    expect(items[0]!.mpp).toBe(1);
    expect(set.map.classes.map(item => item.meaning)).toEqual(['negative', 'positive', 'ignored']);
    await writeFile(
      join(folder, 'labels.json'),
      JSON.stringify({ classes: [{ value: 1, name: 'x', meaning: 'maybe' }] }),
    );
    await expect(openLabelledSet(folder)).rejects.toMatchObject({ code: 'LABELS_INVALID' });
  });

  it('reads RGB masks by a colour table and refuses a colour that is in none', async () => {
    await writeImage(join(folder, 'images', 'a.png'), 4, 4);
    const colours = Buffer.from(Array.from({ length: 16 }, (_, i) => (i % 2 ? [255, 0, 0] : [0, 0, 255])).flat());
    await writeMask(join(folder, 'masks', 'a.png'), 4, 4, () => 0);
    await sharp(colours, { raw: { width: 4, height: 4, channels: 3 } })
      .png()
      .toFile(join(folder, 'masks', 'a.png'));
    const table = { positive: '1', mpp: 0.5, colours: '#ff0000=1,#0000ff=0' };
    expect((await walk(table)).items).toHaveLength(1);
    expect((await walk({ ...table, colours: '#ff0000=1' })).lines[0]).toMatch(/colour #0000ff is in no colour table/);
  });

  it('refuses a folder without labelled images', async () => {
    await expect(openLabelledSet(folder, { positive: '1' })).rejects.toMatchObject({ code: 'LABELS_INVALID' });
    await expect(openLabelledSet(join(folder, 'none'))).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
  });
});
