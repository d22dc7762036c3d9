import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import type { LiveSlide } from '#src/live/live-slide.js';
import { openFields } from '#src/live/open-fields.js';
import { openSlide } from '#src/slide/open.js';
import { failureOf } from '../slide/fixture.js';
import { failOnceIn } from '../support/failing-reads.js';
import { temporaryFolder } from '../support/temporary.js';
import { followed, PATIENT, QUICK, sorted } from './follow.js';

/** Fields of 40 pixels, 3 × 2 of them, every 32 pixels. */
const places = Array.from({ length: 6 }, (_, index) => [(index % 3) * 32, Math.floor(index / 3) * 32] as const);
const row = (index: number): string => `f${index}.png,${places[index]![0]},${places[index]![1]}`;
const tableOf = (...rows: readonly string[]): string => `${['file,x,y', ...rows].join('\n')}\n`;
const WHOLE = tableOf(...places.map((_, index) => row(index)));

let image: Buffer;
beforeAll(async () => {
  image = await sharp({ create: { width: 40, height: 40, channels: 3, background: '#a0c0e0' } })
    .png()
    .toBuffer();
});

function folderOf(table: string, fields: readonly number[] = []) {
  const folder = temporaryFolder('fields');
  const path = join(folder, 'coordinates.csv');
  const put = (...numbers: readonly number[]): void => {
    for (const number of numbers) writeFileSync(join(folder, `f${number}.png`), image);
  };
  writeFileSync(path, table);
  put(...fields);
  return { folder, path, put, done: () => writeFileSync(join(folder, '.done'), '') };
}

const STILL = { settled: true, renamed: false, quiet: 0.1, notes: {} };
const OLD = { ...STILL, quiet: QUICK.stallSeconds + 1 };
const open = (path: string, facts = STILL) => openFields(path, facts, { ...PATIENT, stallSeconds: QUICK.stallSeconds });

async function live(path: string, facts = STILL): Promise<LiveSlide> {
  const opened = await open(path, facts);
  if (!(opened && 'value' in opened && 'growth' in opened.value)) throw new Error('was not followed');
  return opened.value;
}

describe('a table of fields', () => {
  it('counts when images that it names are still to come, and is a slide of cells', async () => {
    const { path, folder } = folderOf(WHOLE, [0, 1]);
    expect(await open(path)).toMatchObject({ claims: folder });
    const { opened, tiles } = await live(path);
    expect(opened.info).toMatchObject({ mpp: 0.5, levels: [{ tileWidth: 32, tileHeight: 32 }] });
    expect(tiles.expected).toBe(6);
  });

  it('waits while it may grow: all its images are there, so that more rows may come', async () => {
    const { path, folder, done } = folderOf(tableOf(row(0), row(1), row(3), row(4)), [0, 1, 3, 4]);
    expect(await open(path)).toEqual({ later: true, claims: folder });
    done();
    expect((await live(path)).tiles.expected).toBe(4);
  });

  it('waits while it changes, and counts when it stood still for long', async () => {
    const { path, folder } = folderOf(WHOLE, [0]);
    expect(await open(path, { ...STILL, settled: false })).toEqual({ later: true, claims: folder });
    expect((await live(path, { ...STILL, settled: false, renamed: true })).tiles.expected).toBe(6);
    const few = folderOf(tableOf(row(0), row(1), row(3), row(4)), [0, 1, 3, 4]);
    expect((await live(few.path, { ...OLD, settled: false })).tiles.expected).toBe(4);
  });

  it('is read once more when its share answers with an error: the fields are those that they were', async () => {
    const { path, put } = folderOf(WHOLE, [0, 1]);
    const slide = await live(path);
    let failures = () => 0;
    const came = await followed(slide, seen => {
      if (seen.length !== 2) return;
      // Written again as it is.
      writeFileSync(path, WHOLE);
      failures = failOnceIn('readFieldScan');
      put(2, 3, 4, 5);
    });
    expect(failures()).toBeGreaterThan(1);
    expect([came.length, slide.state]).toEqual([6, 'complete']);
  });

  it('says which planes it leaves out, and where nothing was scanned', async () => {
    const rows = [0, 1, 3, 4, 5].flatMap(index => [0, 1, 2].map(z => `z${z}-${row(index)},${z}`));
    const { path, folder, done } = folderOf(`${['file,x,y,z_level', ...rows].join('\n')}\n`);
    for (const index of [0, 1, 3, 4, 5])
      for (const z of [0, 1, 2]) writeFileSync(join(folder, `z${z}-f${index}.png`), image);
    done();
    const { opened, tiles } = await live(path);
    expect(tiles.expected).toBe(5);
    const messages = [
      ['plane-left-out', 'of 3 focal planes the middle one is read (z 1), 2 left out'],
      ['sparse', '1 of 6 places of the grid were not visited'],
    ];
    expect(opened.info.notes?.map(({ code, message }) => [code, message])).toEqual(messages);
    expect((await openSlide(path, { mpp: 0.5 })).info.notes).toEqual(opened.info.notes);
  });

  it('waits for its first image, and refuses to be a slide without any', async () => {
    const { path, folder, put, done } = folderOf(WHOLE);
    expect(await open(path)).toEqual({ later: true, claims: folder });
    const error = await failureOf(() => open(path, OLD));
    expect([error.code, error.message]).toEqual(['SLIDE_UNREADABLE', `${path}: has no images of its fields beside it`]);
    done();
    expect((await failureOf(() => open(path))).code).toBe('SLIDE_UNREADABLE');
    put(0);
    expect((await live(path)).state).toBe('growing');
  });

  it('that is of something else is no slide', async () => {
    const { path } = folderOf('city,population\nBern,133000\n');
    expect(await open(path, OLD)).toBeUndefined();
  });
});

describe('fields that are followed', () => {
  it('are complete when all rows have their image', async () => {
    const { path, put } = folderOf(WHOLE, [0, 4]);
    const slide = await live(path);
    const came = await followed(slide, seen => void (seen.length === 2 && put(1, 2, 3, 5)));
    expect(sorted(came)).toEqual([0, 1, 2, 3, 4, 5]);
    expect([slide.state, slide.tiles.missing]).toEqual(['complete', 0]);
  });

  it('have white cells where the stage did not go, which come first and are not expected', async () => {
    const { path, done } = folderOf(tableOf(...[0, 1, 2, 3, 5].map(row)), [0, 1, 2, 3, 5]);
    done();
    const slide = await live(path);
    const came = await followed(slide);
    expect([came[0], sorted(came)]).toEqual([4, [0, 1, 2, 3, 4, 5]]);
    expect(slide.tiles).toEqual({ expected: 5, seen: 5, missing: 0, overwritten: 0 });
  });

  it.each([
    ['has another row', `${WHOLE}f9.png,64,64\n`, 'replaced'],
    ['has a field elsewhere', WHOLE.replace('f5.png,64,32', 'f5.png,65,32'), 'replaced'],
    ['cannot be read any more', '', 'replaced'],
    ['says the same', WHOLE.replaceAll('\n', '\r\n'), 'complete'],
  ])('are another slide when the table %s', async (_, table, state) => {
    const { path, put } = folderOf(WHOLE, [0]);
    const slide = await live(path);
    await followed(slide, () => {
      writeFileSync(path, table);
      put(1, 2, 3, 4, 5);
    });
    expect([slide.state, await slide.closed]).toEqual([state, state === 'replaced']);
  });

  it('are gone with the table', async () => {
    const { path, folder } = folderOf(WHOLE, [0]);
    mkdirSync(join(folder, 'other'));
    const slide = await live(path);
    await followed(slide, () => rmSync(path));
    expect(slide.state).toBe('gone');
  });
});
