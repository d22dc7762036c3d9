import { appendFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decodeEvent } from '#src/event/decode.js';
import { ndTiffFolder, SUMMARY } from '../live/nd-tiff-folder.js';
import { emptyFolder } from '../support/paths.js';
import { happened, watchFor } from './live-support.js';

const { PixelSize_um: _, ...UNSPACED } = SUMMARY;

/** Writes a file that is no slide, and waits until that was said: whatever was written before it has been tried by then. */
async function untilTried(folder: string, name: string, signal: AbortSignal): Promise<void> {
  const said = happened('failed', signal);
  await writeFile(join(folder, name), 'not a slide');
  await said;
}

describe('a slide that cannot be used', () => {
  it('fails once while it is written, not once a write', async () => {
    const set = ndTiffFolder(UNSPACED);
    const names = ['a.svs', 'b.svs', 'c.svs'];
    const { results, events } = await watchFor(1 + names.length, { folder: set.folder }, async (folder, signal) => {
      const first = happened('failed', signal);
      set.put(0);
      await first;
      for (const [at, name] of names.entries()) {
        set.put(at + 1);
        await untilTried(folder, name, signal);
      }
    });
    expect(results.map(({ path }) => basename(path))).toEqual(['NDTiff.index', ...names]);
    expect(results[0]).toMatchObject({ state: 'failed', error: { code: 'SLIDE_NO_MPP' } });
    expect(events).toHaveLength(results.length);
  });

  it('fails again when another file takes its place, or it fails for another reason', async () => {
    const folder = await emptyFolder();
    const path = join(folder, 'slide.svs');
    const { results } = await watchFor(3, { folder }, async (_folder, signal) => {
      await untilTried(folder, 'slide.svs', signal);
      await rm(path);
      await untilTried(folder, 'slide.svs', signal);
      const cut = happened('failed', signal);
      // A TIFF now, whose first directory lies behind its end.
      await rm(path);
      await writeFile(path, Buffer.from([0x49, 0x49, 42, 0, 0xff, 0xff, 0xff, 0]));
      await appendFile(path, 'and more');
      await cut;
    });
    expect(results.map(({ state }) => state)).toEqual(['failed', 'failed', 'failed']);
  });

  it('has an id that names its content and the reason, whenever it is said', async () => {
    const folder = await emptyFolder();
    const path = join(folder, 'text.svs');
    await writeFile(path, 'not a slide');
    const told = async () => {
      const { events } = await watchFor(1, { folder, out: await emptyFolder() }, async () => undefined);
      return events.filter(event => decodeEvent(event)?.kind === 'slide').map(({ id }) => id);
    };
    const [first] = await told();
    expect(first).toMatch(/^text@none\/slide\/failed\/SLIDE_UNREADABLE\/[0-9a-f]{16}$/);
    expect(await told()).toEqual([first]);
    await writeFile(path, 'not that either');
    expect(await told()).not.toEqual([first]);
  });
});
