import {
  appendFileSync,
  closeSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { openGrowingTiff } from '#src/live/growing-tiff.js';
import { openSlide } from '#src/slide/open.js';
import type { TiffDescription } from '#src/slide/tiff/description.js';
import { failureOf, scratch } from '../slide/fixture.js';
import { gradient, type PageOptions, writeTiff } from '../slide/tiff-writer.js';
import { followed, PATIENT, QUICK, sorted } from './follow.js';
import { page, scanInto } from './scanned-tiff.js';

const files = scratch();
afterAll(() => files.remove());

const scan = (name: string) => scanInto(bytes => files.write(name, bytes));

describe('a growing TIFF', () => {
  it('is complete when its last tile is entered, and is forgotten', async () => {
    const { path, enter } = scan('last.tiff');
    const live = await openGrowingTiff(path, PATIENT);
    const came = await followed(live, () => void (live.tiles.seen === 11 && enter()));
    expect([came.length, came.at(-1)]).toEqual([12, 0]);
    expect([live.state, live.tiles]).toEqual(['complete', { expected: 12, seen: 12, missing: 0, overwritten: 0 }]);
    expect(await live.closed).toBe(false);
  });

  it('that is over is drawn from its finer levels where the one that is followed has gaps, as a finished one is', async () => {
    const half: PageOptions = { ...page, picture: gradient(100, 65), tile: [32, 32], subfileType: 1 };
    const gaps = (col: number, row: number): boolean => col === 3 || (col === 0 && row === 0);
    const lost = (col: number, row: number): boolean => col === 3 && row === 0;
    const path = files.write(
      'pyramid.tiff',
      writeTiff([
        { ...page, missing: lost },
        { ...half, missing: gaps },
      ]),
    );
    files.write('pyramid.done', '');
    const live = await openGrowingTiff(path, PATIENT);
    const source = live.sourceFor(1) as TiffDescription;
    await followed(live, undefined, 1);
    // Of four tiles that never came, one lies where the finer level has none either.
    const tiles = { expected: 12, seen: 8, drawn: 3, missing: 1, overwritten: 0 };
    expect([live.state, live.sparse, live.tiles]).toEqual(['complete', true, tiles]);
    const finished = (await openSlide(path, { mpp: 0.5 })).source as TiffDescription;
    expect([...source.levels[0]!.byteCounts]).toEqual([...finished.levels[0]!.byteCounts]);
  });

  it('is complete by its marker, which counts what never came', async () => {
    const { path } = scan('marked.tiff');
    const live = await openGrowingTiff(path, PATIENT);
    await followed(live, () => void files.write('marked.done', ''));
    expect([live.state, live.tiles]).toEqual(['complete', { expected: 12, seen: 11, missing: 1, overwritten: 0 }]);
  });

  it('is opened again when further levels are written behind a complete one', async () => {
    const { path } = scan('behind.tiff');
    const live = await openGrowingTiff(path, PATIENT);
    files.write('behind.done', '');
    for await (const { tiles } of live.follow(0, new AbortController().signal)) expect(tiles).toHaveLength(11);
    appendFileSync(path, 'another level');
    await live.close();
    expect(await live.closed).toBe(true);
  });

  it.each([
    ['with the same bytes elsewhere: nothing changes', (bytes: Buffer) => bytes, 'complete'],
    ['with other pixels: it is another slide', (bytes: Buffer) => Buffer.from(bytes).fill(0x55, 700, 710), 'replaced'],
  ] as const)('has a tile that is written again %s', async (_, change, state) => {
    const { path, enter, again } = scan(`${state}.tiff`);
    const live = await openGrowingTiff(path, PATIENT);
    await followed(live, () => {
      if (live.tiles.seen !== 11) return;
      again(change);
      enter();
    });
    expect([live.state, live.tiles.overwritten]).toEqual([state, 1]);
    // Readers find it where it is now.
    const { offsets } = (live.sourceFor(0) as TiffDescription).levels[0]!;
    expect(offsets[1]).toBeGreaterThan(offsets[2]!);
    expect(await live.closed).toBe(state === 'replaced');
  });

  it('never takes a tile whose entry is ahead of its bytes', async () => {
    const { path, enter, tile } = scan('ahead.tiff');
    const live = await openGrowingTiff(path, { ...PATIENT, settleSeconds: 30 });
    enter(Buffer.concat([tile.subarray(0, 40), Buffer.alloc(tile.length - 40)]));
    const at = statSync(path).size - tile.length;
    const came = await followed(live, () => {
      const fd = openSync(path, 'r+');
      writeSync(fd, tile, 0, tile.length, at);
      closeSync(fd);
    });
    expect([came.at(-1), sorted(came).length]).toEqual([0, 12]);
  });

  it('ends when another file takes its name, and when it is deleted', async () => {
    const replaced = scan('name.tiff');
    const live = await openGrowingTiff(replaced.path, PATIENT);
    await followed(live, () => {
      writeFileSync(`${replaced.path}.new`, readFileSync(replaced.path));
      renameSync(`${replaced.path}.new`, replaced.path);
    });
    expect([live.state, await live.closed]).toEqual(['replaced', true]);
    const gone = await openGrowingTiff(replaced.path, PATIENT);
    await followed(gone, () => rmSync(replaced.path));
    expect([gone.state, await gone.closed]).toEqual(['gone', false]);
  });

  it('is not opened while its directory is not there', async () => {
    const error = await failureOf(() => openGrowingTiff(files.write('none.tiff', Buffer.from('II*\0\0\0\0\0')), QUICK));
    expect([error.code, error.fix]).toEqual(['SLIDE_UNREADABLE', expect.stringContaining('wait until the scanner')]);
  });
});
