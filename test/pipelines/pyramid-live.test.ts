import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { simulateScan } from '#src/simulate/simulate-scan.js';
import { openSlide } from '#src/slide/open.js';
import { emptyFolder, SLIDE } from '../support/paths.js';
import { finishedMask, maskOf, watchFor } from './live-support.js';

/** The slide with halves down to one tile, so that a finished one is looked at through a coarser level first. */
async function pyramid(): Promise<string> {
  const path = join(await emptyFolder(), 'pyramid.tiff');
  const tile = {
    tile: true,
    tileWidth: 256,
    tileHeight: 256,
    pyramid: true,
    compression: 'jpeg',
    quality: 90,
  } as const;
  await sharp(SLIDE, { page: 0 })
    .tiff({ ...tile, resolutionUnit: 'cm', xres: 2000, yres: 2000 })
    .toFile(path);
  return path;
}

describe('a pyramid whose coarse levels come last', () => {
  it.each(['growing-tiff', 'checkpointed-tiff'] as const)('%s: the same masks as the finished slide', async as => {
    const path = await pyramid();
    const { info } = await openSlide(path);
    expect(info.levels.length).toBeGreaterThan(3);
    const { results, out } = await watchFor(1, {}, (folder, signal) =>
      simulateScan(path, folder, { as, order: 'stripes', rate: 300, signal }),
    );
    expect(results[0]).toMatchObject({ state: 'completed', summary: { tiles: { seen: 108 } } });
    expect(await maskOf(out, 'pyramid')).toEqual(await finishedMask(path, 'pyramid'));
  });
});
