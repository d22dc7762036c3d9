import fc from 'fast-check';
import { expect, it } from 'vitest';
import { PatchAssembler } from '#src/read/assemble.js';
import { PixelMemory } from '#src/read/pixel-memory.js';
import { planPatches, regionOf } from '#src/read/plan.js';
import { TileCache } from '#src/read/tile-cache.js';
import { visitTiles } from '#src/read/visit-tiles.js';
import type { LevelGeometry, SlideInfo, TileSource } from '#src/slide/slide.js';
import { patchesOf } from '#src/tasks/touching.js';
import { THOROUGH } from '../support/thorough.js';

/** Slides of two or three levels, some of whose tiles are not stored. */
const slides = fc.record({
  width: fc.integer({ min: 70, max: 400 }),
  height: fc.integer({ min: 70, max: 400 }),
  tiles: fc.array(fc.integer({ min: 16, max: 90 }), { minLength: 3, maxLength: 3 }),
  levels: fc.integer({ min: 1, max: 3 }),
  missing: fc.integer({ min: 0, max: 4 }),
  seed: fc.integer({ min: 0, max: 1000 }),
  spacing: fc.double({ min: 0.5, max: 2.4, noNaN: true }),
  margin: fc.constantFrom(0, 16),
});

it('visits just the tiles that reading a patch asks for, missing ones and those they are drawn from too', async () => {
  await fc.assert(
    fc.asyncProperty(slides, async ({ width, height, tiles, levels: count, missing, seed, spacing, margin }) => {
      const levels = Array.from({ length: count }, (_, level): LevelGeometry => {
        const [downsample, side] = [2 ** level, tiles[level]!];
        const [across, down] = [Math.ceil(width / downsample), Math.ceil(height / downsample)];
        return { width: across, height: down, downsample, mpp: 0.5 * downsample, tileWidth: side, tileHeight: side };
      });
      const isStored = (level: number, col: number, row: number): boolean =>
        (seed + level * 7 + col * 3 + row * 5) % 10 >= missing;
      const asked = new Set<string>();
      const source: TileSource = {
        levels,
        readTile(level, col, row, into) {
          asked.add(`${level} ${col} ${row}`);
          into.fill(1);
          return isStored(level, col, row) ? 'decoded' : 'missing';
        },
        close: () => undefined,
      };
      const info = { id: 's', path: '', format: '', mpp: 0.5, levels, fingerprint: '', properties: {} } as SlideInfo;
      const plan = planPatches(info, { spacing, patchSize: 64, margin });
      for (let row = 0; row < plan.rows; row++)
        for (let col = 0; col < plan.cols; col++) {
          const memory = new PixelMemory();
          const assembler = new PatchAssembler(source, memory, new TileCache(memory, 2 ** 20));
          asked.clear();
          await assembler.read(regionOf(plan, col, row), memory.area('patch', 64 * 64 * 3));
          const visited = new Set<string>();
          await visitTiles(levels, plan, { col, row }, async (level, x, y) => {
            visited.add(`${level} ${x} ${y}`);
            // A tile of the plan's level knows which patches want it.
            if (level === plan.level)
              expect([...patchesOf(plan, levels[level]!, { col: x, row: y })]).toContainEqual({ col, row });
            return isStored(level, x, y);
          });
          expect(visited).toEqual(asked);
        }
    }),
    { numRuns: THOROUGH ? 300 : 25 },
  );
});
