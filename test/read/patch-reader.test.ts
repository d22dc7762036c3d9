import { afterAll, describe, expect, it } from 'vitest';
import { createOverview } from '#src/read/overview.js';
import { PatchReader, type ReadOutcome } from '#src/read/patch-reader.js';
import { PixelMemory } from '#src/read/pixel-memory.js';
import { type PlanOptions, patchRefs, planPatches } from '#src/read/plan.js';
import { TileCache } from '#src/read/tile-cache.js';
import { DEFAULT_TISSUE_RULE, type TissueRule } from '#src/read/tissue.js';
import { openSlide } from '#src/slide/open.js';
import { openTileSource } from '#src/slide/open-source.js';
import type { TileSource } from '#src/slide/slide.js';
import { SLIDE, scratch } from '../slide/fixture.js';
import { gradient, type PageOptions, type Picture, plain, writeTiff } from '../slide/tiff-writer.js';

const files = scratch();
afterAll(() => files.remove());

let counter = 0;
const tiff = (pages: readonly PageOptions[]) => files.write(`${counter++}.tif`, writeTiff(pages));

async function readAll(
  path: string,
  options: PlanOptions = {},
  rule: TissueRule | null = DEFAULT_TISSUE_RULE,
  mpp?: number,
) {
  const { info, source } = await openSlide(path, { mpp });
  const plan = planPatches(info, options);
  const overview = createOverview(plan);
  const memory = new PixelMemory();
  const tiles = await openTileSource(source);
  const levels: number[] = [];
  const counted: TileSource = {
    levels: tiles.levels,
    readTile: (level, ...rest) => {
      levels.push(level);
      return tiles.readTile(level, ...rest);
    },
    close: () => tiles.close(),
  };
  const reader = new PatchReader(counted, plan, rule, overview, memory, new TileCache(memory, 2 ** 24));
  const outcomes: ReadOutcome[] = [];
  const patches: Uint8Array[] = [];
  for (const { col, row } of patchRefs(plan)) {
    const slot = new Uint8Array(new SharedArrayBuffer(plan.patchSize ** 2 * 3)).fill(7);
    outcomes.push(await reader.read(col, row, slot));
    patches.push(slot);
  }
  reader.close();
  return { plan, outcomes, patches, levels, canvas: new Uint8Array(overview.shared), overview };
}

const GLASS = [243, 242, 243] as const;
const STROMA = [225, 160, 190] as const;

/** Glass with a rectangle of stroma. */
function slide(width: number, height: number, x: number, y: number, w: number, h: number): Picture {
  const picture = plain(width, height, GLASS);
  for (let row = y; row < y + h; row++)
    for (let col = x; col < x + w; col++) picture.data.set(STROMA, (row * width + col) * 3);
  return picture;
}

describe('PatchReader on the real slide', () => {
  it('keeps the patches with tissue, counts their pixels and paints the picture', async () => {
    const { plan, outcomes, canvas, overview } = await readAll(SLIDE);
    const map = Array.from({ length: plan.rows }, (_, row) =>
      outcomes
        .slice(row * plan.cols, (row + 1) * plan.cols)
        .map(({ outcome }) => (outcome === 'tissue' ? '#' : '.'))
        .join(''),
    );
    // By eye: tissue runs down the middle; the thin strand in the third row, the debris at the edges are kept.
    expect(map).toEqual(['###..', '.####', '####.', '.###.', '.###.', '####.']);
    expect(outcomes.reduce((sum, { validPixels }) => sum + validPixels, 0)).toBe(2220 * 2967);
    for (const { tissuePixels, validPixels } of outcomes) expect(tissuePixels).toBeLessThanOrEqual(validPixels);
    expect(overview).toMatchObject({ width: 1110, height: 1484, factor: 2 });
    // Glass at the left edge, stained tissue in the middle, nothing left white or black.
    expect([...canvas.subarray((700 * 1110 + 20) * 3, (700 * 1110 + 20) * 3 + 3)].every(value => value > 230)).toBe(
      true,
    );
    expect(canvas[(1300 * 1110 + 420) * 3 + 1]).toBeLessThan(200);
    expect(canvas.subarray((1483 * 1110 + 1109) * 3).every(value => value > 230 && value < 252)).toBe(true);
  });

  it('paints the same picture and counts the same tissue with and without the filter', async () => {
    const filtered = await readAll(SLIDE);
    const all = await readAll(SLIDE, {}, null);
    expect(all.outcomes.every(({ outcome }) => outcome === 'tissue')).toBe(true);
    expect(all.outcomes.map(({ tissuePixels }) => tissuePixels)).toEqual(
      filtered.outcomes.map(({ tissuePixels }) => tissuePixels),
    );
    expect(Buffer.compare(all.canvas, filtered.canvas)).toBe(0);
  });
});

describe('PatchReader', () => {
  it('puts the core in the middle of its margin, zero where the slide ends', async () => {
    const picture = gradient(150, 100);
    const { patches, plan } = await readAll(
      tiff([{ picture, tile: [64, 64] }]),
      { patchSize: 96, margin: 16 },
      null,
      0.5,
    );
    expect(plan).toMatchObject({ core: 64, cols: 3, rows: 2 });
    for (const [index, patch] of patches.entries()) {
      const left = (index % 3) * 64 - 16;
      const top = Math.floor(index / 3) * 64 - 16;
      for (const [x, y] of [
        [0, 0],
        [16, 16],
        [50, 40],
        [95, 95],
      ] as const) {
        const [sx, sy] = [left + x, top + y];
        const inside = sx >= 0 && sy >= 0 && sx < 150 && sy < 100;
        const wanted = inside ? [...picture.data.subarray((sy * 150 + sx) * 3, (sy * 150 + sx) * 3 + 3)] : [0, 0, 0];
        expect([...patch.subarray((y * 96 + x) * 3, (y * 96 + x) * 3 + 3)]).toEqual(wanted);
      }
    }
  });

  it('mirrors the slide past its edges when told to, and counts and paints the same', async () => {
    const picture = gradient(150, 100);
    const file = tiff([{ picture, tile: [64, 64] }]);
    const grid = { patchSize: 96, margin: 16 };
    const [zero, mirror] = [
      await readAll(file, grid, DEFAULT_TISSUE_RULE, 0.5),
      await readAll(file, { ...grid, padding: 'mirror' }, DEFAULT_TISSUE_RULE, 0.5),
    ];
    const told = ({ outcomes }: typeof zero) => outcomes.map(({ seconds: _, ...outcome }) => outcome);
    expect(told(mirror)).toEqual(told(zero));
    expect(mirror.canvas).toEqual(zero.canvas);
    const back = (at: number, size: number) => (at < 0 ? -1 - at : at >= size ? 2 * size - 1 - at : at);
    for (const [index, patch] of mirror.patches.entries()) {
      if (mirror.outcomes[index]!.outcome !== 'tissue') continue;
      const [left, top] = [(index % 3) * 64 - 16, Math.floor(index / 3) * 64 - 16];
      for (let y = 0; y < 96; y += 5)
        for (let x = 0; x < 96; x += 5) {
          const [sx, sy] = [back(left + x, 150), back(top + y, 100)];
          // Further out it is the mirror image of a mirror image: see mirror.test.ts.
          if (sx < left || sy < top) continue;
          const at = (sy * 150 + sx) * 3;
          expect([...patch.subarray((y * 96 + x) * 3, (y * 96 + x) * 3 + 3)]).toEqual([
            ...picture.data.subarray(at, at + 3),
          ]);
        }
    }
    expect(mirror.outcomes.filter(({ outcome }) => outcome === 'tissue').length).toBeGreaterThan(3);
  });

  it('does not take padding for tissue', async () => {
    const { outcomes } = await readAll(
      tiff([{ picture: plain(70, 70, GLASS), tile: [64, 64] }]),
      { patchSize: 64 },
      DEFAULT_TISSUE_RULE,
      0.5,
    );
    expect(outcomes.map(({ outcome, validPixels, tissuePixels }) => [outcome, validPixels, tissuePixels])).toEqual([
      ['empty', 64 * 64, 0],
      ['empty', 6 * 64, 0],
      ['empty', 6 * 64, 0],
      ['empty', 36, 0],
    ]);
  });

  it('keeps a patch from the smallest part of tissue on, and all when told to', async () => {
    // 8 × 40 pixels of 64 × 64: 7.8 %.
    const path = tiff([{ picture: slide(128, 64, 8, 8, 8, 40), tile: [64, 64] }]);
    const outcomes = async (rule: TissueRule | null) =>
      (await readAll(path, { patchSize: 64 }, rule, 0.5)).outcomes.map(
        ({ outcome, tissuePixels }) => `${outcome} ${tissuePixels}`,
      );
    expect(await outcomes({ ...DEFAULT_TISSUE_RULE, minFraction: 0.078 })).toEqual(['tissue 320', 'empty 0']);
    expect(await outcomes({ ...DEFAULT_TISSUE_RULE, minFraction: 0.079 })).toEqual(['empty 320', 'empty 0']);
    expect(await outcomes({ ...DEFAULT_TISSUE_RULE, minFraction: 0 })).toEqual(['tissue 320', 'tissue 0']);
    expect(await outcomes(null)).toEqual(['tissue 320', 'tissue 0']);
  });

  it('resamples a finer level', async () => {
    const { plan, patches, outcomes } = await readAll(
      tiff([{ picture: plain(257, 130, STROMA), tile: [64, 64] }]),
      { patchSize: 64 },
      null,
      0.25,
    );
    expect(plan).toMatchObject({ scale: 2, width: 129, height: 65, cols: 3, rows: 2 });
    expect([...patches[0]!.subarray(0, 3)]).toEqual([...STROMA]);
    expect(outcomes[5]).toMatchObject({ validPixels: 1, tissuePixels: 1 });
    expect([...patches[5]!.subarray(0, 6)]).toEqual([...STROMA, 0, 0, 0]);
  });
});
