import { existsSync, readdirSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { corrupt } from '#src/simulate/corrupt.js';
import { type SimulatedScan, simulateScan } from '#src/simulate/simulate-scan.js';
import type { ScanWay } from '#src/simulate/ways.js';
import { openSlide } from '#src/slide/open.js';
import { openTileSource } from '#src/slide/open-source.js';
import { failureOf, SLIDE, scratch } from '../slide/fixture.js';
import { bytesOf, fast, hashOf, pyramid, tilesOf } from './slides.js';

const files = scratch();
afterAll(() => files.remove());

const READABLE: readonly ScanWay[] = ['rename', 'growing-tiff', 'checkpointed-tiff', 'copy', 'dicom'];
const faulty = (way: ScanWay, more: Parameters<typeof fast>[2]): Promise<SimulatedScan> =>
  simulateScan(SLIDE, files.path(`${way}-${Object.keys(more ?? {}).join('-')}`), fast(way, 'random', more));

describe.each(READABLE)('%s', way => {
  it('leaves out dropped tiles', async () => {
    const { path, dropped, tiles } = await faulty(way, { drop: 5 });
    const wanted = await tilesOf(await openSlide(SLIDE));
    for (const { level, col, row } of dropped) wanted[`${level}/${col}/${row}`] = 'missing';
    expect(dropped).toHaveLength(5);
    expect(tiles).toBe(125);
    expect(await tilesOf(await openSlide(path))).toEqual(wanted);
  });

  it('damages tiles so that reading each says so, and no other', async () => {
    const { path, corrupted } = await faulty(way, { corrupt: 8 });
    expect(corrupted).toHaveLength(8);
    const opened = await openSlide(path);
    const source = await openTileSource(opened.source);
    const into = Buffer.alloc(240 * 240 * 3);
    const damaged: string[] = [];
    try {
      for (let row = 0; row < 13; row++)
        for (let col = 0; col < 10; col++) {
          const failure = await failureOf(async () => {
            await source.readTile(0, col, row, into);
            throw Object.assign(new Error('fine'), { fine: true });
          }).catch(error => error);
          if (failure.fine) continue;
          expect(failure.code).toBe('TILE_CORRUPT');
          damaged.push(`${col},${row}`);
        }
    } finally {
      source.close();
    }
    expect(damaged.toSorted()).toEqual(corrupted.map(({ col, row }) => `${col},${row}`).toSorted());
  });

  it('writes duplicates a second time, with the same pixels', async () => {
    const { path, duplicated, tiles } = await faulty(way, { duplicate: 6 });
    expect(duplicated).toHaveLength(6);
    expect(tiles).toBe(130);
    expect(await tilesOf(await openSlide(path))).toEqual(await tilesOf(await openSlide(SLIDE)));
  });
});

describe('tile-folder', () => {
  it('has no file for a dropped tile, and a damaged one for a corrupted', async () => {
    const whole = await faulty('tile-folder', {});
    const { path, dropped, corrupted } = await faulty('tile-folder', { drop: 3, corrupt: 2 });
    for (const { col, row } of dropped) expect(existsSync(`${path}/X${col}Y${row}.jpg`)).toBe(false);
    const name = ({ col, row }: { col: number; row: number }) => `X${col}Y${row}.jpg`;
    const changed = readdirSync(path).filter(
      file => hashOf(bytesOf(`${path}/${file}`)) !== hashOf(bytesOf(`${whole.path}/${file}`)),
    );
    expect(changed.toSorted()).toEqual(corrupted.map(name).toSorted());
    expect(readdirSync(path)).toHaveLength(readdirSync(whole.path).length - 3);
  });
});

describe('ndtiff', () => {
  it('gives a damaged tile a pixel type that does not exist, and indexes a duplicate twice', async () => {
    const { path } = await faulty('ndtiff', { corrupt: 2, duplicate: 3, drop: 1 });
    const index = bytesOf(`${path}/NDTiff.index`);
    const types: number[] = [];
    for (let at = 0; at < index.length; ) {
      at += 4 + index.readUInt32LE(at);
      at += 4 + index.readUInt32LE(at);
      types.push(index.readUInt32LE(at + 12));
      at += 32;
    }
    expect(types.filter(type => type === 255)).toHaveLength(2);
    expect(types).toHaveLength(130 - 1 + 3);
  });
});

describe('simulateScan', () => {
  it('lets faults fall on another level', async () => {
    const slide = files.write('pyramid.svs', pyramid());
    const { path, dropped } = await simulateScan(
      slide,
      files.path('level'),
      fast('growing-tiff', 'rows', { drop: 4, faultLevel: 1 }),
    );
    const missing = Object.entries(await tilesOf(await openSlide(path))).filter(([, tile]) => tile === 'missing');
    expect(missing.map(([key]) => key).toSorted()).toEqual(
      ['0/1/1', ...dropped.map(({ level, col, row }) => `${level}/${col}/${row}`)].toSorted(),
    );
    expect(dropped.every(({ level }) => level === 1)).toBe(true);
  });
});

describe('corrupt', () => {
  it('keeps length, beginning and end, leaves its input alone, and copes with the shortest tiles', () => {
    for (const length of [0, 1, 2, 3, 5, 100]) {
      const tile = new Uint8Array(length).fill(9);
      const damaged = corrupt(tile, 7);
      expect(damaged).toHaveLength(length);
      expect([damaged.at(0), damaged.at(-1)]).toEqual([tile.at(0), tile.at(-1)]);
      expect(tile.every(byte => byte === 9)).toBe(true);
      if (length === 100) expect(damaged).not.toEqual(tile);
    }
    expect(
      corrupt(new Uint8Array(100).fill(9), 33005)
        .slice(2, 40)
        .every(byte => byte === 0),
    ).toBe(true);
  });
});
