import { mkdirSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { StromaflowError } from '#src/errors.js';
import { createOverview } from '#src/read/overview.js';
import type { PatchPlan } from '#src/read/patch.js';
import { PatchReader, type ReadOutcome } from '#src/read/patch-reader.js';
import { PixelMemory } from '#src/read/pixel-memory.js';
import { patchRefs, planPatches, validSize } from '#src/read/plan.js';
import { TileCache } from '#src/read/tile-cache.js';
import { DEFAULT_TISSUE_RULE } from '#src/read/tissue.js';
import { openSlide } from '#src/slide/open.js';
import { openTileSource } from '#src/slide/open-source.js';
import type { LevelGeometry, StoredTiles } from '#src/slide/slide.js';
import { mulberry } from '../mask/naive.js';
import {
  DAMAGED_FORMATS,
  type DamagedFormat,
  type Fate,
  levelsOf,
  placesOf,
  type SlideLevel,
} from './damaged-slides.js';
import { scratch } from './fixture.js';

/**
 * Whatever tiles of whatever levels are missing or damaged: no patch whose own tiles are sound is another one for it,
 * tissue is never called empty, and every tile that is listed was read or is counted.
 */

const files = scratch();
afterAll(() => files.remove());

type TileFact = 'there' | 'missing' | 'damaged';

interface Reading {
  readonly plan: PatchPlan;
  readonly levels: readonly LevelGeometry[];
  readonly outcomes: readonly (ReadOutcome | 'TILE_CORRUPT')[];
  readonly patches: readonly Uint8Array[];
  /** What the source itself says of each tile of each level. */
  readonly facts: readonly (readonly TileFact[])[];
  readonly stored: StoredTiles;
}

const codeOf = (error: unknown): 'TILE_CORRUPT' => {
  if (error instanceof StromaflowError && error.code === 'TILE_CORRUPT') return error.code;
  throw error;
};

async function readAll(path: string, spacing: number, patch: { patchSize: number; margin: number }): Promise<Reading> {
  const slide = await openSlide(path, { id: 'slide', mpp: 0.5 });
  const plan = planPatches(slide.info, { spacing, ...patch, tolerance: 0.05 });
  const source = await openTileSource(slide.source);
  const facts: TileFact[][] = [];
  for (const [level, { tileWidth, tileHeight, width, height }] of source.levels.entries()) {
    const into = new Uint8Array(tileWidth * tileHeight * 3);
    const of: TileFact[] = [];
    for (const [col, row] of placesOf({ width, height, samples: 3, data: into }, tileWidth))
      try {
        of.push((await source.readTile(level, col, row, into)) === 'missing' ? 'missing' : 'there');
      } catch (error) {
        codeOf(error);
        of.push('damaged');
      }
    facts.push(of);
  }
  const memory = new PixelMemory();
  // Room for few tiles, so that they come and go.
  const cache = new TileCache(memory, 12 * 1024);
  const reader = new PatchReader(source, plan, DEFAULT_TISSUE_RULE, createOverview(plan), memory, cache);
  const outcomes: (ReadOutcome | 'TILE_CORRUPT')[] = [];
  const patches: Uint8Array[] = [];
  for (const { col, row } of patchRefs(plan)) {
    const slot = new Uint8Array(plan.patchSize ** 2 * 3);
    outcomes.push(await reader.read(col, row, slot).catch(codeOf));
    patches.push(slot);
  }
  reader.close();
  return { plan, levels: slide.info.levels, outcomes, patches, facts, stored: slide.stored!(plan.level) };
}

/** Whether a pixel of a level can be shown: its tile is there, or all that the finer level has of it can be shown. */
function shows({ levels, facts }: Reading, level: number, x: number, y: number): boolean {
  const { width, tileWidth, tileHeight } = levels[level]!;
  const tile = Math.floor(y / tileHeight) * Math.ceil(width / tileWidth) + Math.floor(x / tileWidth);
  if (facts[level]![tile] === 'there') return true;
  if (level === 0) return false;
  return [0, 1, 2, 3].every(part =>
    shows({ levels, facts } as Reading, level - 1, x * 2 + (part & 1), y * 2 + (part >> 1)),
  );
}

/** Level pixels under plan pixels [from, to) of an axis. */
const under = (from: number, to: number, scale: number, size: number): [number, number] => [
  Math.floor(from * scale + 1e-9),
  Math.min(size, Math.ceil(to * scale - 1e-9)),
];

/** What the tiles that a patch with its margin touches are. */
function ownTiles({ plan, levels, facts }: Reading, col: number, row: number): Set<TileFact> {
  const { level, core, margin, patchSize, scale } = plan;
  const { width, height, tileWidth, tileHeight } = levels[level]!;
  const window = (index: number, plan: number, size: number): [number, number] =>
    under(Math.max(0, index * core - margin), Math.min(plan, index * core - margin + patchSize), scale, size);
  const [left, right] = window(col, plan.width, width);
  const [top, bottom] = window(row, plan.height, height);
  const found = new Set<TileFact>();
  const cols = Math.ceil(width / tileWidth);
  for (let y = Math.floor(top / tileHeight); y * tileHeight < bottom; y++)
    for (let x = Math.floor(left / tileWidth); x * tileWidth < right; x++) found.add(facts[level]![y * cols + x]!);
  return found;
}

/** 1 for each pixel of a patch's core that cannot be shown whole. */
function missingPixels(reading: Reading, col: number, row: number): Uint8Array {
  const { plan, levels } = reading;
  const { level, core, scale } = plan;
  const { width, height } = levels[level]!;
  const [across, down] = validSize(plan, col, row);
  const out = new Uint8Array(core * core);
  for (let y = 0; y < down; y++)
    for (let x = 0; x < across; x++) {
      const [left, right] = under(col * core + x, col * core + x + 1, scale, width);
      const [top, bottom] = under(row * core + y, row * core + y + 1, scale, height);
      for (let v = top; v < bottom; v++)
        for (let u = left; u < right; u++) if (!shows(reading, level, u, v)) out[y * core + x] = 1;
    }
  return out;
}

function marked({ missing = [] }: ReadOutcome, core: number): Uint8Array {
  const out = new Uint8Array(core * core);
  for (const { x, y, width, height } of missing)
    for (let v = y; v < y + height; v++) for (let u = x; u < x + width; u++) out[v * core + u]! += 1;
  return out;
}

function check(format: DamagedFormat, sound: Reading, damaged: Reading): void {
  const { plan } = damaged;
  for (const [index, { col, row }] of [...patchRefs(plan)].entries()) {
    const where = `patch ${col},${row}`;
    const before = sound.outcomes[index] as ReadOutcome;
    const after = damaged.outcomes[index]!;
    const own = ownTiles(damaged, col, row);
    if (own.has('damaged')) {
      expect(after, where).toBe('TILE_CORRUPT');
      continue;
    }
    if (after === 'TILE_CORRUPT') throw new Error(`${where} fails, and its own tiles are sound`);
    const missing = missingPixels(damaged, col, row);
    expect(Buffer.compare(marked(after, plan.core), missing), `${where}: what is missing`).toBe(0);
    if (!own.has('missing')) {
      expect({ ...after, seconds: 0 }, where).toEqual({ ...before, seconds: 0 });
      expect(Buffer.compare(damaged.patches[index]!, sound.patches[index]!), `${where}: pixels`).toBe(0);
    }
    const lost = missing.includes(1);
    if (lost) expect(after.outcome, where).not.toBe('empty');
    if (lost && !missing.subarray(0, plan.core).includes(0) && after.outcome === 'tissue')
      expect(after.tissuePixels, where).toBeGreaterThan(0);
    // Drawn from a finer level that was reduced to this one: the same tissue.
    if (!lost && format.lossless) expect(after.outcome, where).toBe(before.outcome);
    if (!lost && format.lossless && plan.scale === 1 && plan.margin === 0 && after.outcome === 'tissue')
      expect(mostApart(damaged.patches[index]!, sound.patches[index]!), where).toBeLessThanOrEqual(1);
    if (before.outcome === 'tissue') expect(after.outcome, where).not.toBe('empty');
  }
}

const mostApart = (a: Uint8Array, b: Uint8Array): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

/** Every tile that the level lists was read, or failed its patches, or is counted. */
function checkCounts(format: DamagedFormat, { plan, facts, stored, outcomes }: Reading): void {
  const own = facts[plan.level]!;
  const there = own.filter(fact => fact !== 'missing').length;
  const lost = stored.expected - stored.seen - stored.drawn;
  expect(stored.seen).toBe(there);
  expect(stored.expected).toBe(format.listsStored ? there : own.length);
  const damagedFiner = facts.slice(0, plan.level).some(level => level.includes('damaged'));
  const someMissing = outcomes.some(outcome => outcome !== 'TILE_CORRUPT' && outcome.missing !== undefined);
  if (someMissing && !format.listsStored && !damagedFiner) expect(lost).toBeGreaterThan(0);
  if (own.includes('damaged')) expect(outcomes).toContain('TILE_CORRUPT');
}

const PLANS = [
  { spacing: 0.5, patchSize: 32, margin: 0 },
  { spacing: 1, patchSize: 32, margin: 0 },
  { spacing: 1, patchSize: 64, margin: 16 },
  { spacing: 2, patchSize: 32, margin: 0 },
  { spacing: 0.8, patchSize: 32, margin: 0 },
  { spacing: 1.7, patchSize: 64, margin: 16 },
] as const;

let counter = 0;
const write = (format: DamagedFormat, levels: readonly SlideLevel[], fateOf: (...of: number[]) => Fate) => {
  const folder = files.path(String(counter++));
  mkdirSync(folder);
  return format.write(folder, levels, fateOf);
};

/** Few, many or all tiles of each level have a fate of their own, drawn by the seed. */
const level = fc.record({ share: fc.constantFrom(0, 0.2, 0.6, 1), seed: fc.nat() });

describe.each(DAMAGED_FORMATS.map(format => [format.name, format] as const))('%s', (_, format) => {
  it('is never taken for glass where it is not there, and never changed by what it is not read from', async () => {
    const sound = new Map<string, Promise<string>>();
    const plans = format.levels === 1 ? PLANS.filter(({ spacing }) => spacing !== 1.7) : PLANS;
    await fc.assert(
      fc.asyncProperty(
        fc.tuple(level, level, level),
        fc.constantFrom(...plans),
        fc.constantFrom([32, 16, 32], [16, 32, 16], [32, 32, 32], [48, 16, 32]),
        async (fates, plan, sides) => {
          const tiles = (format.name === 'DeepZoom' ? [32, 32, 32] : sides).slice(0, format.levels);
          const levels = levelsOf(tiles);
          const readLevel = levels.findLastIndex((_, level) => 0.5 * 2 ** level <= plan.spacing * 1.05);
          const drawn = fates.map(({ share, seed }, level) => {
            const random = mulberry(seed);
            return placesOf(levels[level]?.picture ?? levels[0]!.picture, 16).map((): Fate => {
              const [chance, which] = [random(), random()];
              const fate = format.fates[Math.floor(which * format.fates.length)]!;
              // Glass that is there is glass, but in a level that nobody reads.
              return chance >= share || (fate === 'white' && level <= readLevel) ? 'sound' : fate;
            });
          });
          const fateOf = (level: number, col: number, row: number): Fate => {
            const { picture, tile } = levels[level]!;
            return drawn[level]![row * Math.ceil(picture.width / tile) + col]!;
          };
          const key = tiles.join();
          if (!sound.has(key))
            sound.set(
              key,
              write(format, levels, () => 'sound'),
            );
          const before = await readAll(await sound.get(key)!, plan.spacing, plan);
          const after = await readAll(await write(format, levels, fateOf), plan.spacing, plan);
          expect(after.plan).toEqual(before.plan);
          expect(after.plan.level).toBe(readLevel);
          check(format, before, after);
          checkCounts(format, after);
        },
      ),
      { numRuns: format.slow ? 12 : 30 },
    );
  });
});
