import { closeSync, openSync, writeSync } from 'node:fs';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { ListedTiles } from '#src/live/listed-tiles.js';
import type { TiffLevel } from '#src/slide/tiff/description.js';
import { scratch } from '../slide/fixture.js';

const files = scratch();
const open: number[] = [];
afterEach(() => {
  for (const fd of open.splice(0)) closeSync(fd);
});
afterAll(() => files.remove());

const [JPEG, NONE] = [7, 1];
const TILE = 9000;
const SETTLE = 2;

/** A file of four tiles that are listed and still to come, and the clock of whoever looks at them. */
function level(compression: number) {
  const fd = openSync(files.write('level', Buffer.alloc(TILE * 4)), 'r+');
  open.push(fd);
  const given = { offsets: new Float64Array(4), byteCounts: new Float64Array(4) };
  let now = 0;
  const tiles = new ListedTiles({ ...given, compression } as TiffLevel, SETTLE, () => now);
  const listed = new Map(Array.from({ length: 4 }, (_, tile) => [tile, [tile * TILE, TILE] as const]));
  return {
    tiles,
    fd,
    pass: (seconds: number) => {
      now += seconds * 1000;
    },
    /** Whole unless `from` and `to` say what of it. */
    put: (tile: number, from = 0, to = TILE) => {
      const bytes = Buffer.alloc(TILE, 0x20 + tile);
      if (compression === JPEG) {
        bytes.set([0xff, 0xd8]);
        bytes.set([0xff, 0xd9], TILE - 2);
      }
      writeSync(fd, bytes, from, to - from, tile * TILE + from);
    },
    /** Those that came, which are then noted as the follower does. */
    look: async (others = 0, isOver = false) => {
      const came = await tiles.ready(fd, listed, others, isOver);
      for (const tile of came) {
        [given.offsets[tile], given.byteCounts[tile]] = listed.get(tile)!;
        listed.delete(tile);
      }
      return came;
    },
  };
}

describe('tiles that a directory lists', () => {
  it('come when their bytes are there, in whatever order', async () => {
    const { tiles, put, look, fd } = level(JPEG);
    expect([await look(), tiles.awaits, tiles.lacking]).toEqual([[], true, 4]);
    put(2);
    put(0);
    expect([await look(), tiles.lacking, tiles.inDoubt]).toEqual([[0, 2], 2, false]);
    expect(tiles.isAsGiven(fd)).toBe(true);
  });

  it.each([
    ['lacks its end', TILE - 100, TILE - 50],
    ['lacks its middle', 3000, 3100],
  ])('are not given out while one %s, however long, as long as others are to come', async (_, to, more) => {
    const { tiles, put, look, pass } = level(JPEG);
    for (const tile of [0, 1, 2]) put(tile);
    put(3, 0, to);
    if (to === 3000) put(3, TILE - 100);
    expect([await look(1), tiles.inDoubt]).toEqual([[0, 1, 2], true]);
    pass(SETTLE * 10);
    expect(await look(1)).toEqual([]);
    // When it is the last one, it is taken as it is once it stood still.
    put(3, to, more);
    expect(await look()).toEqual([]);
    pass(SETTLE - 0.1);
    expect(await look()).toEqual([]);
    pass(0.2);
    expect([await look(), tiles.inDoubt]).toEqual([[3], false]);
  });

  it('that are zeros are room that was reserved, whatever the coding, also when nobody writes any more', async () => {
    for (const compression of [JPEG, NONE]) {
      const { tiles, put, look, pass } = level(compression);
      for (const tile of [0, 2]) put(tile);
      expect(await look()).toEqual([0, 2]);
      pass(SETTLE * 100);
      expect([await look(), tiles.lacking]).toEqual([[], 2]);
      expect([await look(0, true), tiles.lacking]).toEqual([[], 2]);
    }
  });

  it('are seen to come though nothing else tells', async () => {
    const { tiles, put, look, fd } = level(JPEG);
    await look();
    expect(tiles.hasArrived(fd)).toBe(false);
    put(3, 0, 200);
    expect(tiles.hasArrived(fd)).toBe(true);
  });

  it('hold what they held when they were given out, or are others', async () => {
    for (const tile of [0, 3]) {
      const { tiles, put, look, fd } = level(NONE);
      for (const each of [0, 1, 2, 3]) put(each);
      expect(await look()).toHaveLength(4);
      expect(tiles.isAsGiven(fd)).toBe(true);
      writeSync(fd, 'other', tile * TILE + 4000);
      expect(tiles.isAsGiven(fd), `${tile}`).toBe(false);
    }
  });

  it('of which nothing was given out are not the same as anything', () => {
    const { tiles, fd } = level(NONE);
    expect(tiles.isAsGiven(fd)).toBe(false);
  });

  it('that cannot be read are not there, and the others are', async () => {
    const { tiles, put, fd } = level(JPEG);
    put(0);
    const listed = new Map([
      [0, [0, TILE] as const],
      [1, [Number.NaN, TILE] as const],
    ]);
    expect(await tiles.ready(fd, listed, 0, false)).toEqual([0]);
    expect(tiles.awaits).toBe(true);
  });
});
