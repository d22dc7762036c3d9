import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseLabelMap, TIGER_CLASSES } from '#src/evaluate/labels.js';
import { openSlideTruth } from '#src/evaluate/slide-truth.js';
import { splitOf } from '#src/evaluate/split.js';
import { splitSet } from '#src/evaluate/split-set.js';
import { patchRefs, planPatches } from '#src/read/plan.js';
import { openSlide } from '#src/slide/open.js';
import { OPEN, openTiger, TIGER } from './replayed-fixture.js';

const wsi = join(TIGER, 'wsirois/wsi-level-annotations');
const map = parseLabelMap({ classes: TIGER_CLASSES });

describe('openSlideTruth', () => {
  it.each(['annotations-tissue-bcss-masks/901S.tif', 'annotations-tissue-bcss-xmls/901S.xml'])(
    'gives the running IoU of a slide from %s',
    async labels => {
      const { info } = await openSlide(join(wsi, 'images/901S.tif'));
      const plan = planPatches(info, { patchSize: 64 });
      const truth = await openSlideTruth(join(wsi, labels), info, plan, map);
      const full = { side: 64, bits: new Uint8Array(512).fill(255), stromaPixels: 4096 };
      const sum = { intersection: 0, union: 0 };
      let unlabelled = 0;
      for (const ref of patchRefs(plan)) {
        const counts = await truth.score(ref, full);
        if (!counts) unlabelled++;
        sum.intersection += counts?.intersection ?? 0;
        sum.union += counts?.union ?? 0;
      }
      // Everything called stroma: the intersection is the annotated stroma, the union all that is labelled.
      expect(sum).toEqual({ intersection: 80 * 192, union: 96 * 192 + 80 * 192 + 80 * 96 });
      // The lower right of the region of interest, columns 256 on and rows 128 on, is not annotated.
      expect(unlabelled).toBe(2);
      // A patch dropped as empty misses its stroma.
      const empty = await truth.score({ col: 2, row: 1 }, undefined);
      expect(empty!.intersection).toBe(0);
      expect(empty!.union).toBeGreaterThan(0);
      await truth.close();
    },
  );

  it('refuses a file that is no truth by its name', async () => {
    const { info } = await openSlide(join(wsi, 'images/901S.tif'));
    const plan = planPatches(info);
    await expect(openSlideTruth('labels.docx', info, plan, map)).rejects.toMatchObject({ code: 'LABELS_INVALID' });
  });
});

describe('splitSet', () => {
  it('splits on the grid that a replay walks', async () => {
    const set = await openTiger();
    const split = await splitSet(set, { ...OPEN, by: 'patch', seed: 3, patchSize: 64 });
    expect(split).toMatchObject({ by: 'patch', seed: 3, spacing: 0.5, patchSize: 64 });
    const grids = Object.entries(split.images).map(([id, { cols, patches }]) => [id.slice(-4), cols, patches!.length]);
    expect(grids).toEqual([
      ['2400', 2, 4],
      ['1510', 2, 4],
      ['1480', 3, 6],
      ['2000', 3, 6],
      ['_800', 2, 4],
    ]);
    const byPatient = await splitSet(set, { ...OPEN, by: 'patient', seed: 3, patchSize: 64 });
    const [bcss, cells] = Object.keys(byPatient.images).filter(id => id.startsWith('TCGA-ZZ-0001'));
    expect(splitOf(byPatient, bcss!, 0, 0)).toBe(splitOf(byPatient, cells!, 0, 0));
  });
});
