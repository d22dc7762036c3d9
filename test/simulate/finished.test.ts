import { readdirSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { simulateScan } from '#src/simulate/simulate-scan.js';
import { SCAN_WAYS, type ScanWay } from '#src/simulate/ways.js';
import { openSlide } from '#src/slide/open.js';
import { failureOf, SLIDE, scratch } from '../slide/fixture.js';
import { gradient, writeTiff } from '../slide/tiff-writer.js';
import { bytesOf, combinations, fast, hashOf, pyramid, tilesOf } from './slides.js';

const files = scratch();
afterAll(() => files.remove());

const TIFF_WAYS: readonly ScanWay[] = ['rename', 'growing-tiff', 'checkpointed-tiff', 'copy'];
const SOURCES: readonly (readonly [name: string, make: () => string])[] = [
  ['a real slide', () => SLIDE],
  ['a pyramid', () => files.write('pyramid.svs', pyramid())],
  ['a big-endian BigTIFF pyramid', () => files.write('big.svs', pyramid({ big: true, bigEndian: true }))],
];

describe.each(SOURCES)('a finished scan of %s', (name, make) => {
  let slide = '';
  let wanted: Awaited<ReturnType<typeof tilesOf>>;
  beforeAll(async () => {
    slide = make();
    wanted = await tilesOf(await openSlide(slide));
  });
  const scan = (way: ScanWay, order: Parameters<typeof fast>[1], more: Parameters<typeof fast>[2] = {}) =>
    simulateScan(slide, files.path(`${name}-${way}-${order}-${JSON.stringify(more).length}`), fast(way, order, more));

  it.each(combinations([...TIFF_WAYS, 'dicom', 'tile-folder']))(
    '%s by %s: the same levels, spacing and pixels',
    async (way, order) => {
      const { path, tiles } = await scan(way, order);
      const opened = await openSlide(path);
      const { levels, mpp } = (await openSlide(slide)).info;
      expect(opened.info.levels).toEqual(levels);
      expect(opened.info.mpp).toBeCloseTo(mpp, 9);
      expect(await tilesOf(opened)).toEqual(wanted);
      expect(tiles).toBe(Object.values(wanted).filter(tile => tile !== 'missing').length);
    },
  );

  it.each(TIFF_WAYS)('%s: what the maker wrote about the slide, and no label or macro', async way => {
    const opened = (await openSlide((await scan(way, 'stripes', { preallocate: true })).path)).info;
    const { format, properties } = (await openSlide(slide)).info;
    expect(opened.format).toBe(format);
    expect(opened.properties).toEqual(properties);
    expect(await tilesOf(await openSlide((await scan(way, 'columns', { preallocate: true })).path))).toEqual(wanted);
  });

  it('as a concatenation: every part a file of its own', async () => {
    for (const order of ['rows', 'random'] as const) {
      const { path } = await scan('dicom', order, { partTiles: 20 });
      expect(readdirSync(path).length).toBeGreaterThan(3);
      expect(await tilesOf(await openSlide(path))).toEqual(wanted);
    }
  });

  it.each(combinations(['tile-folder']))(
    '%s by %s: every tile a JPEG that any program shows alike',
    async (way, order) => {
      const { path } = await scan(way, order);
      const manifest = JSON.parse(bytesOf(`${path}/manifest.json`).toString());
      const { levels } = (await openSlide(slide)).info;
      const listed = levels.length > 1 ? manifest.levels : [manifest];
      for (const [level, { width, height, tileWidth, tileHeight }] of levels.entries()) {
        const pattern = `${levels.length > 1 ? `level-${level}/` : ''}X{col}Y{row}.jpg`;
        const stored = Object.entries(wanted).filter(
          ([key, tile]) => key.startsWith(`${level}/`) && tile !== 'missing',
        );
        const tiles = stored.length;
        expect(listed[level]).toMatchObject({ width, height, tileWidth, tileHeight, codec: 'jpeg', pattern, tiles });
        const written = readdirSync(dirname(`${path}/${pattern}`)).filter(file => file.endsWith('.jpg'));
        expect(written).toHaveLength(tiles);
        for (const [key, tile] of stored) {
          const [, col, row] = key.split('/') as [string, string, string];
          const file = bytesOf(`${path}/${pattern.replace('{col}', col).replace('{row}', row)}`);
          const { data, info } = await sharp(file).toColourspace('srgb').raw().toBuffer({ resolveWithObject: true });
          expect([info.width, info.height]).toEqual([tileWidth, tileHeight]);
          expect(hashOf(data), key).toBe(tile);
        }
      }
    },
  );

  it.each(combinations(['ndtiff']))('%s by %s: the index finds every tile', async (way, order) => {
    const { path } = await scan(way, order, { preallocate: order === 'rows' });
    const found = readIndex(path);
    const stored = Object.entries(wanted).filter(([key, tile]) => key.startsWith('0/') && tile !== 'missing');
    expect(found).toEqual(Object.fromEntries(stored));
  });
});

/** Every tile an NDTiff.index leads to. */
function readIndex(folder: string): Record<string, string> {
  const index = bytesOf(`${folder}/NDTiff.index`);
  const stack = new Map<string, Buffer>();
  const tiles: Record<string, string> = {};
  for (let at = 0; at < index.length; ) {
    const text = () => {
      const length = index.readUInt32LE(at);
      const value = index.toString('utf8', at + 4, at + 4 + length);
      at += 4 + length;
      return value;
    };
    const axes = JSON.parse(text());
    const file = text();
    const [pixels, width, height, type, compression] = [0, 4, 8, 12, 16].map(i => index.readUInt32LE(at + i)) as [
      number,
      number,
      number,
      number,
      number,
    ];
    at += 32;
    expect([type, compression]).toEqual([2, 0]);
    if (!stack.has(file)) stack.set(file, bytesOf(`${folder}/${file}`));
    tiles[`0/${axes.column}/${axes.row}`] = hashOf(stack.get(file)!.subarray(pixels, pixels + width * height * 3));
  }
  return tiles;
}

describe('a finished scan of a DICOM slide', () => {
  const dicom = fileURLToPath(new URL('../fixtures/dicom/jpeg.dicom', import.meta.url));

  it.each(combinations([...TIFF_WAYS, 'dicom']))('%s by %s: the same pixels', async (way, order) => {
    const { path } = await simulateScan(dicom, files.path(`dicom-${way}-${order}`), fast(way, order));
    // Its spacing is a photograph's; a TIFF that says so is not believed.
    const opened = await openSlide(path, { mpp: 16.783 });
    expect(opened.info.levels).toMatchObject([{ width: 957, height: 715, tileWidth: 256 }]);
    expect(await tilesOf(opened)).toEqual(await tilesOf(await openSlide(dicom)));
  });

  it('states the spacing, and comes back from a pyramid of instances', async () => {
    const slide = files.write('for-dicom.svs', pyramid());
    const { path: instances } = await simulateScan(slide, files.path('to-dicom'), fast('dicom', 'random'));
    const { path } = await simulateScan(instances, files.path('from-dicom'), fast('growing-tiff', 'columns'));
    const opened = await openSlide(path);
    expect(opened.info.mpp).toBeCloseTo(0.5, 5);
    expect(await tilesOf(opened)).toEqual(await tilesOf(await openSlide(slide)));
  });
});

describe('simulateScan', () => {
  it.each(SCAN_WAYS)('%s: the same seed writes the same bytes', async way => {
    const all = async (folder: string) => {
      const { path } = await simulateScan(
        SLIDE,
        files.path(folder),
        fast(way, 'random', { seed: 7, corrupt: 2, duplicate: 2, drop: 1 }),
      );
      if (path.endsWith('.svs')) return [hashOf(bytesOf(path))];
      return readdirSync(path)
        .toSorted()
        .map(name => `${name} ${hashOf(bytesOf(`${path}/${name}`))}`);
    };
    expect(await all(`seed-b-${way}`)).toEqual(await all(`seed-c-${way}`));
  });

  it('refuses what is no TIFF, is not there, or does not fit the way', async () => {
    const out = files.path('refused');
    const text = files.write('text.svs', 'no slide');
    expect((await failureOf(() => simulateScan(text, out, fast('rename')))).code).toBe('SLIDE_UNREADABLE');
    expect((await failureOf(() => simulateScan(files.path('none'), out, fast('copy')))).code).toBe('FILE_NOT_FOUND');
    const deflate = files.write(
      'deflate.tif',
      writeTiff([{ picture: gradient(64, 64), tile: [32, 32], compression: 'deflate', resolution: 20_000 }]),
    );
    expect((await failureOf(() => simulateScan(deflate, out, fast('tile-folder')))).code).toBe('SLIDE_UNSUPPORTED');
    expect((await failureOf(() => simulateScan(deflate, out, fast('dicom')))).code).toBe('SLIDE_UNSUPPORTED');
    const unknown = files.write(
      'unknown.tif',
      writeTiff([{ picture: gradient(64, 64), tile: [32, 32], compression: 'jpeg' }]),
    );
    expect((await failureOf(() => simulateScan(unknown, out, fast('dicom')))).code).toBe('SLIDE_NO_MPP');
    const { path } = await simulateScan(unknown, out, fast('dicom', 'rows', { mpp: 0.25 }));
    expect(basename(path)).toBe('unknown');
    expect((await openSlide(path)).info.mpp).toBeCloseTo(0.25, 9);
  });

  it('says that the folder cannot be written', async () => {
    const file = files.write('in-the-way', 'x');
    expect((await failureOf(() => simulateScan(SLIDE, file, fast('rename')))).code).toBe('OUTPUT_FAILED');
  });
});
