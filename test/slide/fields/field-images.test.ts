import { mkdirSync, rmSync } from 'node:fs';
import { basename } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { fieldName, fieldSize, findFieldNames } from '#src/slide/fields/field-images.js';
import { bitmap } from '../../support/field-scan.js';
import { failureOf, scratch } from '../fixture.js';

const files = scratch();
afterAll(() => files.remove());

describe('findFieldNames', () => {
  const folder = files.path('0');
  beforeEach(() => {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
  });
  const write = (...names: string[]) => names.forEach(name => void files.write(`0/${name}`, ''));

  it('waits until a second field tells that the first has all its images', () => {
    expect(findFieldNames(folder, 'A1', 0, false)).toBeUndefined();
    write('A1_0_0_BF_LED_matrix_full.bmp');
    expect(findFieldNames(folder, 'A1', 0, false)).toBeUndefined();
    const names = { digits: 1, channel: 'BF_LED_matrix_full', extension: 'bmp' };
    expect(findFieldNames(folder, 'A1', 0, true)).toEqual({ names, others: 0 });
    write('A1_1_0_BF_LED_matrix_full.bmp');
    expect(findFieldNames(folder, 'A1', 0, false)).toEqual({ names, others: 0 });
    expect(fieldName('A1', 12, 0, names)).toBe('A1_12_0_BF_LED_matrix_full.bmp');
  });

  it('keeps numbers padded, and regions apart whose names begin alike', () => {
    write('R_00000_00002_x_RGB.tiff', 'R_00001_00002_x_RGB.tiff', 'R_2_00000_00002_other.tiff');
    const { names } = findFieldNames(folder, 'R', 2, false)!;
    expect(fieldName('R', 31, 2, names)).toBe('R_00031_00002_x_RGB.tiff');
  });

  it('takes the RGB one of several, and passes over the focus camera', () => {
    write('A1_focus_camera.bmp', 'A1_0_0_laser af camera.bmp', 'A1_0_0_Fluorescence_488_nm_Ex.tiff', 'A1_1_0_x.tiff');
    write('A1_0_0_BF_LED_matrix_full_RGB.bmp', 'coordinates.csv');
    expect(findFieldNames(folder, 'A1', 0, false)).toMatchObject({ names: { channel: 'BF_LED_matrix_full_RGB' } });
  });

  it('refuses red, green and blue in images of their own', async () => {
    write(...['R', 'G', 'B'].flatMap(name => [0, 1].map(fov => `A1_${fov}_0_BF_LED_matrix_full_${name}.bmp`)));
    const failure = await failureOf(() => findFieldNames(folder, 'A1', 0, false));
    expect(failure.code).toBe('SLIDE_UNSUPPORTED');
    expect(failure.message).toContain('3 images a field');
    expect(failure.fix).toContain('RGB');
  });
});

describe('fieldSize', () => {
  const rgb = { create: { width: 30, height: 20, channels: 3 as const, background: '#abc' } };

  it.each(['png', 'jpeg', 'tiff', 'webp'] as const)('reads the head of a %s', async format => {
    const path = files.write(`a.${format}`, await sharp(rgb).toFormat(format).toBuffer());
    expect(await fieldSize(path)).toEqual({ width: 30, height: 20 });
  });

  it('reads the head of a bitmap', async () => {
    expect(await fieldSize(files.write('a.bmp', bitmap(Buffer.alloc(30 * 20 * 3), 30, 20)))).toEqual({
      width: 30,
      height: 20,
    });
  });

  const grey8 = bitmap(Buffer.alloc(30 * 20 * 3), 30, 20);
  grey8.writeUInt16LE(8, 28);
  it.each([
    ['grey', 'grey.png', () => sharp(rgb).toColourspace('b-w').png().toBuffer(), /grey/],
    [
      '16 bits',
      'deep.tiff',
      () => sharp(rgb).toColourspace('rgb16').tiff({ compression: 'none' }).toBuffer(),
      /has 16 bits a sample/,
    ],
    ['a palette', 'grey.bmp', async () => grey8, /8 bits a pixel/],
  ])('refuses %s', async (_, name, make, message) => {
    const failure = await failureOf(async () => fieldSize(files.write(name, await make())));
    expect(failure).toMatchObject({ code: 'SLIDE_UNSUPPORTED', fix: expect.stringContaining('RGB') });
    expect(failure.message).toMatch(message);
  });

  it.each(['x.png', 'x.bmp', 'x.tiff'])('has none of %s that is not whole', async name => {
    const failure = await failureOf(() => fieldSize(files.write(name, 'BM')));
    expect(failure.code).toBe('SLIDE_UNREADABLE');
    expect(failure.message).toContain(basename(name));
  });
});
