import { renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { failureOf } from '../slide/fixture.js';
import { followed, PATIENT, sorted, upTo } from './follow.js';
import { MANIFEST, tileOf, tileSetFolder } from './tile-set-folder.js';

describe('a growing folder of tiles', () => {
  it('gives out each tile once, in whatever order they come, and is complete with the last', () =>
    fc.assert(
      fc.asyncProperty(fc.shuffledSubarray(upTo(6), { minLength: 6 }), fc.nat(6), async (order, first) => {
        const { open, tiles } = tileSetFolder();
        await tiles(order.slice(0, first));
        const live = open(PATIENT);
        const rest = order.slice(first);
        const writing = { done: Promise.resolve() };
        const next = (): void => {
          const tile = rest.shift();
          if (tile !== undefined) writing.done = tiles([tile]);
        };
        if (first === 0) next();
        const came = await followed(live, next);
        expect(sorted(came)).toEqual(upTo(6));
        expect([live.state, live.tiles]).toEqual(['complete', { expected: 6, seen: 6, missing: 0, overwritten: 0 }]);
        expect(await live.closed).toBe(false);
      }),
      { numRuns: 15 },
    ));

  it('expects the tiles that its manifest announces, not the grid', async () => {
    const { open, tiles } = tileSetFolder({ ...MANIFEST, tiles: 4 });
    await tiles([5, 0, 3]);
    const live = open(PATIENT);
    expect(live.tiles.expected).toBe(4);
    expect(sorted(await followed(live, came => void (came.length === 3 && tiles([2]))))).toEqual([0, 2, 3, 5]);
    expect([live.state, live.tiles.missing]).toEqual(['complete', 0]);
  });

  it.each(['.done', 'manifest.done', 'manifest.json.done'])(
    'is complete with %s, and counts what never came as missing',
    async marker => {
      const { open, tiles, put } = tileSetFolder();
      await tiles([1, 4]);
      const live = open(PATIENT);
      expect(sorted(await followed(live, () => put(marker, '')))).toEqual([1, 4]);
      expect([live.state, live.tiles]).toEqual(['complete', { expected: 6, seen: 2, missing: 4, overwritten: 0 }]);
    },
  );

  it('sees the tiles that were written right before the marker', async () => {
    const { open, tiles, put } = tileSetFolder();
    await tiles([0, 1, 2]);
    put('.done', '');
    expect(sorted(await followed(open()))).toEqual([0, 1, 2]);
  });

  it.each([
    ['the same', 1, 'complete'],
    ['another', 77, 'replaced'],
  ])(
    'waits for a tile that is being written again when the last one comes, which is then %s',
    async (_, grey, state) => {
      const { open, tiles, put } = tileSetFolder();
      await tiles([0, 1, 2, 3, 4]);
      const [last, again] = [await tileOf(5), await tileOf(grey)];
      const live = open({ ...PATIENT, settleSeconds: 60 });
      const came = await followed(live, seen => {
        if (seen.length === 5) {
          put('X1Y0.png', '');
          put('X2Y1.png', last);
          return;
        }
        // All have come, and the slide is not over while one of them is empty.
        expect(live.state).toBe('growing');
        put('X1Y0.png', again);
      });
      expect(sorted(came)).toEqual(upTo(6));
      expect(live.state).toBe(state);
    },
  );

  it('stalls when nothing comes, keeps what came, and asks to be opened again when it grows', async () => {
    const { open, tiles } = tileSetFolder();
    await tiles([0]);
    const live = open();
    expect(await followed(live)).toEqual([0]);
    expect([live.state, live.tiles.missing]).toEqual(['stalled', 0]);
    await tiles([1]);
    expect(await live.closed).toBe(true);
  });

  it('passes over files that are no tiles of it', async () => {
    const { open, tiles, put } = tileSetFolder();
    const tile = await tileOf(1);
    for (const name of ['X3Y0.png', 'X0Y2.png', 'X01Y0.png', 'X0Y0.jpg', 'X0Y0.png.part', 'deeper/X0Y0.png'])
      put(name, tile);
    await tiles([4]);
    expect(await followed(open())).toEqual([4]);
  });

  it('needs somebody to say the spacing', async () => {
    const { mpp: _, ...silent } = MANIFEST;
    const { open, folder } = tileSetFolder(silent);
    const error = await failureOf(() => open({ mpp: undefined }));
    expect(error.code).toBe('SLIDE_NO_MPP');
    expect(error.message).toContain(join(folder, 'manifest.json'));
    expect(open({ mpp: 0.25 }).opened.info).toMatchObject({ mpp: 0.25, levels: [{ mpp: 0.25 }] });
  });
});

describe('a tile that is half there', () => {
  it('waits for its end, and comes once', async () => {
    const { open, tiles, put } = tileSetFolder();
    const whole = await tileOf(0);
    put('X0Y0.png', whole.subarray(0, whole.length - 5));
    await tiles([1, 2, 3, 4]);
    const live = open({ ...PATIENT, settleSeconds: 30 });
    const came = await followed(live, seen => {
      if (seen.length === 4) put('X0Y0.png', whole);
      if (seen.length === 5) void tiles([5]);
    });
    expect(sorted(came.slice(0, 4))).toEqual([1, 2, 3, 4]);
    expect(came.slice(4)).toEqual([0, 5]);
    expect(live.state).toBe('complete');
  });

  it('is taken as it is after the settling time', async () => {
    const { open, tiles, put } = tileSetFolder();
    put('X0Y0.png', (await tileOf(0)).subarray(0, 40));
    await tiles([1, 2, 3, 4, 5]);
    const live = open(PATIENT);
    const came = await followed(live);
    expect(came.at(-1)).toBe(0);
    expect([came.length, live.state]).toEqual([6, 'complete']);
  });
});

describe('a tile that is written again', () => {
  it('with the same bytes is counted, with others makes the slide another one', async () => {
    for (const grey of [0, 200]) {
      const { open, tiles, put, folder } = tileSetFolder();
      await tiles([0, 1, 2, 3, 4]);
      const live = open(PATIENT);
      const again = await tileOf(grey);
      await followed(live, () => {
        if (live.tiles.seen === 6) return;
        put('X0Y0.png', again);
        utimesSync(join(folder, 'X0Y0.png'), 1, 1);
        void tiles([5]);
      });
      expect([live.state, live.tiles.overwritten]).toEqual([grey === 0 ? 'complete' : 'replaced', 1]);
      expect(await live.closed).toBe(grey !== 0);
    }
  });
});

describe('the description of a growing folder', () => {
  it('that is deleted ends the slide, and one in its place is another slide', async () => {
    const gone = tileSetFolder();
    await gone.tiles([0]);
    const live = gone.open(PATIENT);
    await followed(live, () => rmSync(join(gone.folder, 'manifest.json')));
    expect([live.state, await live.closed]).toEqual(['gone', false]);
    const other = tileSetFolder();
    await other.tiles([0]);
    const replaced = other.open(PATIENT);
    await followed(replaced, () => {
      writeFileSync(join(other.folder, 'new'), JSON.stringify(MANIFEST));
      renameSync(join(other.folder, 'new'), join(other.folder, 'manifest.json'));
    });
    expect([replaced.state, await replaced.closed]).toEqual(['replaced', true]);
  });

  it('is asked about only when its file changed, and makes another slide when it says other things', async () => {
    const { open, tiles, put } = tileSetFolder();
    await tiles([0]);
    let asked = 0;
    const live = open(PATIENT, () => {
      asked += 1;
      return asked === 1;
    });
    await followed(live, came => {
      put('manifest.json', `${JSON.stringify(MANIFEST)}${' '.repeat(came.length)}`);
      void tiles([came.length]);
    });
    expect([live.state, asked]).toEqual(['replaced', 2]);
  });
});

describe('a pyramid in a folder', () => {
  const { mpp: _, ...fine } = MANIFEST;
  const coarse = { ...fine, width: 12, height: 8 };
  const levels = [
    { ...fine, pattern: '0/X{col}Y{row}.png' },
    { ...coarse, pattern: '1/X{col}Y{row}.png', tiles: 2 },
  ];

  it('is followed in the level that is read: the others are no tiles of it', async () => {
    const { open, put } = tileSetFolder({ mpp: 0.5, levels });
    put('0/X0Y0.png', await tileOf(1));
    const live = open(PATIENT);
    const last = await tileOf(3);
    put('1/X1Y0.png', await tileOf(2));
    const came = await followed(live, () => put('1/X0Y0.png', last), 1);
    expect(came).toEqual([1, 0]);
    expect(live.tiles).toEqual({ expected: 2, seen: 2, missing: 0, overwritten: 0 });
    expect(live.opened.info.levels.map(({ mpp }) => mpp)).toEqual([0.5, 1]);
    expect(live.sourceFor(0)['levels']).toHaveLength(1);
  });
});
