import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { Arena } from '#src/arena.js';
import { type LabelledSet, openLabelledSet } from '#src/evaluate/labelled-set.js';
import { openItem } from '#src/evaluate/open-item.js';
import { splitSet } from '#src/evaluate/split-set.js';
import { planPatches } from '#src/read/plan.js';
import { ReaderPool } from '#src/read/reader-pool.js';
import { DEFAULT_TISSUE_RULE } from '#src/read/tissue.js';
import { openSlide } from '#src/slide/open.js';
import { UNCHANGED } from '#src/train/augmentation.js';
import { indexPatches, type PatchIndex } from '#src/train/patch-index.js';
import { SampleThreads } from '#src/train/sample-threads.js';
import { emptyFolder } from '../support/paths.js';

const SLIDE = fileURLToPath(new URL('../fixtures/CMU-1-Small-Region.svs', import.meta.url));
const SIDE = 256;

/** Stroma is one rectangle of the slide's pixels, another is ignored. */
const RECTANGLE = { left: 500, top: 300, right: 1300, bottom: 1500 };
const IGNORED = { left: 1400, top: 300, right: 1800, bottom: 900 };

let set: LabelledSet;
let index: PatchIndex;
beforeAll(async () => {
  const labels = join(await emptyFolder(), 'labels.geojson');
  const feature = ({ left, top, right, bottom }: typeof RECTANGLE, name: string) => ({
    type: 'Feature',
    geometry: {
      type: 'Polygon',
      coordinates: [
        [
          [left, top],
          [right, top],
          [right, bottom],
          [left, bottom],
          [left, top],
        ],
      ],
    },
    properties: { objectType: 'annotation', classification: { name } },
  });
  const features = [feature(RECTANGLE, 'Stroma'), feature(IGNORED, 'Ignore*')];
  await writeFile(labels, JSON.stringify({ type: 'FeatureCollection', features }));
  set = await openLabelledSet(SLIDE, { labels, positive: 'Stroma' });
  const split = await splitSet(set, { by: 'patch', seed: 1, spacing: 0.5, patchSize: SIDE, openSlide });
  const looking = threads(DEFAULT_TISSUE_RULE, 0);
  index = await indexPatches(set, {
    ...{ split, spacing: 0.5, patchSize: SIDE, openSlide, context: true, padSmall: false, atOnce: 3 },
    look: (sample, col, row) => looking.look({ sample, col, row }),
    signal: new AbortController().signal,
  });
  await looking.close();
});

const threads = (rule: typeof DEFAULT_TISSUE_RULE | null, slots: number) =>
  new SampleThreads({
    threads: 2,
    side: SIDE,
    slots,
    setting: { map: set.map, reading: {}, rule, cacheBytes: 2 ** 26 },
  });

const labelAt = (x: number, y: number): number => {
  const inside = (part: typeof RECTANGLE) => x >= part.left && x < part.right && y >= part.top && y < part.bottom;
  if (x >= 2220 || y >= 2967 || inside(IGNORED)) return 255;
  return inside(RECTANGLE) ? 1 : 0;
};

describe('samples of a slide', () => {
  it('are the pixels that the model is given in a replay, with their labels', async () => {
    const opened = await openItem(index.items[0]!.image, { spacing: 0.5, openSlide });
    const plan = planPatches(opened.info, { spacing: 0.5, patchSize: SIDE });
    const arena = new Arena({ slots: 1, patchSize: SIDE });
    const readers = await ReaderPool.start({ threads: 1, arena });
    const slide = await readers.open(opened, plan, null);
    const pool = threads(null, 1);
    let compared = 0;
    for (const { item, col, row } of [...index.train.slice(0, 12), ...index.train.filter(patch => patch.col === 8)]) {
      await pool.read({ sample: index.items[item]!.sample, col, row, slot: 0 });
      const { image, labels } = pool.slot(0);
      const { x, y, width, height, level } = { x: 0, y: 0, width: 0, height: 0, level: 0 };
      await slide.read({ slide: 's', level, col, row, x, y, width, height }, 0);
      expect(Buffer.compare(image, arena.slot(0)), `${col},${row}`).toBe(0);
      const wrong = labels.findIndex(
        (label, i) => label !== labelAt(col * SIDE + (i % SIDE), row * SIDE + Math.floor(i / SIDE)),
      );
      expect(wrong, `label of ${col},${row}`).toBe(-1);
      compared++;
    }
    expect(compared).toBeGreaterThan(12);
    await pool.close();
    await slide.close();
    await readers.close();
  });

  it('are those that a replay scores: glass without stroma is left out, and counted', () => {
    const { removed, train, validation } = index;
    expect(removed.empty).toBeGreaterThan(0);
    // 9 × 12 patches, of which a tenth is for the test.
    expect(train.length + validation.length + removed.empty + removed.unlabelled).toBe(Math.round(108 * 0.9));
    const positive = [...train, ...validation].reduce((sum, patch) => sum + patch.positivePixels, 0);
    expect(positive).toBeLessThanOrEqual(800 * 1200);
    expect(positive).toBeGreaterThan(0.6 * 800 * 1200);
  });

  it('shrunk show what stands around them, and learn nothing from it', async () => {
    const pool = threads(null, 2);
    const { item } = index.train[0]!;
    const { sample } = index.items[item]!;
    const [col, row] = [3, 3];
    await pool.read({ sample, col, row, slot: 0 });
    await pool.read({ sample, col, row, slot: 1, change: { ...UNCHANGED, scale: 1.25 } });
    const [plain, shrunk] = [pool.slot(0), pool.slot(1)];
    // The patch ends 0.1 × side from the edge: outside of it labels are ignored, and the pixels are tissue.
    const edge = (at: number) => [at, at * SIDE, (SIDE - 1) * SIDE + at, at * SIDE + SIDE - 1];
    for (const at of [10, 128, 240].flatMap(edge)) {
      expect(shrunk.labels[at]).toBe(255);
      expect(shrunk.image[at * 3]).toBeGreaterThan(0);
    }
    expect(shrunk.labels.filter(label => label !== 255).length / SIDE ** 2).toBeCloseTo(0.64, 2);
    // The middle stays the middle.
    const middle = (SIDE / 2) * SIDE + SIDE / 2;
    const near = (image: Uint8Array) =>
      [0, 1, 2].map(c => (image[middle * 3 + c]! + image[(middle - SIDE - 1) * 3 + c]!) / 2);
    for (const [c, value] of near(shrunk.image).entries())
      expect(Math.abs(value - near(plain.image)[c]!)).toBeLessThan(30);
    await pool.close();
  });

  it('that cannot be read say so, and the thread goes on', async () => {
    const pool = threads(null, 1);
    const { sample } = index.items[0]!;
    const gone = { ...sample, item: 99, source: { ...sample.source, path: '/nowhere.svs' } };
    await expect(pool.read({ sample: gone, col: 0, row: 0, slot: 0 })).rejects.toMatchObject({
      code: expect.any(String),
    });
    await pool.read({ sample, col: 3, row: 3, slot: 0 });
    await pool.close();
    await expect(pool.read({ sample, col: 3, row: 3, slot: 0 })).rejects.toMatchObject({ code: 'SLIDE_UNREADABLE' });
  });
});
