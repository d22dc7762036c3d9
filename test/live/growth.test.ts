import { appendFileSync, copyFileSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openGrowingTiff } from '#src/live/growing-tiff.js';
import { growthIdentity, tiffContent } from '#src/live/growth.js';
import { growthOf, wasCompleted } from '#src/live/growth-of.js';
import { openSlide } from '#src/slide/open.js';
import { scratch } from '../slide/fixture.js';
import { gradient, writeTiff } from '../slide/tiff-writer.js';
import { followed, PATIENT, QUICK, upTo } from './follow.js';
import { ndTiffFolder } from './nd-tiff-folder.js';
import { COLS, MANIFEST, tileOf, tileSetFolder } from './tile-set-folder.js';

const files = scratch();
afterAll(() => files.remove());

const growthAt = async (path: string, mpp = 0.5) => growthOf(await openSlide(path, { mpp }))!;

describe('what stays the same of a growing file', () => {
  const level = { width: 100, height: 80, tileWidth: 32, tileHeight: 16, downsample: 1, mpp: 0.5 };

  it('is the file and its geometry: not its size, its time or its spacing', () => {
    const path = files.write('a.tiff', 'begun');
    const born = growthIdentity(statSync(path), level);
    expect(born).toMatch(/^[0-9a-f]{16}$/);
    appendFileSync(path, ' more');
    utimesSync(path, 1000, 1000);
    expect(growthIdentity(statSync(path), { ...level, mpp: 0.25 })).toBe(born);
    for (const side of ['width', 'height', 'tileWidth', 'tileHeight'] as const)
      expect(growthIdentity(statSync(path), { ...level, [side]: level[side] + 1 }), side).not.toBe(born);
    copyFileSync(path, files.path('copy.tiff'));
    expect(growthIdentity(statSync(files.path('copy.tiff')), level)).not.toBe(born);
  });
});

describe('the content of a level of a TIFF', () => {
  /** Tiles of 4 bytes one behind the other. */
  const contentOf = (tiles: readonly number[], name = 'content'): string => {
    const path = files.write(name, Buffer.concat(tiles.map(tile => Buffer.alloc(4, tile))));
    const offsets = Float64Array.from(tiles, (_, tile) => tile * 4);
    return tiffContent(path, offsets, new Float64Array(tiles.length).fill(4));
  };

  it('does not change with what is written behind its tiles, nor with where they lie', () => {
    const tiles = upTo(20);
    const path = files.write('moved', Buffer.concat([Buffer.alloc(7), ...tiles.map(tile => Buffer.alloc(4, tile))]));
    const moved = () =>
      tiffContent(
        path,
        Float64Array.from(tiles, tile => 7 + tile * 4),
        new Float64Array(20).fill(4),
      );
    expect(moved()).toBe(contentOf(tiles));
    appendFileSync(path, 'directories');
    expect(moved()).toBe(contentOf(tiles));
  });

  it('tells every tile of one that has no more than are looked at', () => {
    for (const count of [1, 2, 3, 5, 7, 8]) {
      const tiles = upTo(count);
      for (const tile of tiles) {
        const other = tiles.map(value => (value === tile ? 200 : value));
        expect(contentOf(other), `tile ${tile} of ${count}`).not.toBe(contentOf(tiles));
      }
    }
  });

  it('tells which tiles are stored and how long each is', () => {
    const path = files.write('lengths', Buffer.alloc(100, 5));
    const content = (...byteCounts: number[]) => tiffContent(path, new Float64Array(4), Float64Array.from(byteCounts));
    const all = [
      content(4, 4, 4, 4),
      content(4, 0, 4, 4),
      content(4, 4, 0, 4),
      content(4, 4, 5, 3),
      content(0, 0, 0, 0),
    ];
    expect(new Set(all).size).toBe(all.length);
    expect(content(4, 0, 4, 4)).toBe(content(4, 0, 4, 4));
  });
});

describe('growth, followed and finished', () => {
  it('of a TIFF is one', async () => {
    const tiff = { picture: gradient(200, 130), tile: [64, 64], compression: 'jpeg', resolution: 20_000 } as const;
    const path = files.write('grown.tiff', writeTiff([{ ...tiff, missing: col => col === 0 }]));
    const live = await openGrowingTiff(path, QUICK);
    const finished = await growthAt(path);
    expect(live.growth.identity).toBe(finished.identity);
    expect(live.opened.info.fingerprint.startsWith(`${finished.identity}-`)).toBe(true);
    await followed(live);
    expect(live.growth.content(0)).toBe(finished.content(0));
  });

  it('of a folder of tiles is one, another in the file of another manifest, and of other tiles', async () => {
    const { open, tiles, folder, put } = tileSetFolder();
    const manifest = join(folder, 'manifest.json');
    const live = open(PATIENT);
    await tiles(upTo(6));
    await followed(live);
    const { identity, content } = await growthAt(folder);
    expect([live.growth.identity, live.growth.content(0)]).toEqual([identity, content(0)]);
    const finished = content(0);
    for (let tile = 0; tile < 6; tile++) {
      const name = `X${tile % COLS}Y${Math.floor(tile / COLS)}.png`;
      const kept = readFileSync(join(folder, name));
      put(name, await tileOf(200));
      expect(live.growth.content(0), name).not.toBe(finished);
      put(name, kept);
    }
    expect(live.growth.content(0)).toBe(finished);
    // The same file says something else: the same inode is another slide.
    writeFileSync(manifest, JSON.stringify({ ...MANIFEST, width: 23 }));
    expect((await growthAt(folder)).identity).not.toBe(identity);
    // The spacing may come from the user, today another than yesterday.
    const { mpp: _, ...silent } = MANIFEST;
    writeFileSync(manifest, JSON.stringify(silent));
    expect((await growthAt(folder, 0.25)).identity).toBe(identity);
  });

  it('of an NDTiff data set is one, and of other pixels another', async () => {
    const { put, open, index, part } = ndTiffFolder();
    const live = open({ stallSeconds: 30 })!;
    for (const tile of upTo(6)) put(tile);
    await followed(live);
    const { identity, content } = await growthAt(index);
    expect([live.growth.identity, live.growth.content(0)]).toEqual([identity, content(0)]);
    const before = content(0);
    const bytes = readFileSync(part);
    bytes[bytes.indexOf(Buffer.alloc(48, 4))] = 99;
    writeFileSync(part, bytes);
    expect(content(0)).not.toBe(before);
  });
});

it('a run of a whole slide that never grew was completed with its own content alone', async () => {
  const path = files.write('whole.tiff', writeTiff([{ picture: gradient(64, 64), tile: [32, 32] }]));
  const slide = await openSlide(path, { mpp: 0.5 });
  const { fingerprint } = slide.info;
  const run = { state: 'completed', fingerprint, growth: undefined, finished: undefined } as const;
  expect(wasCompleted(slide, run)).toBe(true);
  expect(wasCompleted(slide, { ...run, state: 'open' })).toBe(false);
  // Another slide was there under its name.
  expect(wasCompleted(slide, { ...run, fingerprint: 'other' })).toBe(false);
  const { identity, content } = growthOf(slide)!;
  const grown = { ...run, fingerprint: 'other', growth: identity };
  expect(wasCompleted(slide, { ...grown, finished: content(0) })).toBe(true);
  expect(wasCompleted(slide, { ...grown, finished: 'other content' })).toBe(false);
});
