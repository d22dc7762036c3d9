import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PatchWaits } from '#src/live/patch-waits.js';
import { PatchAssembler } from '#src/read/assemble.js';
import type { PatchPlan } from '#src/read/patch.js';
import { PixelMemory } from '#src/read/pixel-memory.js';
import { planPatches } from '#src/read/plan.js';
import { TileCache } from '#src/read/tile-cache.js';
import type { LevelGeometry, SlideInfo, TileSource } from '#src/slide/slide.js';

interface Cut {
  readonly width: number;
  readonly height: number;
  readonly tile: number;
  readonly spacing: number;
  readonly margin: number;
}

const cuts = fc.record<Cut>({
  width: fc.integer({ min: 1, max: 700 }),
  height: fc.integer({ min: 1, max: 700 }),
  tile: fc.integer({ min: 17, max: 300 }),
  spacing: fc.constantFrom(0.5, 0.61, 1, 1.3, 2),
  margin: fc.constantFrom(0, 16, 32),
});

function planOf({ width, height, tile, spacing, margin }: Cut): { plan: PatchPlan; level: LevelGeometry } {
  const level = { width, height, downsample: 1, mpp: 0.5, tileWidth: tile, tileHeight: tile };
  const facts = { id: 'x', path: 'x', format: 'x', fingerprint: 'x', properties: {} };
  const info: SlideInfo = { ...facts, mpp: 0.5, levels: [level] };
  return { level, plan: planPatches(info, { spacing, patchSize: 128, margin }) };
}

/** The tiles that reading a patch really asks for, each patch with an empty cache. */
async function tilesRead({ plan, level }: ReturnType<typeof planOf>, col: number, row: number): Promise<Set<number>> {
  const read = new Set<number>();
  const source: TileSource = {
    levels: [level],
    readTile: (_, tileCol, tileRow) => {
      read.add(tileRow * Math.ceil(level.width / level.tileWidth) + tileCol);
      return 'missing';
    },
    close: () => undefined,
  };
  const memory = new PixelMemory();
  const assembler = new PatchAssembler(source, memory, new TileCache(memory, 1 << 20));
  const { core, margin, patchSize, scale, width, height } = plan;
  const at = { x: col * core - margin, y: row * core - margin, width: patchSize, height: patchSize };
  const size = { slideWidth: width, slideHeight: height, nextTop: 0 };
  await assembler.read({ level: 0, scale, ...at, ...size }, memory.area('patch', patchSize * patchSize * 3));
  return read;
}

describe('PatchWaits', () => {
  it('lets a patch go with the last of exactly the tiles that its reader asks for', () =>
    fc.assert(
      fc.asyncProperty(cuts, fc.infiniteStream(fc.nat()), async (cut, numbers) => {
        const cutting = planOf(cut);
        const { plan, level } = cutting;
        const tiles = Math.ceil(level.width / level.tileWidth) * Math.ceil(level.height / level.tileHeight);
        const order = Array.from({ length: tiles }, (_, tile) => ({ tile, key: numbers.next().value ?? 0 }));
        order.sort((a, b) => a.key - b.key);
        const wanted = new Map<string, Set<number>>();
        for (let row = 0; row < plan.rows; row++)
          for (let col = 0; col < plan.cols; col++) wanted.set(`${col} ${row}`, await tilesRead(cutting, col, row));
        const waits = new PatchWaits(plan, level);
        for (const { tile } of order) {
          const due = waits.arrive([tile]).map(({ col, row }) => `${col} ${row}`);
          const expected: string[] = [];
          for (const [patch, missing] of wanted) {
            missing.delete(tile);
            if (missing.size > 0) continue;
            expected.push(patch);
            wanted.delete(patch);
          }
          expect(due.toSorted()).toEqual(expected.toSorted());
        }
        expect(wanted.size).toBe(0);
        expect([...waits.rest()]).toEqual([]);
      }),
      { numRuns: 60 },
    ));

  it('gives out each patch once, those that lack tiles at the end', () =>
    fc.assert(
      fc.property(cuts, fc.infiniteStream(fc.boolean()), (cut, coins) => {
        const { plan, level } = planOf(cut);
        const tiles = Math.ceil(level.width / level.tileWidth) * Math.ceil(level.height / level.tileHeight);
        const there = Array.from({ length: tiles }, (_, tile) => tile).filter(() => coins.next().value);
        const waits = new PatchWaits(plan, level);
        const given = [...waits.arrive(there), ...waits.rest(), ...waits.rest()].map(({ col, row }) => `${col} ${row}`);
        expect(new Set(given).size).toBe(given.length);
        expect(given).toHaveLength(plan.cols * plan.rows);
      }),
    ));
});
