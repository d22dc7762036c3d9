import { readFileSync } from 'node:fs';
import jpegTurbo from '@julusian/jpeg-turbo';
import { afterAll, describe, expect, it } from 'vitest';
import { openSlide, slideId } from '#src/slide/open.js';
import type { TiffDescription } from '#src/slide/tiff/description.js';
import { failureOf, SLIDE, scratch } from './fixture.js';
import { gradient, type PageOptions, plain, writeTiff } from './tiff-writer.js';

const files = scratch();
afterAll(() => files.remove());

const page = (width: number, height: number, more: Partial<PageOptions> = {}): PageOptions => ({
  picture: gradient(width, height),
  tile: [64, 64],
  ...more,
});
const open = (name: string, pages: readonly PageOptions[], options = {}) =>
  openSlide(files.write(name, writeTiff(pages)), options);

describe('openSlide on the real slide', () => {
  it('finds the one level among thumbnail, label and macro', async () => {
    const { info, source } = await openSlide(SLIDE);
    expect(info).toMatchObject({ id: 'CMU-1-Small-Region', format: 'Aperio SVS', mpp: 0.499 });
    expect(info.levels).toEqual([
      { width: 2220, height: 2967, downsample: 1, mpp: 0.499, tileWidth: 240, tileHeight: 240 },
    ]);
    expect(info.properties).toEqual({ objective: '20', scanner: 'CPAPERIOCS', compression: 'JPEG', icc: 'absent' });
    const [level] = (source as TiffDescription).levels;
    expect(level).toMatchObject({ cols: 10, rows: 13, compression: 7, photometric: 2 });
    expect(level!.offsets.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(level!.byteCounts.length).toBe(130);
  });

  it('lets nothing of the description out that it does not know', async () => {
    // The file says who scanned it, when, and under which name.
    const text = JSON.stringify(await openSlide(SLIDE));
    for (const secret of ['b414003d', '12/29/09', '09:59:15', 'ImageID', '1004486', 'label', 'macro', 'USM Filter'])
      expect(text).not.toContain(secret);
  });

  it('changes its fingerprint with the content', async () => {
    const bytes = Buffer.from(readFileSync(SLIDE));
    const first = await openSlide(files.write('a.svs', bytes));
    bytes[40] = bytes[40]! ^ 1;
    const second = await openSlide(files.write('a.svs', bytes));
    expect(second.info.fingerprint).not.toBe(first.info.fingerprint);
  });

  it('says that it was cut, wherever it was', async () => {
    const bytes = readFileSync(SLIDE);
    for (const part of [0.1, 0.5, 0.64, 0.66, 0.9, 0.999]) {
      const error = await failureOf(() => openSlide(files.write('cut.svs', bytes.subarray(0, bytes.length * part))));
      expect(error.code).toBe('SLIDE_TRUNCATED');
    }
  });

  it('takes a spacing and a name from its caller', async () => {
    const { info } = await openSlide(SLIDE, { mpp: 0.25, id: 'slide-7' });
    expect(info).toMatchObject({ id: 'slide-7', mpp: 0.25 });
    expect((await failureOf(() => openSlide(SLIDE, { id: 'a b' }))).code).toBe('CONFIG_INVALID');
    expect((await failureOf(() => openSlide(SLIDE, { mpp: -1 }))).code).toBe('CONFIG_INVALID');
  });

  it('stops when its signal says so', async () => {
    await expect(openSlide(SLIDE, { signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough');
  });
});

describe('openSlide on formats', () => {
  it('reads an Aperio pyramid: tiled images are levels, striped ones never', async () => {
    const description = 'Aperio Image Library v11\r\n300x200 (64x64) JPEG|AppMag = 40|MPP = 0.2527|ICC Profile = X';
    const { info } = await open('pyramid.svs', [
      page(300, 200, { description, icc: true }),
      { picture: gradient(150, 100), rowsPerStrip: 16, description: 'Aperio thumbnail' },
      page(75, 50, { description: 'Aperio -> 75x50' }),
      { picture: plain(90, 60, [9, 9, 9]), rowsPerStrip: 60, description: 'Aperio label', subfileType: 1 },
      { picture: plain(90, 60, [9, 9, 9]), rowsPerStrip: 60, description: 'Aperio macro', subfileType: 9 },
    ]);
    expect(info.levels.map(({ width, height, downsample, mpp }) => [width, height, downsample, mpp])).toEqual([
      [300, 200, 1, 0.2527],
      [75, 50, 4, 0.2527 * 4],
    ]);
    expect(info.properties).toMatchObject({ objective: '40', icc: 'present' });
  });

  it('does not pass on free text in the place of a fact', async () => {
    const description = 'Aperio|AppMag = 20x of Jane Doe|ScanScope ID = Jane Doe, born 1970|MPP = 0.5';
    const { info } = await open('names.svs', [page(64, 64, { description })]);
    expect(JSON.stringify(info)).not.toContain('Jane');
  });

  it('reads a generic pyramid and its resolution tags', async () => {
    const { info } = await open('generic.tif', [
      page(256, 192, { resolution: 40_000 }),
      page(128, 96, { subfileType: 1 }),
      page(64, 48, { subfileType: 1 }),
      page(100, 20, { description: 'another shape' }),
    ]);
    expect(info).toMatchObject({ format: 'generic tiled TIFF', mpp: 0.25 });
    expect(info.levels.map(level => level.downsample)).toEqual([1, 2, 4]);
  });

  it('leaves label, macro and thumbnail of a generic file alone', async () => {
    const { info } = await open('associated.tif', [
      page(128, 96, { resolution: 20_000 }),
      page(64, 48, { description: 'Macro' }),
      page(32, 24, { description: 'label 1' }),
      page(16, 12, { subfileType: 9 }),
    ]);
    expect(info.levels.length).toBe(1);
  });

  it('reads OME-TIFF with its pyramid in SubIFDs', async () => {
    const description = `<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Instrument><Objective NominalMagnification="20"/></Instrument><Image><Pixels PhysicalSizeX="0.5" PhysicalSizeY="500" PhysicalSizeYUnit="nm" SizeX="256"/></Image></OME>`;
    const { info } = await open('slide.ome.tif', [
      page(256, 192, { description, children: [page(128, 96), page(64, 48)] }),
      page(60, 20, { description: 'label' }),
    ]);
    expect(info).toMatchObject({ format: 'OME-TIFF', mpp: 0.5, properties: { objective: '20' } });
    expect(info.levels.map(({ width }) => width)).toEqual([256, 128, 64]);
  });

  it('reads Philips TIFF: spacing in mm, levels padded to whole tiles', async () => {
    const description =
      '<?xml version="1.0"?><DataObject ObjectType="DPUfsImport"><Attribute Name="DICOM_PIXEL_SPACING" PMSVR="IDoubleArray">&quot;0.000226891&quot; &quot;0.000226907&quot;</Attribute><Attribute Name="DICOM_MANUFACTURERS_MODEL_NAME">UFS Scanner</Attribute><Attribute Name="PIM_DP_UFS_BARCODE">SECRET</Attribute></DataObject>';
    const { info } = await open('philips.tiff', [
      page(640, 448, { description }),
      page(320, 256),
      page(192, 128),
      { picture: plain(80, 60, [1, 2, 3]), rowsPerStrip: 60, description: 'Macro' },
      { picture: plain(80, 60, [1, 2, 3]), rowsPerStrip: 60, description: 'Label' },
    ]);
    expect(info.format).toBe('Philips TIFF');
    expect(info.mpp).toBeCloseTo(0.226899, 6);
    expect(info.levels.map(level => level.downsample)).toEqual([1, 2, 4]);
    expect(info.properties).toMatchObject({ scanner: 'UFS Scanner' });
    expect(JSON.stringify(info)).not.toContain('SECRET');
  });

  it('says when the pixels contradict their colour tag', async () => {
    const jpeg = { compression: 'jpeg', photometric: 2, resolution: 20_000 } as const;
    const subsampled = await open('subsampled.svs', [page(64, 64, { ...jpeg, subsampling: jpegTurbo.SAMP_420 })]);
    expect(subsampled.info.properties).toMatchObject({ colour: 'YCbCr, tagged RGB' });
    const full = await open('full.svs', [page(64, 64, jpeg)]);
    expect(full.info.properties).not.toHaveProperty('colour');
  });

  it('reads a picture in strips', async () => {
    const { info, source } = await open('strips.tif', [
      { picture: gradient(90, 50), rowsPerStrip: 16, resolution: 20_000 },
    ]);
    expect(info).toMatchObject({ format: 'striped TIFF', levels: [{ tileWidth: 90, tileHeight: 16 }] });
    expect((source as TiffDescription).levels[0]).toMatchObject({ cols: 1, rows: 4 });
  });
});

describe('openSlide refuses', () => {
  it('a missing file', async () => {
    expect((await failureOf(() => openSlide(files.path('none.svs')))).code).toBe('FILE_NOT_FOUND');
  });

  it('a folder', async () => {
    expect((await failureOf(() => openSlide(files.path('.')))).code).toBe('SLIDE_UNREADABLE');
  });

  it('a slide that does not say its spacing, or a spacing no microscope has', async () => {
    expect((await failureOf(() => open('mpp.tif', [page(64, 64)]))).code).toBe('SLIDE_NO_MPP');
    const error = await failureOf(() => open('dpi.tif', [page(64, 64, { resolution: 72 / 2.54 })]));
    expect(error.code).toBe('SLIDE_NO_MPP');
    expect(error.fix).toContain('--mpp');
    await expect(open('given.tif', [page(64, 64)], { mpp: 0.5 })).resolves.toMatchObject({ info: { mpp: 0.5 } });
  });

  it('a slide whose tiles lie past its end', async () => {
    // The directory comes first, so that the cut falls into the pixels.
    const bytes = writeTiff([page(128, 128, { resolution: 20_000, extra: [[65000, 1, Buffer.alloc(0)]] })]);
    const moved = Buffer.from(bytes);
    const directory = moved.readUInt32LE(4);
    for (let i = 0; i < moved.readUInt16LE(directory); i++) {
      const entry = directory + 2 + i * 12;
      if (moved.readUInt16LE(entry) === 324)
        moved.writeUInt32LE(bytes.length - 100, moved.readUInt32LE(entry + 8) + 12);
    }
    const error = await failureOf(() => openSlide(files.write('tiles.tif', moved)));
    expect(error.code).toBe('SLIDE_TRUNCATED');
    expect(error.message).toContain('tile 4 of 4');
  });

  it.each<[string, Partial<PageOptions>, RegExp]>([
    ['an unknown compression', { extra: [[259, 3, [34713]]] }, /compression 34713/],
    ['old JPEG', { extra: [[259, 3, [6]]] }, /old-style JPEG/],
    ['16-bit samples', { extra: [[258, 3, [16, 16, 16]]] }, /16-bit/],
    ['floats', { extra: [[339, 3, [3, 3, 3]]] }, /floating-point samples/],
    ['separate planes', { extra: [[284, 3, [2]]] }, /planes/],
    ['a palette', { extra: [[262, 3, [3]]] }, /colour model 3/],
    ['YCbCr without JPEG', { extra: [[262, 3, [6]]] }, /YCbCr/],
    ['a floating-point predictor', { extra: [[317, 3, [3]]] }, /predictor 3/],
    ['two samples as colour', { extra: [[277, 3, [2]]] }, /2 samples/],
  ])('%s', async (name, more, message) => {
    // The last of equal tags is written.
    const error = await failureOf(() =>
      open(`${name}.tif`.replaceAll(' ', '-'), [page(64, 64, { resolution: 20_000, ...more })]),
    );
    expect(error.code).toBe('SLIDE_UNSUPPORTED');
    expect(error.message).toMatch(message);
  });

  it('OME-TIFF whose colours are separate images, which would come out grey', async () => {
    const description = '<OME><Image><Pixels PhysicalSizeX="0.5" PhysicalSizeY="0.5" SizeC="3"/></Image></OME>';
    const plane = { picture: gradient(64, 64, 1), tile: [32, 32] as const };
    const error = await failureOf(() => open('planes.ome.tif', [{ ...plane, description }, plane, plane]));
    expect(error.code).toBe('SLIDE_UNSUPPORTED');
    expect(error.message).toContain('3 channels');
  });

  it('a picture in one huge strip', async () => {
    const bytes = writeTiff([{ picture: gradient(64, 64), rowsPerStrip: 64, resolution: 20_000 }]);
    const directory = bytes.readUInt32LE(4);
    for (let i = 0; i < bytes.readUInt16LE(directory); i++) {
      const entry = directory + 2 + i * 12;
      if ([256, 257, 278].includes(bytes.readUInt16LE(entry))) bytes.writeUInt32LE(60_000, entry + 8);
    }
    const error = await failureOf(() => openSlide(files.write('huge.tif', bytes)));
    expect(error.code).toBe('SLIDE_UNSUPPORTED');
    expect(error.message).toContain('60000 × 60000');
  });

  it('fewer tiles than the size needs', async () => {
    const bytes = writeTiff([page(64, 64, { resolution: 20_000 })]);
    const directory = bytes.readUInt32LE(4);
    for (let i = 0; i < bytes.readUInt16LE(directory); i++) {
      const entry = directory + 2 + i * 12;
      if (bytes.readUInt16LE(entry) === 256) bytes.writeUInt32LE(1_000_000_000, entry + 8);
    }
    const error = await failureOf(() => openSlide(files.write('few.tif', bytes)));
    expect(error.code).toBe('SLIDE_UNREADABLE');
    expect(error.message).toContain('lists 1');
  });
});

describe('slideId', () => {
  it('keeps safe names and escapes others without making two alike', () => {
    expect(slideId('/data/TCGA-A2-A0CM_01.svs')).toBe('TCGA-A2-A0CM_01');
    expect(slideId('/data/a b.svs')).toMatch(/^a_b-[0-9a-f]{8}$/);
    expect(slideId('/data/a b.svs')).not.toBe(slideId('/data/a_b.svs'));
    expect(slideId('/data/a b.svs')).not.toBe(slideId('/data/a.b.svs'));
    for (const name of ['.svs', 'ä*>.tif', `${'x'.repeat(300)}.svs`])
      expect(slideId(name)).toMatch(/^[A-Za-z0-9_-]{1,120}$/);
  });
});
