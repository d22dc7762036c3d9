import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { simulateScan } from '#src/simulate/simulate-scan.js';
import { SCAN_ORDERS } from '#src/simulate/ways.js';
import { openSlide } from '#src/slide/open.js';
import { finishedMask, maskOf, pyramid, segmentFinished, watchFor } from './live-support.js';

describe('a pyramid whose coarse levels come last', () => {
  it.each(['growing-tiff', 'checkpointed-tiff', 'tile-folder'] as const)(
    '%s: the same masks as the finished slide',
    async as => {
      const path = await pyramid(0.5);
      const { info } = await openSlide(path);
      expect(info.levels.length).toBeGreaterThan(3);
      const { results, out } = await watchFor(1, {}, (folder, signal) =>
        simulateScan(path, folder, { as, order: 'stripes', rate: 300, signal }),
      );
      expect(results[0]).toMatchObject({ state: 'completed', summary: { tiles: { seen: 108 } } });
      expect(await maskOf(out, 'pyramid')).toEqual(await finishedMask(path, 'pyramid'));
    },
  );
});

/** One whose second level is the one that is read, and is written last. */
describe('a tile folder of 0.25 µm/px with a level of 0.5', () => {
  for (const order of SCAN_ORDERS)
    for (const lateManifest of [false, true])
      it(`${order}, manifest late: ${lateManifest}: the same masks as the finished slide`, async () => {
        const path = await pyramid(0.25);
        const { results, out, folder } = await watchFor(1, {}, (to, signal) =>
          simulateScan(path, to, { as: 'tile-folder', order, lateManifest, rate: 600, signal }),
        );
        expect(results[0]).toMatchObject({ state: 'completed', summary: { plan: { level: 1 }, tiles: { seen: 30 } } });
        const wanted = await maskOf(out, 'pyramid');
        expect(wanted).toEqual(await finishedMask(path, 'pyramid'));
        expect((await segmentFinished(join(folder, 'pyramid'), 'pyramid')).mask).toEqual(wanted);
      });

  it('is not taken for one that stalled while its finer level is written', async () => {
    const path = await pyramid(0.25);
    const { results } = await watchFor(1, { config: { 'incomplete-after': 0.8 } }, (to, signal) =>
      simulateScan(path, to, { as: 'tile-folder', order: 'rows', rate: 60, signal }),
    );
    expect(results).toMatchObject([{ state: 'completed' }]);
  });
});

/** 0.25 µm/px in JPEG 2000, with a level of 0.5; may not be committed. */
const TCGA = fileURLToPath(new URL('../../../shared/data/slides/tcga-cr-7395-01a-01-ts1.svs', import.meta.url));

describe.skipIf(!existsSync(TCGA))(`a JPEG 2000 pyramid (${TCGA}) as a tile folder`, () => {
  for (const order of SCAN_ORDERS)
    for (const lateManifest of [false, true])
      it(`${order}, manifest late: ${lateManifest}: the same masks as the finished slide`, async () => {
        const config = { mpp: 0.25 };
        const { results, out } = await watchFor(1, { config }, (to, signal) =>
          simulateScan(TCGA, to, { as: 'tile-folder', order, lateManifest, rate: 0, mpp: 0.25, signal }),
        );
        const id = 'tcga-cr-7395-01a-01-ts1';
        expect(results[0]).toMatchObject({ id, state: 'completed', summary: { plan: { level: 1 } } });
        expect(await maskOf(out, id)).toEqual(await finishedMask(TCGA, id, 0.25));
      });
});
