import { rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { TileFiles } from '#src/live/tile-files.js';
import { readTileSet } from '#src/slide/tile-folder/read-tile-set.js';
import { COLS, tileOf, tileSetFolder } from './tile-set-folder.js';

const name = (tile: number): string => `X${tile % COLS}Y${Math.floor(tile / COLS)}.png`;

/** Six tiles, and a clock of its own. */
async function given() {
  const { folder, tiles, put } = tileSetFolder();
  await tiles([0, 1, 2, 3, 4, 5]);
  const [level] = readTileSet(join(folder, 'manifest.json'))!.levels;
  const clock = { now: 0 };
  const files = new TileFiles(folder, { ...level!, mpp: 0.5 }, 2, () => clock.now);
  const take = (tile: number): boolean => files.take(tile, name(tile), 6 - files.count);
  return { folder, put, clock, files, take };
}

it('gives out what is whole, and knows what it gave out', async () => {
  const { files, take } = await given();
  expect([files.first, files.count, files.has(3)]).toEqual([undefined, 0, false]);
  expect([take(3), take(1)]).toEqual([true, true]);
  expect([files.first, files.count, files.has(3), files.has(0), files.inDoubt]).toEqual([3, 2, true, false, false]);
  expect(files.take(9, 'X9Y9.png', 4)).toBe(false);
  expect(files.compare()).toBe('same');
});

it('takes a tile that is cut off as it is once all others came and it stood still, and zeros never', async () => {
  const { put, clock, files, take } = await given();
  const cut = (await tileOf(5)).subarray(0, 60);
  put(name(5), cut);
  put(name(4), new Uint8Array(500));
  for (const tile of [0, 1, 2]) take(tile);
  expect([take(5), take(4), files.inDoubt]).toEqual([false, false, true]);
  clock.now = 10_000;
  // One of the others is still to come.
  expect(take(5)).toBe(false);
  take(3);
  expect([take(4), take(5), files.has(5), files.has(4)]).toEqual([false, true, true, false]);
  // The zeros become a tile.
  put(name(4), await tileOf(4));
  expect([take(4), files.inDoubt]).toEqual([true, false]);
});

it('begins to wait anew when a tile that is cut off grows', async () => {
  const { put, clock, take } = await given();
  const whole = await tileOf(5);
  for (const tile of [0, 1, 2, 3, 4]) take(tile);
  for (const [now, bytes, taken] of [
    [0, 60, false],
    [1900, 61, false],
    [2100, 61, false],
    [3899, 61, false],
    [3900, 61, true],
  ] as const) {
    clock.now = now;
    put(name(5), whole.subarray(0, bytes));
    expect(take(5)).toBe(taken);
  }
});

it('tells other pixels from the same ones written again', async () => {
  const { folder, put, files, take } = await given();
  for (const tile of [0, 1, 2, 3]) take(tile);
  utimesSync(join(folder, name(2)), 5, 5);
  rmSync(join(folder, name(0)));
  writeFileSync(join(folder, name(4)), 'never given out');
  expect([files.compare(), files.overwritten]).toEqual(['same', 1]);
  expect([files.compare(), files.overwritten]).toEqual(['same', 1]);
  put(name(3), await tileOf(77));
  expect(files.compare()).toBe('others');
});

it('cannot tell while a tile is being written again, until it stood still', async () => {
  const { put, clock, files, take } = await given();
  for (const tile of [0, 1, 2, 3]) take(tile);
  const [same, other] = [await tileOf(3), await tileOf(77)];
  for (const bytes of [new Uint8Array(0), same.subarray(0, 30), other.subarray(0, 40)]) {
    put(name(3), bytes);
    expect(files.compare()).toBe('moving');
    clock.now += 1999;
    expect(files.compare()).toBe('moving');
  }
  put(name(3), same);
  expect([files.compare(), files.overwritten]).toEqual(['same', 1]);
  clock.now += 10_000;
  expect(files.compare()).toBe('same');
  put(name(3), same.subarray(0, 30));
  expect(files.compare()).toBe('moving');
  clock.now += 2000;
  expect(files.compare()).toBe('others');
});
