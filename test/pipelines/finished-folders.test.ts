import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { emptyFolder, SLIDE } from '../support/paths.js';
import { maskOf, scan, segmentFinished, watchFor } from './live-support.js';

const ID = 'CMU-1-Small-Region';

/** The slide as another program exports it. */
const exported = (layout: 'dz' | 'zoomify') => (folder: string) =>
  sharp(SLIDE, { page: 0 }).jpeg({ quality: 90 }).tile({ size: 256, layout }).toFile(join(folder, ID));

describe('a folder of tiles that was watched', () => {
  it.each([
    ['tile-folder', ID, scan({ as: 'tile-folder', rate: 0, drop: 4 }), 4],
    ['ndtiff', ID, scan({ as: 'ndtiff', rate: 0, order: 'random', drop: 2 }), 2],
    ['DeepZoom', `${ID}.dzi`, exported('dz'), 0],
    ['Zoomify', ID, exported('zoomify'), 0],
  ] as const)('%s: segment gives the same masks, and counts what lacks', async (kind, name, write, missing) => {
    const mpp = 0.499;
    // An NDTiff without all its tiles is over when nothing changes any more; the others have a marker or all tiles.
    const config = { mpp, 'incomplete-after': 0.8 };
    const { results, out, folder } = await watchFor(1, { config }, write);
    if (missing === 0 || kind === 'tile-folder') expect(results[0]).toMatchObject({ id: ID, state: 'completed' });
    const path = join(folder, name);
    const again = await segmentFinished(path, ID, mpp, out);
    // The run that began while it grew is taken up: what was completed is not done again.
    if (results[0]!.state === 'completed') expect(again.result.state).toBe('done-before');
    else expect(again.result).toMatchObject({ state: 'completed', summary: { tiles: { missing } } });

    const apart = await segmentFinished(path, ID, mpp);
    expect(apart.mask).toEqual(await maskOf(out, ID));
    expect(apart.result).toMatchObject({
      state: 'completed',
      summary: { tiles: { missing, late: 0, overwritten: 0 }, patches: { expected: 30, failed: 0 } },
    });
  });

  it('is segmented anew when a tile has changed', async () => {
    const out = await emptyFolder();
    const folder = await emptyFolder();
    await scan({ as: 'tile-folder' })(folder, new AbortController().signal);
    const path = join(folder, ID);
    const whole = await segmentFinished(path, ID, undefined, out);
    expect((await segmentFinished(path, ID, undefined, out)).result.state).toBe('done-before');
    await rm(join(path, 'X4Y5.jpg'));
    const changed = await segmentFinished(path, ID, undefined, out);
    expect(changed.result).toMatchObject({
      state: 'completed',
      summary: { tiles: { expected: 130, seen: 129, missing: 1 } },
    });
    expect(changed.mask).not.toEqual(whole.mask);
  });
});
