import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { openSlide } from '#src/slide/open.js';
import { followed, PATIENT } from '../../live/follow.js';
import { MANIFEST, tileOf, tileSetFolder } from '../../live/tile-set-folder.js';
import { failureOf } from '../fixture.js';

const raw = () => sharp(Buffer.alloc(192, 90), { raw: { width: 8, height: 8, channels: 3 } });
const KINDS = [
  ['png', '16 bits a sample', () => raw().toColourspace('rgb16').png().toBuffer()],
  ['tif', '16 bits a sample', () => raw().toColourspace('rgb16').tiff({ compression: 'none' }).toBuffer()],
  [
    'tif',
    'floating-point samples of 32 bits',
    () => raw().toColourspace('scrgb').tiff({ compression: 'none' }).toBuffer(),
  ],
  ['tif', 'signed samples of 8 bits', signed],
  ['jpg', '4 components (CMYK)', () => raw().toColourspace('cmyk').jpeg().toBuffer()],
] as const;

/** A baseline TIFF of 8 × 8 pixels whose SampleFormat says two’s complement. */
async function signed(): Promise<Buffer> {
  const entries = [
    [256, 3, 8],
    [257, 3, 8],
    [258, 3, 8],
    [259, 3, 1],
    [262, 3, 1],
    [273, 4, 200],
    [277, 3, 1],
    [278, 3, 8],
    [279, 4, 64],
    [339, 3, 2],
  ] as const;
  const bytes = Buffer.alloc(264, 7);
  bytes.write('II*\0', 0, 'latin1');
  bytes.writeUInt32LE(8, 4);
  bytes.writeUInt16LE(entries.length, 8);
  for (const [i, [tag, type, value]] of entries.entries()) {
    bytes.writeUInt16LE(tag, 10 + i * 12);
    bytes.writeUInt16LE(type, 12 + i * 12);
    bytes.writeUInt32LE(1, 14 + i * 12);
    bytes.writeUInt32LE(value, 18 + i * 12);
  }
  bytes.writeUInt32LE(0, 10 + entries.length * 12);
  return bytes;
}

describe.each(KINDS)('tiles in %s with %s', (extension, what, make) => {
  const manifest = { ...MANIFEST, pattern: `X{col}Y{row}.${extension}` };

  it('are refused once when a finished folder is opened, also where few are there', async () => {
    for (const tiles of [[0, 1, 2, 3, 4, 5], [5]]) {
      const { folder, put } = tileSetFolder(manifest);
      for (const tile of tiles) put(`X${tile % 3}Y${Math.floor(tile / 3)}.${extension}`, await make());
      const failure = await failureOf(() => openSlide(folder));
      expect([failure.code, failure.message]).toEqual(['SLIDE_UNSUPPORTED', expect.stringContaining(`has ${what}`)]);
      expect(failure.fix).toContain('8 bits a sample');
    }
  });

  it('are refused when the first of a growing folder comes', async () => {
    const { open, put } = tileSetFolder(manifest);
    put(`X1Y0.${extension}`, await make());
    const failure = await failureOf(() => followed(open({ ...PATIENT, settleSeconds: 0 })));
    expect([failure.code, failure.message]).toEqual([
      'SLIDE_UNSUPPORTED',
      expect.stringContaining(`X1Y0.${extension}`),
    ]);
  });
});

describe('tiles outside of the stated grid', () => {
  const put = async (folder: string, [left, top]: readonly [number, number], [cols, rows] = [3, 2]) => {
    for (let i = 0; i < cols! * rows!; i++)
      writeFileSync(join(folder, `X${(i % cols!) + left}Y${Math.floor(i / cols!) + top}.png`), await tileOf(i));
  };

  it('refuse a slide that is counted from 1, finished or growing', async () => {
    const { folder, open } = tileSetFolder();
    await put(folder, [1, 1]);
    writeFileSync(join(folder, '.done'), '');
    for (const read of [() => openSlide(folder), () => followed(open(PATIENT))]) {
      const failure = await failureOf(read);
      expect([failure.code, failure.message]).toEqual([
        'SLIDE_UNREADABLE',
        expect.stringContaining('rows and columns seem to be counted from 1'),
      ]);
    }
  });

  it('refuse a slide most of whose images they are', async () => {
    const { folder, open } = tileSetFolder();
    await put(folder, [0, 0], [6, 4]);
    for (const read of [() => openSlide(folder), () => followed(open(PATIENT))])
      expect((await failureOf(read)).message).toContain('18 of 24 images lie outside the 3 × 2 tiles');
  });

  it('are noted where they are few', async () => {
    const { folder, open } = tileSetFolder();
    await put(folder, [0, 0], [4, 2]);
    const noted = [{ code: 'image-left-out', message: expect.stringContaining('2 of 8 images lie outside') }];
    expect((await openSlide(folder)).info.notes).toMatchObject(expect.arrayContaining(noted));
    const live = open(PATIENT);
    await followed(live);
    expect([live.state, live.opened.info.notes]).toEqual(['complete', noted]);
  });
});
