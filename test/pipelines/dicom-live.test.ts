import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { simulateScan } from '#src/simulate/simulate-scan.js';
import { SCAN_ORDERS } from '#src/simulate/ways.js';
import { emptyFolder, SLIDE } from '../support/paths.js';
import { deliver, finishedMask, happened, kinds, maskOf, masks, pyramid, scan, watchFor } from './live-support.js';

const ID = 'CMU-1-Small-Region';
/** Apache-2.0; 957 × 715 pixels in 12 frames. It says 16.8 µm/px, at which nothing would be segmented. */
const REAL = fileURLToPath(new URL('../fixtures/dicom/jpeg.dicom', import.meta.url));
/** JPEG 2000, two levels, no spacing of its own; may not be committed. */
const PYRAMID = fileURLToPath(new URL('../../../shared/data/slides/tcga-cr-7395-01a-01-ts1.svs', import.meta.url));

if (!existsSync(PYRAMID)) process.stderr.write(`SKIPPED: no JPEG 2000 pyramid at ${PYRAMID}\n`);

/** After so many tiles the scanner waits until its slide was opened: what is whole when it is first looked at is not followed. */
function untilOpened(after: number, signal: AbortSignal): () => Promise<void> | undefined {
  const opened = happened('opened', signal);
  let tiles = 0;
  return () => (++tiles === after ? opened : undefined);
}

describe.each(SCAN_ORDERS)('DICOM parts written by %s', order => {
  it('end in the masks of the finished slide, each published once', async () => {
    const { results, events, out } = await watchFor(1, {}, (folder, signal) => {
      const onTile = untilOpened(65, signal);
      return scan({ as: 'dicom', order, rate: 300, partTiles: 16, onTile })(folder, signal);
    });
    expect(results[0]).toMatchObject({ id: ID, state: 'completed' });
    expect(results[0]).toMatchObject({
      summary: { tiles: { expected: 130, seen: 130, missing: 0, late: 0, overwritten: 0 }, patches: { failed: 0 } },
    });
    expect(await maskOf(out, ID)).toEqual(await finishedMask(SLIDE, ID));
    const ids = masks(events);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('of a real instance likewise', async () => {
    // Nothing says how many parts there will be, and a busy machine may pause between two for longer than a settling time.
    const config = { mpp: 0.5, settle: 600 };
    const play = async (folder: string, signal: AbortSignal) => {
      const as = { as: 'dicom', order, rate: 60, partTiles: 5, sparse: true, signal } as const;
      const { path } = await simulateScan(REAL, folder, { ...as, onTile: untilOpened(6, signal) });
      writeFileSync(join(path, '.done'), '');
    };
    const { results, out } = await watchFor(1, { config }, play);
    expect(results[0]).toMatchObject({ id: 'jpeg', state: 'completed' });
    expect(results[0]).toMatchObject({ summary: { tiles: { seen: 12 } } });
    expect(await maskOf(out, 'jpeg')).toEqual(await finishedMask(REAL, 'jpeg', 0.5));
  });

  it.skipIf(!existsSync(PYRAMID))('of a JPEG 2000 pyramid whose wanted level comes last', async () => {
    const id = 'tcga-cr-7395-01a-01-ts1';
    let path = '';
    // The level at 0.25 µm/px is followed first; that at 0.5 is another plan, and what remains.
    const config = { mpp: 0.25, 'incomplete-after': 60 };
    const { results, out } = await watchFor(2, { config }, async (folder, signal) => {
      ({ path } = await simulateScan(PYRAMID, folder, {
        ...{ as: 'dicom', order, rate: 200, partTiles: 32, mpp: 0.25 },
        signal,
      }));
    });
    expect(results.map(({ state }) => state)).toEqual(['completed', 'completed']);
    expect(readdirSync(path).length).toBeGreaterThan(2);
    expect(await maskOf(out, id)).toEqual(await finishedMask(PYRAMID, id, 0.25));
  });
});

describe('a DICOM slide', () => {
  it('whose instances are called without an extension, as an archive exports them, is known by its content', async () => {
    const { path: made } = await simulateScan(SLIDE, await emptyFolder(), {
      ...{ as: 'dicom', order: 'rows', rate: 0, partTiles: 50 },
    });
    const { results, out } = await watchFor(1, {}, async folder => {
      const into = join(folder, ID);
      await mkdir(into);
      for (const [index, name] of readdirSync(made).entries()) await deliver(join(made, name), into, `I000${index}`);
    });
    expect(results[0]).toMatchObject({ id: ID, state: 'completed', summary: { source: { file: ID } } });
    expect(await maskOf(out, ID)).toEqual(await finishedMask(SLIDE, ID));
  });

  it('has masks on the bus before its last part is written', async () => {
    const { path: made } = await simulateScan(SLIDE, await emptyFolder(), {
      ...{ as: 'dicom', order: 'rows', rate: 0, partTiles: 20 },
    });
    const names = readdirSync(made);
    let partsBefore = 0;
    const { results, events, out } = await watchFor(1, {}, async (folder, signal) => {
      const into = join(folder, ID);
      await mkdir(into);
      const seen = happened('mask', signal);
      for (const name of names.slice(0, 4)) await deliver(join(made, name), into, name);
      // The scanner waits until somebody has seen a mask.
      await seen;
      partsBefore = readdirSync(into).length;
      for (const name of names.slice(4)) await deliver(join(made, name), into, name);
    });
    expect(names).toHaveLength(7);
    expect(partsBefore).toBe(4);
    expect(results[0]).toMatchObject({ state: 'completed' });
    expect(masks(events).length).toBeGreaterThan(10);
    expect(await maskOf(out, ID)).toEqual(await finishedMask(SLIDE, ID));
  });

  it('is segmented once, from the level that is wanted, when that is known from the start', async () => {
    const path = await pyramid(0.5);
    // At 0.25 µm/px the second level is the one with 0.5.
    const { path: made } = await simulateScan(path, await emptyFolder(), {
      ...{ as: 'dicom', order: 'stripes', rate: 0, partTiles: 8, mpp: 0.25 },
    });
    const names = readdirSync(made);
    const at = (level: RegExp): string[] => names.filter(name => level.test(name));
    const [finest, wanted, coarser] = [at(/^level-0-/), at(/^level-1-/), at(/^level-[2-9]/)];
    // Coarse levels say that they were reduced, so the slide waits for its finest one, of which a part will do.
    const order = [...coarser, wanted[1]!, finest[2]!, wanted[0]!, ...wanted.slice(2), ...finest];
    const { results, events, out } = await watchFor(1, { config: { mpp: 0.25 } }, async folder => {
      await mkdir(join(folder, 'pyramid'));
      for (const name of new Set(order)) {
        await deliver(join(made, name), join(folder, 'pyramid'), name);
        await sleep(60);
      }
    });
    expect(results[0]).toMatchObject({ state: 'completed', summary: { plan: { level: 1 }, patches: { failed: 0 } } });
    expect(kinds(events).filter(kind => kind === 'opened')).toHaveLength(1);
    expect(await maskOf(out, 'pyramid')).toEqual(await finishedMask(path, 'pyramid', 0.25));
  });

  it('whose reduced level came first, and does not say so, is segmented again when its base comes', async () => {
    const { path: made } = await simulateScan(await pyramid(0.5), await emptyFolder(), {
      ...{ as: 'dicom', order: 'rows', rate: 0, mpp: 0.25 },
    });
    const reduced = Buffer.from('DERIVED\\PRIMARY\\VOLUME\\RESAMPLED');
    const names = readdirSync(made).toSorted();
    for (const name of names) {
      const bytes = readFileSync(join(made, name));
      const at = bytes.indexOf(reduced);
      if (at > 0) bytes.fill('ORIGINAL\\PRIMARY\\VOLUME\\NONE'.padEnd(reduced.length), at, at + reduced.length);
      writeFileSync(join(made, name), bytes);
    }
    const [base, half, ...coarser] = names;
    const { results, events, out } = await watchFor(2, {}, async (folder, signal) => {
      const into = join(folder, 'pyramid');
      await mkdir(into);
      const completed = happened('completed', signal);
      await deliver(join(made, half!), into, half!);
      await completed;
      for (const name of [...coarser, base!]) await deliver(join(made, name), into, name);
    });
    expect(results.map(({ state }) => state)).toEqual(['completed', 'completed']);
    expect(kinds(events).filter(kind => kind === 'opened')).toHaveLength(2);
    expect(await maskOf(out, 'pyramid')).toEqual(await finishedMask(made, 'pyramid'));
  });
});
