import { readdirSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openDicomFolder } from '#src/simulate/dicom-folder.js';
import { simulateScan } from '#src/simulate/simulate-scan.js';
import { openSourceSlide } from '#src/simulate/source-slide.js';
import { openSlide } from '#src/slide/open.js';
import { failureOf, SLIDE, scratch } from '../slide/fixture.js';
import { bytesOf, fast, tilesOf } from './slides.js';

const files = scratch();
afterAll(() => files.remove());

describe('dicom', () => {
  it('names an instance when its last frame is there: the parts before it can be read', async () => {
    const folder = files.path('dicom');
    const at = `${folder}/${basename(SLIDE, '.svs')}`;
    const seen: string[][] = [];
    await simulateScan(SLIDE, folder, {
      ...fast('dicom', 'rows', { partTiles: 50 }),
      onTile: () => seen.push(readdirSync(at).filter(name => !name.startsWith('.'))),
    });
    expect(seen.map(names => names.length)).toEqual(
      Array.from({ length: 130 }, (_, i) => (i < 49 ? 0 : i < 99 ? 1 : i < 129 ? 2 : 3)),
    );
  });
});

describe('dicom with its size reserved', () => {
  it('has each part under its own name from the start, and the same bytes in the end', async () => {
    const folder = files.path('dicom-full');
    const at = `${folder}/${basename(SLIDE, '.svs')}`;
    const names: string[][] = [];
    const sizes: number[] = [];
    const { path } = await simulateScan(SLIDE, folder, {
      ...fast('dicom', 'rows', { partTiles: 50, preallocate: true }),
      onTile: () => {
        names.push(readdirSync(at));
        sizes.push(statSync(`${at}/level-0-part-1.dcm`).size);
      },
    });
    expect(names.map(({ length }) => length)).toEqual(
      Array.from({ length: 130 }, (_, i) => (i < 50 ? 1 : i < 100 ? 2 : 3)),
    );
    // Reserved, then cut to what it took.
    expect(new Set(sizes.slice(0, 49)).size).toBe(1);
    expect(sizes[0]).toBeGreaterThan(sizes[49]!);
    const plain = await simulateScan(SLIDE, files.path('dicom-plain'), fast('dicom', 'rows', { partTiles: 50 }));
    for (const name of readdirSync(path))
      expect(bytesOf(`${path}/${name}`).equals(bytesOf(`${plain.path}/${name}`)), name).toBe(true);
  });

  it('cannot be read before a part is whole', async () => {
    const folder = files.path('dicom-torn');
    const copies: string[] = [];
    await simulateScan(SLIDE, folder, {
      ...fast('dicom', 'rows', { preallocate: true }),
      onTile: (_, col) => {
        if (col === 5)
          copies.push(files.write(`torn-${copies.length}.dcm`, bytesOf(`${folder}/CMU-1-Small-Region/level-0.dcm`)));
      },
    });
    for (const copy of copies) expect((await failureOf(() => openSlide(copy))).code).toBe('SLIDE_UNREADABLE');
    expect(copies.length).toBeGreaterThan(10);
  });
});

describe('dicom frames', () => {
  it('state their places when asked to, or when their order does not', async () => {
    const organisation = async (order: 'rows' | 'columns', sparse: boolean) => {
      const { path } = await simulateScan(
        SLIDE,
        files.path(`dicom-${order}-${sparse}`),
        fast('dicom', order, { sparse }),
      );
      expect(await tilesOf(await openSlide(path))).toEqual(await tilesOf(await openSlide(SLIDE)));
      return /TILED_(FULL|SPARSE)/.exec(bytesOf(`${path}/level-0.dcm`).toString('latin1'))?.[1];
    };
    expect(await organisation('rows', false)).toBe('FULL');
    expect(await organisation('rows', true)).toBe('SPARSE');
    expect(await organisation('columns', false)).toBe('SPARSE');
  });

  it('make no more parts than a concatenation can number', async () => {
    const source = await openSourceSlide(SLIDE);
    const level = { ...source.levels[0]!, cols: 300, rows: 300 };
    const steps = Array.from({ length: 90_000 }, (_, i) => ({ level: 0, col: i % 300, row: Math.floor(i / 300) }));
    const open = (partTiles: number) =>
      openDicomFolder({ ...source, levels: [level] }, files.path('dicom-many'), { steps, partTiles });
    const failure = await failureOf(() => open(1));
    expect([failure.code, failure.fix]).toEqual(['CONFIG_INVALID', 'give 2 or more']);
    await (await open(2)).close();
    await source.close();
  });
});
