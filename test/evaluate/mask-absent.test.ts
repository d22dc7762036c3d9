import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkLabels } from '#src/evaluate/check.js';
import { type LabelMapOptions, parseLabelMap } from '#src/evaluate/labels.js';
import { openMaskTiff } from '#src/evaluate/mask-tiff.js';
import { readPatchLabels } from '#src/evaluate/patch-labels.js';
import { planPatches } from '#src/read/plan.js';
import { openSlide } from '#src/slide/open.js';
import { type Picture, plain, writeTiff } from '../slide/tiff-writer.js';
import { scratch } from './set-builder.js';

let folder: string;
let remove: () => Promise<void>;
beforeEach(async () => {
  ({ path: folder, remove } = await scratch());
});
afterEach(() => remove());

const SIDE = 384;
const TILE = 128;
/** 2 in the left half, 1 in the right one. */
const picture: Picture = {
  width: SIDE,
  height: SIDE,
  samples: 1,
  data: Uint8Array.from({ length: SIDE * SIDE }, (_, i) => (i % SIDE < SIDE / 2 ? 2 : 1)),
};
/** Of nine tiles the second and the last are not stored. */
const missing = (col: number, row: number) => row * 3 + col === 1 || row * 3 + col === 8;

async function written(): Promise<{ slide: string; mask: string }> {
  const [slide, mask] = [join(folder, 'a.tiff'), join(folder, 'a_mask.tif')];
  await writeFile(
    slide,
    writeTiff([{ picture: plain(SIDE, SIDE, [180, 90, 140]), tile: [64, 64], resolution: 20_000 }]),
  );
  await writeFile(mask, writeTiff([{ picture, tile: [TILE, TILE], compression: 'deflate', missing }]));
  return { slide, mask };
}

async function labelled(options: LabelMapOptions) {
  const { slide, mask } = await written();
  const map = parseLabelMap(options);
  const { info } = await openSlide(slide);
  const plan = planPatches(info, { spacing: 0.5, patchSize: 96 });
  const source = await openMaskTiff(mask, map, { width: SIDE, height: SIDE, spacing: { x: 0.5, y: 0.5 } });
  let [pixels, positive, unknown] = [0, 0, -1];
  for (let row = 0; row * plan.core < SIDE; row++)
    for (let col = 0; col * plan.core < SIDE; col++) {
      const labels = await readPatchLabels(source, plan, { col, row }, map);
      pixels += labels.labelledPixels;
      positive += labels.positivePixels;
      unknown = Math.max(unknown, labels.unknownValue);
    }
  await source.close();
  return { pixels, positive, unknown, notes: source.facts.notes };
}

describe('tiles that a mask does not store', () => {
  const half = (SIDE * SIDE) / 2 - (TILE * TILE) / 2;

  it('are unlabelled, and counted', async () => {
    expect(await labelled({ positive: '2' })).toEqual({
      pixels: SIDE * SIDE - 2 * TILE * TILE,
      positive: half,
      unknown: -1,
      notes: [expect.stringMatching(/^2 of its 9 tiles are not stored: unlabelled there/)],
    });
  });

  it('are unlabelled where other values alone are declared', async () => {
    expect(await labelled({ positive: '2', negative: '1' })).toMatchObject({
      pixels: SIDE * SIDE - 2 * TILE * TILE,
      unknown: -1,
    });
  });

  it('are value 0 where that is declared', async () => {
    expect(await labelled({ positive: '2', negative: '0,1' })).toEqual({
      pixels: SIDE * SIDE,
      positive: half,
      unknown: -1,
      notes: ['2 of its 9 tiles are not stored: taken as value 0, label 0 (negative)'],
    });
    expect(await labelled({ positive: '0' })).toMatchObject({ pixels: SIDE * SIDE, positive: 2 * TILE * TILE });
  });

  it('are not worth a word where 0 is ignored', async () => {
    expect(await labelled({ positive: '2', ignore: '0' })).toEqual({
      pixels: SIDE * SIDE - 2 * TILE * TILE,
      positive: half,
      unknown: -1,
      notes: [],
    });
  });

  it('are in no class of labels check, which names them', async () => {
    await written();
    const report = await checkLabels(folder, { positive: '2', mpp: 0.5, openSlide });
    expect(report.classes.map(({ value, pixels }) => [value, pixels])).toEqual([
      [1, SIDE * SIDE - 2 * TILE * TILE - half],
      [2, half],
    ]);
    expect(report.findings.map(({ message }) => message)).toContainEqual(
      expect.stringContaining('a_mask.tif: 2 of its 9 tiles are not stored'),
    );
  });
});
