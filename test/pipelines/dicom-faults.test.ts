import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { simulateScan } from '#src/simulate/simulate-scan.js';
import { emptyFolder, SLIDE } from '../support/paths.js';
import { deliver, finishedMask, happened, kinds, maskOf, masks, scan, watchFor } from './live-support.js';

const ID = 'CMU-1-Small-Region';
const REAL = fileURLToPath(new URL('../fixtures/dicom/jpeg.dicom', import.meta.url));

const play = (more: Parameters<typeof scan>[0]) => scan({ as: 'dicom', rate: 400, partTiles: 16, ...more });

/** A finished DICOM folder outside of the watched one, and its files. */
async function finishedParts(slide: string, options: Partial<Parameters<typeof scan>[0]> = {}): Promise<string[]> {
  const { path } = await simulateScan(slide, await emptyFolder(), {
    ...{ as: 'dicom', order: 'rows', rate: 0, partTiles: 16, ...options },
  });
  return (await readdir(path)).sort().map(name => join(path, name));
}

/** @param from number of the first one. */
async function deliverAll(paths: readonly string[], folder: string, from = 0): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [index, path] of paths.entries()) await deliver(path, folder, `${from + index}.dcm`);
}

describe('faults of a scan into DICOM parts', () => {
  it('a pause makes the slide incomplete; it goes on with the masks there are', async () => {
    const parts = await finishedParts(SLIDE);
    const { results, events, out } = await watchFor(
      2,
      { config: { 'incomplete-after': 2 } },
      async (folder, signal) => {
        const paused = happened('incomplete', signal);
        await deliverAll(parts.slice(0, 5), join(folder, ID));
        await paused;
        await deliverAll(parts.slice(5), join(folder, ID), 5);
      },
    );
    expect(results[0]).toMatchObject({ state: 'incomplete', reason: 'stalled', lacks: 'parts 6, 7, 8, 9 of 9' });
    const tiles = { expected: 130, seen: 130, missing: 0, late: 50, overwritten: 0 };
    expect(results[1]).toMatchObject({ state: 'completed', summary: { tiles } });
    const states = kinds(events).filter(kind => ['opened', 'incomplete', 'completed'].includes(kind));
    expect(states).toEqual(['opened', 'incomplete', 'opened', 'completed']);
    const ids = masks(events);
    expect(new Set(ids).size).toBe(ids.length);
    expect(await maskOf(out, ID)).toEqual(await finishedMask(SLIDE, ID));
  });

  it('frames that are left out make a sparse level, which says so itself', async () => {
    const { results } = await watchFor(1, {}, play({ drop: 3 }));
    const tiles = { expected: 127, seen: 127, missing: 0, late: 0, overwritten: 0 };
    expect(results[0]).toMatchObject({ state: 'completed', summary: { tiles, patches: { expected: 30, failed: 0 } } });
  });

  it('a damaged frame fails its patches only', async () => {
    const { results } = await watchFor(1, {}, play({ corrupt: 1, order: 'columns' }));
    const failed = results[0]?.state === 'completed' ? results[0].summary.patches.failed : 0;
    expect(failed).toBeGreaterThanOrEqual(1);
    expect(failed).toBeLessThanOrEqual(4);
  });

  it('a frame that is written twice changes nothing', async () => {
    const { results, out } = await watchFor(1, {}, play({ duplicate: 10, order: 'random' }));
    expect(results[0]).toMatchObject({ state: 'completed', summary: { tiles: { overwritten: 10 } } });
    expect(await maskOf(out, ID)).toEqual(await finishedMask(SLIDE, ID));
  });

  it.each(['rows', 'random'] as const)(
    'files that are reserved first are read when they are whole, %s',
    async order => {
      const { results, out } = await watchFor(1, {}, play({ preallocate: true, order, rate: 200 }));
      expect(results[0]).toMatchObject({
        state: 'completed',
        summary: { tiles: { seen: 130 }, patches: { failed: 0 } },
      });
      expect(await maskOf(out, ID)).toEqual(await finishedMask(SLIDE, ID));
    },
  );

  it('parts that never come leave the slide incomplete, with the masks there are', async () => {
    const parts = await finishedParts(SLIDE);
    const config = { 'incomplete-after': 1 };
    const { results, events } = await watchFor(1, { config }, async folder => {
      await deliverAll(parts.slice(0, -2), join(folder, ID));
      // Half a part is no part.
      const half = (await readFile(parts.at(-2)!)).subarray(0, 60_000);
      await writeFile(join(folder, ID, 'half.dcm'), half);
    });
    expect(results[0]).toMatchObject({ id: ID, state: 'incomplete', reason: 'stalled', expected: 30 });
    expect(results[0]).toMatchObject({
      lacks: expect.stringMatching(/^parts 8, 9 of 9; .*half\.dcm: ends at byte 60000/),
    });
    expect(masks(events).length).toBeGreaterThan(5);
  });
});

describe('starting again', () => {
  it('goes on with a slide whose parts came meanwhile, and does nothing for one that is done', async () => {
    const [folder, out] = [await emptyFolder(), await emptyFolder()];
    const parts = await finishedParts(SLIDE);
    const first = await watchFor(0, { folder, out }, async (_, signal) => {
      const begun = happened('mask', signal);
      await deliverAll(parts.slice(0, 4), join(folder, ID));
      await begun;
    });
    await deliverAll(parts.slice(4), join(folder, ID), 4);
    const second = await watchFor(1, { folder, out }, async () => undefined);
    expect(masks(first.events).length).toBeGreaterThan(0);
    expect(second.results[0]).toMatchObject({ state: 'completed' });
    const all = [...masks(first.events), ...masks(second.events)];
    expect(new Set(all).size).toBe(all.length);
    expect(await maskOf(out, ID)).toEqual(await finishedMask(SLIDE, ID));
    const third = await watchFor(1, { folder, out }, async () => undefined);
    expect(third.results[0]).toMatchObject({ state: 'done-before' });
  });
});

describe('another scan', () => {
  it('in the place of one that was read is a new run, and subscribers are told', async () => {
    const parts = await finishedParts(SLIDE);
    const [stranger] = await finishedParts(SLIDE, { partTiles: 48, sparse: true });
    const { results, events, out } = await watchFor(2, {}, async (folder, signal) => {
      // Another scan's part, under the name that the first part will have.
      const read = happened('mask', signal);
      await deliverAll([stranger!], join(folder, ID));
      await read;
      await deliverAll(parts, join(folder, ID));
    });
    expect(results.map(({ state }) => state)).toEqual(['incomplete', 'completed']);
    expect(results[0]).toMatchObject({ reason: 'replaced' });
    const states = kinds(events).filter(kind => ['opened', 'incomplete', 'completed'].includes(kind));
    expect(states).toEqual(['opened', 'incomplete', 'opened', 'completed']);
    expect(await maskOf(out, ID)).toEqual(await finishedMask(SLIDE, ID));
  });

  it('may be deleted while it grows', async () => {
    const [first, second] = await finishedParts(SLIDE);
    const { results } = await watchFor(1, {}, async (folder, signal) => {
      const begun = happened('opened', signal);
      await deliverAll([first!, second!], join(folder, ID));
      await begun;
      await rm(join(folder, ID), { recursive: true });
    });
    expect(results[0]).toMatchObject({ state: 'incomplete', reason: 'gone' });
  });

  it('into the same folder is a slide of its own, while both grow', async () => {
    const config = { mpp: 0.5 };
    const parts = await finishedParts(SLIDE);
    const others = await finishedParts(REAL, { partTiles: 3, mpp: 0.5 });
    const { results, out } = await watchFor(3, { config }, async folder => {
      const into = join(folder, 'batch');
      await mkdir(into);
      await writeFile(join(into, 'readme.dcm'), 'no DICOM at all');
      for (const [part, path] of parts.entries()) {
        await deliver(path, into, `a${part}.dcm`);
        if (others[part]) await deliver(others[part], into, `b${part}.dcm`);
        await sleep(100);
      }
    });
    const [failed] = results.filter(({ state }) => state === 'failed');
    expect(failed).toMatchObject({ id: expect.stringMatching(/^batch--readme/), error: { code: 'SLIDE_UNREADABLE' } });
    const completed = results.filter(({ state }) => state === 'completed').map(({ id }) => id);
    const [first, second] = completed.toSorted();
    expect([first, second]).toEqual(['batch', expect.stringMatching(/^batch--series-[0-9a-f]{8}$/)]);
    expect(await maskOf(out, first!)).toEqual(await finishedMask(SLIDE, 'batch', 0.5));
    expect(await maskOf(out, second!)).toEqual(await finishedMask(REAL, second!, 0.5));
  });
});
