import { truncateSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import jpegTurbo from '@julusian/jpeg-turbo';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { prepareTile } from '#src/codec/jpeg/jpeg-stream.js';
import { StromaflowError, toStromaflowError } from '#src/errors.js';
import { parseAsap } from '#src/evaluate/annotation/asap.js';
import { parseLabelMap } from '#src/evaluate/labels.js';
import { openMaskTiff } from '#src/evaluate/mask-tiff.js';
import { tiffContent } from '#src/live/growth.js';
import { TiffListing } from '#src/live/tiff-listing.js';
import { parseManifest } from '#src/model/manifest.js';
import { encodePartHeader } from '#src/simulate/ndtiff-entry.js';
import { openImageAsSlide } from '#src/slide/image/image-source.js';
import { statedGrid } from '#src/slide/ndtiff/grid.js';
import { readSummary } from '#src/slide/ndtiff/read-index.js';
import { openSlide } from '#src/slide/open.js';
import { TileFolderSource } from '#src/slide/tile-folder/tile-folder-source.js';
import { TILE_FOLDER_KIND } from '#src/slide/tile-folder/tile-set.js';
import { writeInstance } from '../slide/dicom/instance-writer.js';
import { failureOf, scratch } from '../slide/fixture.js';
import { gradient, type PageOptions, writeTiff } from '../slide/tiff-writer.js';

/** What the fuzzer found, once each: none of this may take seconds, gigabytes, or end without a code. */
const files = scratch();
afterAll(() => files.remove());

const page: PageOptions = { picture: gradient(64, 48), tile: [16, 16], resolution: 20_000 };
const LONG = 4;
const TEBIBYTE = 2 ** 40;

describe('a TIFF', () => {
  it('that claims a billion tiles, and to be large enough for their list', async () => {
    const size = 2 ** 19;
    const path = files.write(
      'tiles.tif',
      writeTiff([
        {
          ...page,
          extra: [
            [256, LONG, [size]],
            [257, LONG, [size]],
            [324, LONG, [8]],
            [325, LONG, [8]],
          ],
        },
      ]),
    );
    const bytes = await readFile(path);
    for (let at = 8; at + 12 <= bytes.length; at++) {
      const isList = [324, 325].includes(bytes.readUInt16LE(at)) && bytes.readUInt16LE(at + 2) === LONG;
      if (isList) bytes.writeUInt32LE(2 ** 30, at + 4);
    }
    writeFileSync(path, bytes);
    truncateSync(path, TEBIBYTE);
    const error = await failureOf(() => openSlide(path));
    expect(error).toMatchObject({
      code: 'SLIDE_UNREADABLE',
      message: expect.stringMatching(/claims? 1073741824 tiles/),
    });
  });

  it('whose tag has a type that nobody knows is read without it', async () => {
    const path = files.write('type.tif', writeTiff([{ ...page, extra: [[65_000, 7, Buffer.alloc(16)]] }]));
    const bytes = await readFile(path);
    const at = bytes.findIndex(
      (_, i) => i + 4 < bytes.length && bytes.readUInt16LE(i) === 65_000 && bytes.readUInt16LE(i + 2) === 7,
    );
    bytes.writeUInt16LE(99, at + 2);
    writeFileSync(path, bytes);
    const { levels } = (await openSlide(path)).info;
    expect(levels).toHaveLength(1);
    expect(await new TiffListing(path, levels[0]!).read(({ offsets }) => offsets.length)).toBe(12);
  });

  it.each([
    ['OME-XML', '<OME ', '<Pixels '],
    ['OME-XML with prefixes', '<OME ', '<a:Pixels'],
    ['Aperio', 'Aperio|', '|   MPP   '],
    ['Philips', 'DPUfsImport ', 'Name="DICOM_PIXEL_SPACING" '],
  ])('whose description is %s without end', async (_, start, part) => {
    const description = start + part.repeat(2 ** 21 / part.length);
    const { info } = await openSlide(files.write('text.tif', writeTiff([{ ...page, description }])), { mpp: 0.5 });
    expect(info.levels).toHaveLength(1);
  });

  it('whose growing tile claims more bytes than there are', () => {
    const path = files.write('short.tif', Buffer.alloc(100, 1));
    const claimed = tiffContent(path, Float64Array.of(8), Float64Array.of(2 ** 44));
    expect(claimed).toMatch(/^[0-9a-f]{32}$/);
  });

  it('that is a mask in PackBits', async () => {
    const picture = { ...gradient(32, 32, 1), data: new Uint8Array(1024).fill(2) };
    const path = files.write('mask.tif', writeTiff([{ picture, tile: [16, 16], compression: 'packbits' }]));
    const source = await openMaskTiff(path, parseLabelMap({ positive: '2' }), { width: 32, height: 32 });
    const into = new Uint8Array(1024);
    await source.read({ x: 0, y: 0, step: 1, side: 32, width: 32, height: 32 }, into);
    await source.close();
    expect(into.every(value => value === 2)).toBe(true);
  });
});

it('a DICOM file that ends in a hole is not read to its end', async () => {
  const bytes = writeInstance({ picture: gradient(64, 48), tile: [32, 24], syntax: 'implicit' });
  const pixels = bytes.lastIndexOf(Buffer.from([0xe0, 0x7f, 0x10, 0x00]));
  const path = files.write('hole.dcm', bytes.subarray(0, pixels));
  truncateSync(path, TEBIBYTE);
  const error = await failureOf(() => openSlide(path, { mpp: 0.5 }));
  expect(error).toMatchObject({ code: 'SLIDE_UNREADABLE', message: expect.stringContaining('no data set has') });
});

describe('a JPEG stream', () => {
  const scansOf = (bytes: Buffer) => {
    const at: number[] = [];
    for (let i = bytes.indexOf('ffda', 0, 'hex'); i >= 0; i = bytes.indexOf('ffda', i + 2, 'hex')) at.push(i);
    return at;
  };
  const progressive = (side: number) =>
    sharp({ create: { width: side, height: side, channels: 3, background: '#a7c' } })
      .jpeg({ progressive: true })
      .toBuffer();

  it('may be progressive', async () => {
    const bytes = await progressive(512);
    expect(scansOf(bytes).length).toBeGreaterThan(4);
    expect(prepareTile(bytes)).toMatchObject({ width: 512, height: 512 });
  });

  it('of a thousand scans is refused: each is a pass over the picture', async () => {
    const bytes = await progressive(64);
    const [, second, third] = scansOf(bytes) as [number, number, number];
    const scan = bytes.subarray(second, third);
    const many = Buffer.concat([bytes.subarray(0, third), ...Array<Buffer>(1000).fill(scan), bytes.subarray(third)]);
    expect(prepareTile(many)).toBeUndefined();
  });

  it('of many pixels may have the fewer scans', async () => {
    const bytes = await progressive(64);
    const frame = bytes.indexOf('ffc2', 0, 'hex');
    bytes.writeUInt16BE(9000, frame + 5);
    bytes.writeUInt16BE(9000, frame + 7);
    expect(prepareTile(bytes)).toBeUndefined();
  });

  it('with FF DA among its data, and one scan, is no stream of many scans', () => {
    const tile = { width: 64, height: 64, format: jpegTurbo.FORMAT_RGB, subsampling: jpegTurbo.SAMP_444, quality: 90 };
    const bytes = Buffer.from(jpegTurbo.compressSync(Buffer.from(gradient(64, 64).data), tile));
    const padded = Buffer.concat([bytes, ...Array<Buffer>(100).fill(Buffer.from([0xff, 0xda]))]);
    expect(prepareTile(padded)).toMatchObject({ width: 64 });
  });

  it('in a folder of tiles is measured before memory is asked for its pixels', async () => {
    const bytes = await progressive(8);
    bytes.writeUInt16BE(8000, bytes.indexOf('ffc2', 0, 'hex') + 5);
    files.write('0_0.jpg', bytes);
    const side = { width: 8, height: 8, tileWidth: 8, tileHeight: 8, cols: 1, rows: 1 };
    const more = { before: 0, overlap: 0, whole: false, colour: 'rgb', tiles: undefined } as const;
    const level = { ...side, ...more, downsample: 1, mpp: 0.5, pattern: '{col}_{row}.jpg' };
    const folder = files.path('.');
    const place = { path: folder, manifest: folder, folder };
    const source = new TileFolderSource({ kind: TILE_FOLDER_KIND, ...place, levels: [level] });
    const error = await failureOf(() => source.readTile(0, 0, 0, new Uint8Array(192)));
    expect(error).toMatchObject({
      code: 'TILE_CORRUPT',
      message: expect.stringContaining('8 × 8000 pixels instead of 8 × 8'),
    });
  });
});

it('an NDTiff summary of more tiles than any scan has', async () => {
  const head = encodePartHeader({ Width: 2 ** 24, Height: 2 ** 24, TileWidth: 1, TileHeight: 1, PixelSize_um: 0.5 });
  const { code } = await failureOf(() => statedGrid('part.tif', readSummary('part.tif', head)));
  expect(code).toBe('SLIDE_UNREADABLE');
});

describe('ASAP annotations', () => {
  it.each([
    ['tags that are never closed', '<ASAP_Annotations>', '<Annotation >'],
    ['coordinates that are never closed', '<ASAP_Annotations><Annotation >', '<Coordinate '],
    ['a name without end', '<ASAP_Annotations><Annotation ', 'a'],
  ])('of %s are cut off', (_, start, part) => {
    expect(() => parseAsap(`${start}${part.repeat(2 ** 21 / part.length)}`)).toThrow('cut off');
  });

  it('of long names and open coordinates that are closed at last hold no area', () => {
    const long = `<Annotation ${'a'.repeat(2 ** 20)}>${'<Coordinate '.repeat(2 ** 17)}</Annotation>`;
    expect(parseAsap(`<ASAP_Annotations>${long}</ASAP_Annotations>`)).toMatchObject([{ rings: [] }]);
  });

  it('that are cut off within an annotation are not taken for whole', () => {
    const text = '<ASAP_Annotations><Annotation Name="a" Type="Polygon"><Coordinates><Coordinate X="1" Y="1" />';
    expect(() => parseAsap(text)).toThrow('cut off');
  });
});

it.each(['spacing', 'metrics'])('a model’s manifest whose %s is nested without end', async name => {
  const deep = JSON.parse(`${'['.repeat(30_000)}${']'.repeat(30_000)}`) as unknown;
  const error = await failureOf(() =>
    parseManifest({ [name]: deep }, { outputs: 1, name: 'm', path: 'stromaflow.json' }),
  );
  expect(error.code).toBe('MODEL_INVALID');
});

it('a TIFF whose images lie on top of each other', async () => {
  // A directory starts every 12 bytes: the upper half of one's first value is the count of the next, and the entry behind
  // the thousandth, read as a link (3 × 65536 + tag), leads to another.
  const bytes = Buffer.alloc(22_400 * 12);
  for (let i = 0; i * 12 + 20 <= bytes.length; i++) {
    const at = 8 + i * 12;
    bytes.writeUInt16LE(1000, at);
    bytes.writeUInt16LE(8 + 12 * (i % 5000), at + 2);
    bytes.writeUInt16LE(3, at + 4);
    bytes.writeUInt32LE(1, at + 6);
  }
  bytes.write('II*\0', 0, 'latin1');
  bytes.writeUInt32LE(8, 4);
  const error = await failureOf(() => openSlide(files.write('pile.tif', bytes)));
  expect(error).toMatchObject({ code: 'SLIDE_UNREADABLE', message: expect.stringContaining('131072 tags') });
});

describe('a message', () => {
  it('carries nothing that steers a terminal, and is one line', () => {
    const error = new StromaflowError('LABELS_INVALID', 'areas.xml: \u001b[2Jclass \u202e\0 is\nunknown');
    expect(error.line).toMatch(/^areas\.xml: ·\[2Jclass ·· is unknown \[LABELS_INVALID\]/);
  });

  it('is cut where a file puts a book into it', () => {
    expect(new StromaflowError('MODEL_INVALID', 'x'.repeat(1e6)).message.length).toBeLessThan(2100);
  });

  it('of a library is its first line', () => {
    expect(toStromaflowError(new Error('one\ntwo')).message).toBe('one');
  });
});

it('an image whose decoder misses something is damaged, not absent', async () => {
  const whole = await readFile(new URL('corpus/image/tile.tif', import.meta.url));
  for (let keep = 8; keep < whole.length; keep += 8) {
    const path = files.write('image.tif', whole.subarray(0, keep));
    const error = await openImageAsSlide(path, { mpp: 0.5, spacing: 0.5 }).catch((failure: StromaflowError) => failure);
    if (error instanceof StromaflowError) expect(error.code).toBe('SLIDE_UNREADABLE');
  }
});
