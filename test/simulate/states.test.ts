import { closeSync, existsSync, openSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { simulateScan } from '#src/simulate/simulate-scan.js';
import { openSlide } from '#src/slide/open.js';
import { readPages, readTileArrays } from '#src/slide/tiff/page.js';
import { probeTiff } from '#src/slide/tiff/probe.js';
import { failureOf, SLIDE, scratch } from '../slide/fixture.js';
import { bytesOf, fast, pyramid, tilesOf } from './slides.js';

const files = scratch();
afterAll(() => files.remove());

const PYRAMID = files.write('pyramid.svs', pyramid());
const BIG = files.write('big.svs', pyramid({ big: true }));
const NAME = basename(SLIDE);

/** Position and stored tiles of each directory that can be reached, as any TIFF reader finds them. */
async function directories(path: string): Promise<{ at: number; stored: number; inside: boolean }[]> {
  const fd = openSync(path, 'r');
  try {
    const { size } = statSync(path);
    const probe = probeTiff(fd, path, size);
    return (await readPages(probe)).map(page => {
      const { offsets, byteCounts } = readTileArrays(probe, page);
      const stored = byteCounts.filter((count, i) => count > 0 && offsets[i]! > 0);
      const inside = byteCounts.every((count, i) => offsets[i]! + count <= size);
      return { at: page.directory.offset, stored: stored.length, inside };
    });
  } finally {
    closeSync(fd);
  }
}

/** Looks at the disk after each tile of a scan; looks are waited for before the next tile. */
async function watchScan<T>(
  slide: string,
  folder: string,
  options: ReturnType<typeof fast>,
  look: (path: string, tiles: number) => T,
): Promise<{ path: string; seen: T[] }> {
  const seen: T[] = [];
  const { path } = await simulateScan(slide, folder, {
    ...options,
    onTile: () => seen.push(look(`${folder}/${basename(slide)}`, seen.length + 1)),
  });
  return { path, seen };
}

const header = (path: string): { first: number; size: number } => {
  const bytes = bytesOf(path);
  const big = bytes.readUInt16LE(2) === 43;
  return { first: big ? Number(bytes.readBigUInt64LE(8)) : bytes.readUInt32LE(4), size: bytes.length };
};

describe('growing-tiff', () => {
  it.each([PYRAMID, BIG])(
    'has all directories from the start, and one more tile in them with each tile',
    async slide => {
      const states: { at: number; stored: number; inside: boolean }[][] = [];
      const copies: string[] = [];
      const { path } = await watchScan(
        slide,
        files.path(`grow-${basename(slide)}`),
        fast('growing-tiff', 'random'),
        (at, n) => {
          copies.push(files.write(`grow-${basename(slide)}-${n}`, bytesOf(at)));
        },
      );
      for (const copy of copies) states.push(await directories(copy));
      const total = states.length;
      expect(total).toBe(79 + 20 + 1);
      for (const [index, state] of states.entries()) {
        expect(state).toHaveLength(3);
        expect(state.reduce((sum, { stored }) => sum + stored, 0)).toBe(index + 1);
        expect(state.every(({ inside }) => inside)).toBe(true);
        expect(state.map(({ at }) => at)).toEqual(states[0]!.map(({ at }) => at));
      }
      expect(await tilesOf(await openSlide(path))).toEqual(await tilesOf(await openSlide(slide)));
    },
  );

  it('shows finished pixels only: a stored tile never changes', async () => {
    const wanted = await tilesOf(await openSlide(PYRAMID));
    const copies: string[] = [];
    await watchScan(PYRAMID, files.path('grow-pixels'), fast('growing-tiff', 'stripes'), (at, n) => {
      if (n % 20 === 1) copies.push(files.write(`pixels-${n}.svs`, bytesOf(at)));
    });
    for (const copy of copies) {
      const tiles = await tilesOf(await openSlide(copy));
      const stored = Object.entries(tiles).filter(([, tile]) => tile !== 'missing');
      for (const [key, tile] of stored) expect(tile, key).toBe(wanted[key]);
    }
    expect(copies.length).toBe(5);
  });

  it('has its final size first when that is reserved', async () => {
    const { path, seen } = await watchScan(
      SLIDE,
      files.path('grow-full'),
      fast('growing-tiff', 'rows', { preallocate: true }),
      at => statSync(at).size,
    );
    expect(new Set(seen)).toEqual(new Set([statSync(path).size]));
  });
});

describe('checkpointed-tiff', () => {
  it('has no directory, then one at the end, rewritten in place, moved when its level is closed', async () => {
    const slide = PYRAMID;
    const copies: string[] = [];
    const { path } = await watchScan(
      slide,
      files.path('check'),
      fast('checkpointed-tiff', 'columns', { checkpoint: 16 }),
      (at, n) => copies.push(files.write(`check-${n}`, bytesOf(at))),
    );
    for (const copy of copies.slice(0, 15)) expect(header(copy).first).toBe(0);
    expect((await failureOf(() => openSlide(copies[0]!))).code).toBe('SLIDE_UNREADABLE');
    const states = await Promise.all(copies.slice(15).map(directories));
    const first = states.slice(0, 79 - 15);
    // 79 tiles of the finest level: checkpoints after 16, 32, 48, 64, all at one place.
    expect(new Set(first.map(state => state[0]!.at)).size).toBe(1);
    expect(first.map(state => state[0]!.stored)).toEqual(
      Array.from({ length: 64 }, (_, i) => Math.floor((i + 16) / 16) * 16),
    );
    const closed = states[79 - 15]!;
    expect(closed[0]!.stored).toBe(79);
    expect(closed[0]!.at).toBeGreaterThan(first[0]![0]!.at);
    expect(states.every(state => state.every(({ inside }) => inside))).toBe(true);
    expect(states.at(-1)!).toHaveLength(2);
    expect(await directories(path)).toHaveLength(3);
    expect(await tilesOf(await openSlide(path))).toEqual(await tilesOf(await openSlide(slide)));
  });

  it('keeps its reserved zeros out of the finished file', async () => {
    const plain = await simulateScan(SLIDE, files.path('check-plain'), fast('checkpointed-tiff'));
    const reserved = await simulateScan(
      SLIDE,
      files.path('check-full'),
      fast('checkpointed-tiff', 'rows', { preallocate: true }),
    );
    expect(bytesOf(reserved.path).equals(bytesOf(plain.path))).toBe(true);
  });
});

describe('copy', () => {
  it('is under its own name from the start, and unreadable until its directories have come', async () => {
    const { path, seen } = await watchScan(SLIDE, files.path('copy'), fast('copy'), at => header(at));
    expect(seen.every(({ first, size }) => first >= size)).toBe(true);
    expect(seen.map(({ size }) => size)).toEqual(seen.map(({ size }) => size).toSorted((a, b) => a - b));
    expect((await openSlide(path)).info.levels).toHaveLength(1);
  });

  it('reads as zeros where it has not arrived, when its size is reserved', async () => {
    const states: { code: string; size: number }[] = [];
    const copies: string[] = [];
    const { path } = await watchScan(
      SLIDE,
      files.path('copy-full'),
      fast('copy', 'rows', { preallocate: true }),
      (at, n) => {
        if (n % 40 === 0) copies.push(files.write(`copy-${n}.svs`, bytesOf(at)));
      },
    );
    for (const copy of copies)
      states.push({ code: (await failureOf(() => openSlide(copy))).code, size: statSync(copy).size });
    expect(states).toHaveLength(3);
    expect(states.every(({ code, size }) => code === 'SLIDE_UNREADABLE' && size === statSync(path).size)).toBe(true);
  });
});

describe('rename', () => {
  it('has its name when it is whole, and a hidden one before', async () => {
    const { path, seen } = await watchScan(SLIDE, files.path('rename'), fast('rename'), at => readdirSync(dirname(at)));
    expect(new Set(seen.flat())).toEqual(new Set([`.${NAME}.part`]));
    expect(readdirSync(dirname(path))).toEqual([NAME]);
  });

  it('leaves what a scanner without power leaves, when it is aborted', async () => {
    const controller = new AbortController();
    let tiles = 0;
    const folder = files.path('aborted');
    const scan = simulateScan(SLIDE, folder, {
      ...fast('rename'),
      signal: controller.signal,
      onTile: () => {
        if (++tiles === 10) controller.abort(new Error('power cut'));
      },
    });
    await expect(scan).rejects.toThrow('power cut');
    expect(tiles).toBe(10);
    expect(readdirSync(folder)).toEqual([`.${NAME}.part`]);
  });
});

describe('tile-folder', () => {
  const run = (folder: string, lateManifest: boolean) => {
    const at = files.path(`${folder}/${basename(SLIDE, '.svs')}`);
    const seen: { manifest: boolean; done: boolean; tiles: number }[] = [];
    return simulateScan(SLIDE, files.path(folder), {
      ...fast('tile-folder', 'stripes', { lateManifest }),
      onTile: () => {
        const names = readdirSync(at);
        const tiles = names.filter(name => name.endsWith('.jpg')).length;
        seen.push({ manifest: names.includes('manifest.json'), done: names.includes('.done'), tiles });
      },
    }).then(({ path }) => ({ path, seen }));
  };

  it.each([false, true])('has one more tile each time, .done last, the manifest late: %s', async late => {
    const { path, seen } = await run(`folder-${late}`, late);
    expect(seen.map(({ tiles }) => tiles)).toEqual(Array.from({ length: 130 }, (_, i) => i + 1));
    expect(new Set(seen.map(({ manifest }) => manifest))).toEqual(new Set([!late]));
    expect(seen.some(({ done }) => done)).toBe(false);
    expect([existsSync(`${path}/manifest.json`), existsSync(`${path}/.done`)]).toEqual([true, true]);
  });
});

describe('ndtiff', () => {
  it('indexes a tile after its pixels, in reserved files that read as zeros', async () => {
    const folder = files.path('ndtiff');
    const at = `${folder}/${basename(SLIDE, '.svs')}`;
    const sizes: [index: number, part: number][] = [];
    const { path } = await simulateScan(SLIDE, folder, {
      ...fast('ndtiff', 'rows', { preallocate: true }),
      onTile: () =>
        sizes.push([statSync(`${at}/NDTiff.index`).size, statSync(`${at}/${basename(at)}_NDTiffStack.tif`).size]),
    });
    expect(new Set(sizes.map(([index]) => index))).toEqual(new Set([25 * 2 ** 20]));
    expect(new Set(sizes.map(([, part]) => part)).size).toBe(1);
    const index = bytesOf(`${path}/NDTiff.index`);
    expect(index.length).toBeLessThan(20_000);
    expect(index.at(-1)).toBe(0);
    expect(index.readUInt32LE(0)).toBeGreaterThan(0);
  });
});
