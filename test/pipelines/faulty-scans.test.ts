import { once } from 'node:events';
import { appendFile, copyFile, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { emptyFolder, SLIDE } from '../support/paths.js';
import { finishedMask, happened, kinds, maskOf, masks, scan, watchFor } from './live-support.js';

const ID = 'CMU-1-Small-Region';
const NAME = `${ID}.svs`;

/** Lets the first half of the slide be written; the scanner stops when a mask of it is out. */
async function halfScan(folder: string, signal: AbortSignal): Promise<void> {
  const first = new AbortController();
  const masked = happened('mask', signal);
  let tiles = 0;
  const onTile = async () => {
    if (++tiles < 65) return;
    await masked;
    first.abort();
  };
  const both = AbortSignal.any([signal, first.signal]);
  await expect(scan({ rate: 400, onTile })(folder, both)).rejects.toThrow();
}

describe('tiles that never come', () => {
  it('are missing once a marker says that the scan is over', async () => {
    const { results } = await watchFor(1, {}, async (folder, signal) => {
      const { dropped } = await scan({ rate: 400, drop: 3 })(folder, signal);
      expect(dropped).toHaveLength(3);
      await writeFile(join(folder, `${NAME}.done`), '');
    });
    const tiles = { expected: 130, seen: 127, missing: 3, late: 0, overwritten: 0 };
    expect(results[0]).toMatchObject({ state: 'completed', summary: { tiles, patches: { expected: 30, failed: 0 } } });
  });

  it('leave a slide incomplete when nobody says so', async () => {
    const config = { 'incomplete-after': 3 };
    const { results } = await watchFor(1, { config }, (folder, signal) => {
      // What never changed while it was followed is taken for whole.
      const followed = happened('opened', signal);
      let tiles = 0;
      const onTile = async () => void (++tiles === 20 && (await followed));
      return scan({ drop: 3, onTile })(folder, signal);
    });
    expect(results[0]).toMatchObject({ state: 'incomplete', reason: 'stalled', expected: 30 });
  });

  it('end a tile folder by its .done', async () => {
    const { results } = await watchFor(1, {}, scan({ as: 'tile-folder', rate: 400, drop: 3 }));
    const tiles = { expected: 130, seen: 127, missing: 3 };
    expect(results[0]).toMatchObject({ state: 'completed', summary: { tiles, patches: { expected: 30, failed: 0 } } });
  });
});

describe('tiles that come damaged or twice', () => {
  for (const as of ['growing-tiff', 'tile-folder', 'ndtiff'] as const) {
    it(`${as}: a damaged tile fails its patches only`, async () => {
      const { results } = await watchFor(1, {}, scan({ as, rate: 400, corrupt: 1 }));
      const [result] = results;
      expect(result).toMatchObject({ state: 'completed' });
      const failed = result?.state === 'completed' ? result.summary.patches.failed : 0;
      expect(failed).toBeGreaterThanOrEqual(1);
      expect(failed).toBeLessThanOrEqual(4);
    });

    it(`${as}: a tile that is written again with the same pixels changes nothing`, async () => {
      const { results, out } = await watchFor(1, {}, scan({ as, order: 'random', rate: 400, duplicate: 10 }));
      expect(results[0]).toMatchObject({ state: 'completed' });
      expect(await maskOf(out, ID)).toEqual(await finishedMask(SLIDE, ID));
    });
  }
});

describe('a slide that arrives whole', () => {
  for (const preallocate of [false, true])
    for (const as of ['copy', 'growing-tiff', 'checkpointed-tiff', 'ndtiff'] as const)
      it(`as ${as}${preallocate ? ', its size reserved' : ''}`, async () => {
        const { results, out } = await watchFor(1, {}, scan({ as, rate: 400, preallocate }));
        expect(results[0]).toMatchObject({ state: 'completed', summary: { patches: { failed: 0 } } });
        expect(await maskOf(out, ID)).toEqual(await finishedMask(SLIDE, ID));
      });

  it('as a tile folder whose manifest comes last', async () => {
    const { results, out } = await watchFor(1, {}, scan({ as: 'tile-folder', rate: 0, lateManifest: true }));
    expect(results[0]).toMatchObject({ id: ID, state: 'completed' });
    expect(await maskOf(out, ID)).toEqual(await finishedMask(SLIDE, ID));
  });
});

describe('starting again', () => {
  it('goes on with a slide that grew on meanwhile, publishing no mask twice', async () => {
    const [folder, out] = [await emptyFolder(), await emptyFolder()];
    const resumed = new AbortController();
    let tiles = 0;
    const onTile = async () => {
      if (++tiles === 65) await once(resumed.signal, 'abort');
    };
    const scanning = scan({ rate: 400, onTile })(folder, new AbortController().signal);
    const first = await watchFor(0, { folder, out }, (_, signal) => happened('mask', signal));
    resumed.abort();
    await scanning;
    const second = await watchFor(1, { folder, out }, async () => undefined);
    expect(masks(first.events).length).toBeGreaterThan(0);
    expect(second.results[0]).toMatchObject({ state: 'completed' });
    const all = [...masks(first.events), ...masks(second.events)];
    expect(new Set(all).size).toBe(all.length);
    const third = await watchFor(1, { folder, out }, async () => undefined);
    expect(third.results[0]).toMatchObject({ state: 'done-before' });
    expect(await maskOf(out, ID)).toEqual(await finishedMask(SLIDE, ID));
  });

  it('does nothing again when further levels are written behind a completed one', async () => {
    const [folder, out] = [await emptyFolder(), await emptyFolder()];
    await watchFor(1, { folder, out }, scan({ rate: 400 }));
    await appendFile(join(folder, NAME), 'a thumbnail, perhaps');
    const { results, events } = await watchFor(1, { folder, out }, async () => undefined);
    expect(results[0]).toMatchObject({ state: 'done-before' });
    expect(masks(events)).toEqual([]);
  });
});

describe('another scan of the same name', () => {
  it('that replaces a growing slide is a new run, and subscribers are told', async () => {
    const { results, events, out } = await watchFor(2, {}, async (folder, signal) => {
      await halfScan(folder, signal);
      const whole = join(folder, 'next.part');
      await copyFile(SLIDE, whole);
      await rename(whole, join(folder, NAME));
    });
    expect(results.map(({ state }) => state)).toEqual(['incomplete', 'completed']);
    expect(results[0]).toMatchObject({ reason: 'replaced' });
    const states = kinds(events).filter(kind => ['opened', 'incomplete', 'completed'].includes(kind));
    expect(states).toEqual(['opened', 'incomplete', 'opened', 'completed']);
    expect(await maskOf(out, ID)).toEqual(await finishedMask(SLIDE, ID));
  });

  it('into the same file is found out by its tiles', async () => {
    const { results, events, out } = await watchFor(
      2,
      { config: { 'incomplete-after': 5 } },
      async (folder, signal) => {
        await halfScan(folder, signal);
        await writeFile(join(folder, NAME), await readFile(SLIDE));
      },
    );
    expect(results.map(({ state }) => state)).toEqual(['incomplete', 'completed']);
    const runs = new Set(masks(events).map(id => id.slice(id.indexOf('@'))));
    expect(runs.size).toBe(2);
    expect(await maskOf(out, ID)).toEqual(await finishedMask(SLIDE, ID));
  });

  it('may be deleted while it grows', async () => {
    const { results } = await watchFor(1, {}, async (folder, signal) => {
      await halfScan(folder, signal);
      await rm(join(folder, NAME));
    });
    expect(results[0]).toMatchObject({ state: 'incomplete', reason: 'gone' });
  });
});
