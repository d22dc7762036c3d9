import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { TAG } from '#src/slide/dicom/tags.js';
import { openSlide } from '#src/slide/open.js';
import { openTileSource } from '#src/slide/open-source.js';
import { failureOf, scratch } from '../fixture.js';
import { cut, encodeJpeg, gradient, type Picture } from '../tiff-writer.js';
import { type InstanceOptions, writeInstance } from './instance-writer.js';

const files = scratch();
afterAll(() => files.remove());

/** Apache-2.0, from the tests of wsi-to-dicom-converter: 957 × 715 pixels in 12 JPEG frames. */
const REAL = fileURLToPath(new URL('../../fixtures/dicom/jpeg.dicom', import.meta.url));

const PICTURE = gradient(100, 70);
const TILE = [32, 24] as const;
const BASE: InstanceOptions = { picture: PICTURE, tile: TILE };
const jpeg = (tile: Picture) => encodeJpeg(tile, 95);
const SHUFFLED = Array.from({ length: 12 }, (_, i) => (i * 5) % 12).map(i => [i % 4, Math.floor(i / 4)] as const);

let count = 0;
/** A folder of its own with these instances; opened by the folder. */
function folderOf(...instances: readonly Buffer[]): string {
  const folder = files.path(`case-${++count}`);
  mkdirSync(folder);
  for (const [index, bytes] of instances.entries()) files.write(`case-${count}/${index}.dcm`, bytes);
  return folder;
}

async function pixels(path: string, level = 0): Promise<{ data: Buffer; missing: string[] }> {
  const { source } = await openSlide(path);
  const opened = await openTileSource(source);
  const { width, height, tileWidth, tileHeight } = opened.levels[level]!;
  const data = Buffer.alloc(width * height * 3);
  const missing: string[] = [];
  const tile = Buffer.alloc(tileWidth * tileHeight * 3);
  try {
    for (let row = 0; row * tileHeight < height; row++)
      for (let col = 0; col * tileWidth < width; col++) {
        if ((await opened.readTile(level, col, row, tile)) === 'missing') {
          missing.push(`${col},${row}`);
          continue;
        }
        for (let y = 0; y < Math.min(tileHeight, height - row * tileHeight); y++) {
          const from = y * tileWidth * 3;
          const length = Math.min(tileWidth, width - col * tileWidth) * 3;
          tile.copy(data, ((row * tileHeight + y) * width + col * tileWidth) * 3, from, from + length);
        }
      }
  } finally {
    opened.close();
  }
  return { data, missing };
}

const furthest = (a: Uint8Array, b: Uint8Array): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

describe('a real instance', () => {
  it('tells its size and spacing', async () => {
    const { info } = await openSlide(REAL);
    expect(info).toMatchObject({
      id: 'jpeg',
      format: 'DICOM whole slide',
      properties: { compression: 'JPEG', icc: 'absent' },
    });
    expect(info.levels).toMatchObject([{ width: 957, height: 715, downsample: 1, tileWidth: 256, tileHeight: 256 }]);
    expect(info.mpp).toBeCloseTo(16.783, 3);
  });

  it('decodes to what OpenSlide 4 shows, block by block', async () => {
    const golden = JSON.parse(readFileSync(new URL('../../golden/dicom/jpeg.json', import.meta.url), 'utf8'));
    expect(createHash('sha256').update(readFileSync(REAL)).digest('hex')).toBe(golden.sha256);
    const { data, missing } = await pixels(REAL);
    expect(missing).toEqual([]);
    const [cols, rows] = golden.blocks as [number, number];
    let off = 0;
    for (let block = 0; block < cols * rows; block++)
      for (let channel = 0; channel < 3; channel++) {
        let sum = 0;
        for (let i = 0; i < 256; i++) {
          const x = (block % cols) * 16 + (i % 16);
          const y = Math.floor(block / cols) * 16 + Math.floor(i / 16);
          sum += data[(y * 957 + x) * 3 + channel]!;
        }
        off = Math.max(off, Math.abs(sum / 256 - golden.means[block * 3 + channel]));
      }
    // The golden's means are rounded to a tenth.
    expect(off).toBeLessThan(0.06);
  });
});

describe('a frame of zeros', () => {
  const dark = { width: 100, height: 70, samples: 3, data: new Uint8Array(PICTURE.data) };
  dark.data.fill(0, 0, 100 * 24 * 3);

  it.each<[string, Partial<InstanceOptions>, number]>([
    ['is missing where nothing is coded', {}, 4],
    ['is missing where colours lie by plane', { planar: true }, 4],
    ['is black in frames that are deflated', { syntax: 'deflated-frames' }, 0],
    ['is black in a data set that is deflated', { syntax: 'deflated' }, 0],
  ])('%s', async (_, options, count) => {
    const { missing } = await pixels(folderOf(writeInstance({ ...BASE, picture: dark, ...options })));
    expect(missing).toEqual(['0,0', '1,0', '2,0', '3,0'].slice(0, count));
  });
});

describe('openSlide reads DICOM', () => {
  it.each<[string, Partial<InstanceOptions>]>([
    ['explicit VR', {}],
    ['implicit VR', { syntax: 'implicit' }],
    ['a deflated data set', { syntax: 'deflated' }],
    ['deflated frames', { syntax: 'deflated-frames' }],
    ['colour by plane', { planar: true }],
    ['deflated frames and no offset table', { syntax: 'deflated-frames', table: 'none' }],
    ['positions in the order of the scan', { organisation: 'TILED_SPARSE', places: SHUFFLED }],
    ['positions in implicit VR', { organisation: 'TILED_SPARSE', places: SHUFFLED, syntax: 'implicit' }],
    ['sequences of undefined length', { organisation: 'TILED_SPARSE', places: SHUFFLED, undefinedLengths: true }],
    ['no word about the order', { organisation: undefined }],
  ])('with %s, to the very pixels', async (_, options) => {
    const { data, missing } = await pixels(folderOf(writeInstance({ ...BASE, ...options })));
    expect(missing).toEqual([]);
    expect(data.equals(Buffer.from(PICTURE.data))).toBe(true);
  });

  it.each<[string, Partial<InstanceOptions>]>([
    ['a basic offset table', {}],
    ['an extended offset table', { table: 'extended' }],
    ['no offset table', { table: 'none' }],
    ['frames in several fragments', { fragments: 3 }],
    ['frames in several fragments and no table', { fragments: 3, table: 'none' }],
  ])('with JPEG frames and %s', async (_, options) => {
    const { data } = await pixels(folderOf(writeInstance({ ...BASE, syntax: 'jpeg', encode: jpeg, ...options })));
    expect(furthest(data, PICTURE.data)).toBeLessThan(24);
    const plain = await pixels(folderOf(writeInstance({ ...BASE, syntax: 'jpeg', encode: jpeg })));
    expect(data.equals(plain.data)).toBe(true);
  });

  it.each(['YBR_RCT', 'RGB'])('with lossless JPEG 2000 frames of %s, to the very pixels', async photometric => {
    const golden = JSON.parse(
      readFileSync(new URL('../../golden/dicom/jpeg2000-frames.json', import.meta.url), 'utf8'),
    );
    const frames = (golden[photometric] as string[]).map(text => Buffer.from(text, 'base64'));
    const picture = gradient(...(golden.size as [number, number]));
    const encode = () => frames.shift()!;
    const path = folderOf(writeInstance({ picture, tile: golden.tile, syntax: 'jpeg2000', photometric, encode }));
    expect((await openSlide(path)).info.properties['compression']).toBe('JPEG 2000');
    expect((await pixels(path)).data.equals(Buffer.from(picture.data))).toBe(true);
  });

  it('in grey', async () => {
    const picture = gradient(64, 48, 1);
    const { data } = await pixels(folderOf(writeInstance({ picture, tile: TILE })));
    expect([...data.subarray(0, 300)]).toEqual(
      [...picture.data.subarray(0, 100)].flatMap(value => [value, value, value]),
    );
  });

  it('with tiles that are not there as missing', async () => {
    const places = SHUFFLED.filter(([col, row]) => !(col === 2 && row === 1));
    const path = folderOf(writeInstance({ ...BASE, organisation: 'TILED_SPARSE', places }));
    expect((await pixels(path)).missing).toEqual(['2,1']);
  });

  it('of levels as instances of their own, whichever file is named', async () => {
    const half = cut(PICTURE, 0, 0, 50, 35);
    const folder = folderOf(
      writeInstance({ ...BASE, picture: half, number: 2, spacing: [0.001, 0.001] }),
      writeInstance({ ...BASE, number: 1 }),
      writeInstance({ ...BASE, number: 3, flavour: 'LABEL' }),
      writeInstance({ ...BASE, number: 4, flavour: 'OVERVIEW' }),
      Buffer.from('no DICOM at all'),
    );
    const { info } = await openSlide(folder);
    expect(info.levels).toMatchObject([
      { width: 100, height: 70, downsample: 1, mpp: 0.5 },
      { width: 50, height: 35, downsample: 2, mpp: 1 },
    ]);
    for (const name of ['0.dcm', '1.dcm'])
      expect((await openSlide(join(folder, name))).info.levels).toEqual(info.levels);
    expect((await pixels(folder, 1)).data.equals(Buffer.from(half.data))).toBe(true);
  });

  it('of a concatenation, and refuses it while a part is missing', async () => {
    const all = Array.from({ length: 12 }, (_, i) => [i % 4, Math.floor(i / 4)] as const);
    const part = (index: number) =>
      writeInstance({
        ...BASE,
        places: all.slice(index * 5, index * 5 + 5),
        concatenation: { part: index + 1, parts: 3, before: index * 5 },
      });
    const whole = folderOf(part(2), part(0), part(1));
    expect((await pixels(whole)).data.equals(Buffer.from(PICTURE.data))).toBe(true);
    expect((await failureOf(() => openSlide(folderOf(part(0), part(2))))).code).toBe('SLIDE_TRUNCATED');
  });

  it('takes the first focal plane', async () => {
    const places = [...SHUFFLED, ...SHUFFLED];
    const { data } = await pixels(folderOf(writeInstance({ ...BASE, organisation: 'TILED_SPARSE', places })));
    expect(data.equals(Buffer.from(PICTURE.data))).toBe(true);
  });

  it('beside files of other series, whole or damaged', async () => {
    const folder = folderOf(
      writeInstance(BASE),
      writeInstance({ ...BASE, series: '9.9' }),
      writeInstance({ ...BASE, series: '9.8' }).subarray(0, 400),
    );
    expect((await openSlide(join(folder, '0.dcm'))).info.levels).toHaveLength(1);
    expect((await failureOf(() => openSlide(folder))).code).toBe('SLIDE_TRUNCATED');
  });

  it('but not without a level of its series that is cut off', async () => {
    const half = writeInstance({ ...BASE, picture: cut(PICTURE, 0, 0, 50, 35), number: 2 });
    const folder = folderOf(writeInstance(BASE), half.subarray(0, half.length - 100));
    expect((await failureOf(() => openSlide(join(folder, '0.dcm')))).code).toBe('SLIDE_TRUNCATED');
  });

  it('and follows no link out of the folder', async () => {
    const folder = folderOf(writeInstance(BASE));
    const outside = files.write('outside.dcm', writeInstance({ ...BASE, picture: cut(PICTURE, 0, 0, 50, 35) }));
    symlinkSync(outside, join(folder, 'link.dcm'));
    expect((await openSlide(folder)).info.levels).toHaveLength(1);
  });
});

describe('openSlide refuses DICOM', () => {
  it.each<[string, Partial<InstanceOptions>, string]>([
    ['of another kind', { sopClass: '1.2.840.10008.5.1.4.1.1.2' }, 'SLIDE_UNREADABLE'],
    ['of a label alone', { flavour: 'LABEL' }, 'SLIDE_UNREADABLE'],
    ['in RLE', { transferSyntax: '1.2.840.10008.1.2.5' }, 'SLIDE_UNSUPPORTED'],
    ['without spacing', { spacing: [] }, 'SLIDE_NO_MPP'],
    ['with too few frames and no positions', { places: [[0, 0]], organisation: undefined }, 'SLIDE_UNREADABLE'],
    ['with 16-bit samples', { extra: [[TAG.bitsStored, 'US', 12]], photometric: 'PALETTE COLOR' }, 'SLIDE_UNSUPPORTED'],
    [
      'that claims a huge grid',
      {
        organisation: 'TILED_SPARSE',
        extra: [[0x00480008, 'UL', 1]],
        tile: [1, 1],
        picture: { ...PICTURE, width: 9_000_000 },
        places: [[0, 0]],
      },
      'SLIDE_UNREADABLE',
    ],
  ])('%s', async (_, options, code) => {
    expect((await failureOf(() => openSlide(folderOf(writeInstance({ ...BASE, ...options }))))).code).toBe(code);
  });

  it('of two slides in one folder', async () => {
    const folder = folderOf(writeInstance(BASE), writeInstance({ ...BASE, series: '9.9' }));
    const failure = await failureOf(() => openSlide(folder));
    expect([failure.code, failure.message]).toEqual(['SLIDE_UNREADABLE', expect.stringContaining('2 slides')]);
  });

  it('frames that lie on no grid', async () => {
    const bytes = writeInstance({ ...BASE, organisation: 'TILED_SPARSE' });
    const at = bytes.indexOf(Buffer.from('48001e02534c0400', 'hex'));
    bytes.writeInt32LE(5, at + 8);
    expect((await failureOf(() => openSlide(folderOf(bytes)))).code).toBe('SLIDE_UNSUPPORTED');
    bytes.writeInt32LE(-32, at + 8);
    expect((await failureOf(() => openSlide(folderOf(bytes)))).code).toBe('SLIDE_UNREADABLE');
  });
});

describe('what leaves the reader', () => {
  const SECRETS: InstanceOptions['extra'] = [
    [0x00100010, 'LO', 'Secret^Patient'],
    [0x00100020, 'LO', 'Secret-4711'],
    [0x00100030, 'DA', '19520229'],
    [0x00080080, 'LO', 'Secret Hospital'],
    [0x00080050, 'SH', 'Secret-Case'],
    [0x00400512, 'LO', 'Secret-Block'],
    [0x0008103e, 'LO', 'Secret series'],
    [TAG.manufacturerModelName, 'LO', 'Secret: free text, no scanner'],
  ];

  it('holds no patient attribute, UID or free text', async () => {
    const opened = await openSlide(folderOf(writeInstance({ ...BASE, series: '1.2.840.4711', extra: SECRETS })));
    const all = JSON.stringify(opened);
    expect(all).not.toMatch(/secret|4711|19520229/i);
    expect(opened.info.properties).toEqual({ compression: 'none', icc: 'absent' });
  });

  it('holds a scanner and an objective that look like one', async () => {
    const bytes = writeInstance({ ...BASE, extra: [[TAG.manufacturerModelName, 'LO', 'Aperio GT450']] });
    expect((await openSlide(folderOf(bytes))).info.properties).toMatchObject({ scanner: 'Aperio GT450' });
  });

  it('nor do errors tell them', async () => {
    const bytes = writeInstance({ ...BASE, extra: SECRETS, photometric: 'PALETTE COLOR' });
    const { message } = await failureOf(() => openSlide(folderOf(bytes)));
    expect(message).not.toMatch(/secret/i);
  });

  it('is another fingerprint when the slide is scanned anew', async () => {
    const folder = folderOf(writeInstance({ ...BASE, extra: [[TAG.sopInstanceUid, 'UI', '1.1']] }));
    const before = (await openSlide(folder)).info.fingerprint;
    expect((await openSlide(folder)).info.fingerprint).toBe(before);
    files.write(`case-${count}/0.dcm`, writeInstance({ ...BASE, extra: [[TAG.sopInstanceUid, 'UI', '1.2']] }));
    expect((await openSlide(folder)).info.fingerprint).not.toBe(before);
  });
});
