import { copyFile, cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { simulateScan } from '#src/simulate/simulate-scan.js';
import { emptyFolder, SLIDE } from '../support/paths.js';
import { finishedMask, happened, maskOf, scan, segmentFinished, watchFor } from './live-support.js';

const ID = 'CMU-1-Small-Region';

/** A scan as its writer stores one with reduced resolutions: all in `case`, the finest in a folder of its own. */
async function scanPyramid(folder: string, signal: AbortSignal): Promise<void> {
  const source = join(await emptyFolder(), 'Full resolution.svs');
  await copyFile(SLIDE, source);
  const apart = await emptyFolder();
  await scan({ as: 'ndtiff' })(apart, signal);
  const reduced = join(folder, 'case', 'Downsampled_x2');
  await mkdir(reduced, { recursive: true });
  // It is there before the finest one is finished, and never to be read.
  await cp(join(apart, ID), reduced, { recursive: true });
  await simulateScan(source, join(folder, 'case'), { as: 'ndtiff', order: 'stripes', rate: 400, signal });
}

/** Takes the size of the whole out of the summary metadata; what the text loses becomes spaces. */
async function forgetSize(part: string): Promise<void> {
  const bytes = await readFile(part);
  const text = bytes.toString('latin1', 28, 28 + bytes.readUInt32LE(24));
  const { PixelSize_um, ...rest } = JSON.parse(text) as Record<string, number>;
  expect(rest).toHaveProperty('TileWidth');
  bytes.write(JSON.stringify({ PixelSize_um }).padEnd(text.length), 28, 'latin1');
  await writeFile(part, bytes);
}

describe('an NDTiff data set', () => {
  it('with reduced resolutions is one slide, called by its folder, with the masks of the finest', async () => {
    const { results, out, folder } = await watchFor(1, { config: { settle: 0.3 } }, scanPyramid);
    expect(results).toMatchObject([{ id: 'case', state: 'completed' }]);
    const masks = await finishedMask(SLIDE, 'case');
    expect(await maskOf(out, 'case')).toEqual(masks);
    expect((await segmentFinished(join(folder, 'case'), 'case')).mask).toEqual(masks);
  });

  it('that is the watched folder itself is called by it', async () => {
    const parent = await emptyFolder();
    const folder = join(parent, ID);
    await mkdir(folder);
    const { results } = await watchFor(1, { folder }, (_, signal) => scan({ as: 'ndtiff' })(parent, signal));
    expect(results).toMatchObject([{ id: ID, state: 'completed' }]);
  });

  it('that does not say its size waits for .done, and is then as large as its tiles reach', async () => {
    const made = await emptyFolder();
    await scan({ as: 'ndtiff' })(made, new AbortController().signal);
    const part = `${ID}_NDTiffStack.tif`;
    await forgetSize(join(made, ID, part));
    let isOpen = false;
    const { results } = await watchFor(1, {}, async (folder, signal) => {
      void happened('opened', signal).then(
        () => {
          isOpen = true;
        },
        () => undefined,
      );
      await cp(join(made, ID), join(folder, ID), { recursive: true });
      await setTimeout(1000);
      expect(isOpen).toBe(false);
      await writeFile(join(folder, ID, '.done'), '');
    });
    expect(isOpen).toBe(true);
    // 2220 × 2967 pixels in whole tiles of 240 are 2400 × 3120.
    expect(results).toMatchObject([{ id: ID, state: 'completed', summary: { tiles: { expected: 130, missing: 0 } } }]);
  });
});
