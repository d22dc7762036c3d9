import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Worker } from 'node:worker_threads';
import sharp from 'sharp';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { Arena } from '#src/arena.js';
import type { PatchPlan, PatchRef } from '#src/read/patch.js';
import { patchRef, patchRefs, planPatches } from '#src/read/plan.js';
import { ReaderPool, type ReadOutcome } from '#src/read/reader-pool.js';
import { DEFAULT_TISSUE_RULE } from '#src/read/tissue.js';
import { openSlide } from '#src/slide/open.js';
import type { TiffDescription } from '#src/slide/tiff/description.js';
import { failureOf, SLIDE, scratch } from '../slide/fixture.js';
import { gradient, plain, writeTiff } from '../slide/tiff-writer.js';

const files = scratch();
afterAll(() => files.remove());

const workers: Worker[] = [];
process.on('worker', worker => workers.push(worker));

const pools: ReaderPool[] = [];
afterEach(async () => {
  await Promise.all(pools.splice(0).map(pool => pool.close()));
  workers.length = 0;
});

async function start(threads: number, patchSize = 512, slots = 8, cacheBytes?: number) {
  const arena = new Arena({ slots, patchSize });
  const pool = await ReaderPool.start({ threads, arena, ...(cacheBytes ? { cacheBytes } : {}) });
  pools.push(pool);
  return { arena, pool };
}

type Handle = Awaited<ReturnType<ReaderPool['open']>>;

/** Reads a whole plan with as many reads at a time as there are slots. */
async function readAll(
  handle: Handle,
  plan: PatchPlan,
  arena: Arena,
  take: (ref: PatchRef, outcome: ReadOutcome, pixels: Uint8Array) => void,
) {
  const refs = patchRefs(plan);
  const failures: [PatchRef, string][] = [];
  const lane = async (slot: number) => {
    for (const ref of refs) {
      try {
        take(ref, await handle.read(ref, slot), arena.slot(slot));
      } catch (error) {
        failures.push([ref, (error as { code: string }).code]);
      }
    }
  };
  await Promise.all(Array.from({ length: arena.shape.slots }, (_, slot) => lane(slot)));
  return failures;
}

const sum = (pixels: Uint8Array) => pixels.reduce((total, value, i) => (total * 31 + value + i) % 1_000_003, 0);

async function digest(threads: number, cacheBytes?: number): Promise<{ patches: string[]; picture: number }> {
  const { arena, pool } = await start(threads, 512, 8, cacheBytes);
  const slide = await openSlide(SLIDE);
  const plan = planPatches(slide.info);
  const handle = await pool.open(slide, plan, DEFAULT_TISSUE_RULE);
  const patches: string[] = [];
  const failures = await readAll(handle, plan, arena, ({ col, row }, { outcome, tissuePixels, seconds }, pixels) => {
    expect(seconds).toBeGreaterThan(0);
    patches.push(`${col},${row} ${outcome} ${tissuePixels} ${outcome === 'tissue' ? sum(pixels) : ''}`);
  });
  expect(failures).toEqual([]);
  await handle.close();
  return { patches: patches.toSorted(), picture: sum(new Uint8Array(handle.overview.shared)) };
}

describe('ReaderPool', () => {
  it('reads the same pixels, tissue and picture with any number of threads and any cache', async () => {
    const one = await digest(1);
    expect(one.patches.length).toBe(30);
    expect(await digest(3)).toEqual(one);
    expect(await digest(2, 1)).toEqual(one);
  });

  it('reads several slides at a time', async () => {
    const { arena, pool } = await start(2, 64);
    const handles = await Promise.all(
      [40, 90, 200].map(async value => {
        const path = files.write(
          `plain-${value}.tif`,
          writeTiff([{ picture: plain(150, 100, [value, 20, 60]), tile: [32, 32] }]),
        );
        const slide = await openSlide(path, { mpp: 0.5 });
        const plan = planPatches(slide.info, { patchSize: 64 });
        return { value, plan, handle: await pool.open(slide, plan, null) };
      }),
    );
    await Promise.all(
      handles.map(async ({ value, plan, handle }, slot) => {
        for (const ref of patchRefs(plan)) {
          expect((await handle.read(ref, slot)).outcome).toBe('tissue');
          expect(arena.slot(slot)[0]).toBe(value);
        }
      }),
    );
    await handles[0]!.handle.close();
    // A slide that was closed is closed for good, the others stay open.
    const { plan } = handles[0]!;
    expect((await failureOf(() => handles[0]!.handle.read(patchRef(plan, 0, 0), 0))).code).toBe('SLIDE_UNREADABLE');
    await expect(handles[1]!.handle.read(patchRef(plan, 0, 0), 0)).resolves.toMatchObject({ outcome: 'tissue' });
  });

  it('reports the patches of a corrupt tile in the middle of a slide, and reads all others', async () => {
    const bytes = Buffer.from(readFileSync(SLIDE));
    const [level] = ((await openSlide(SLIDE)).source as TiffDescription).levels;
    const tile = 6 * 10 + 5;
    bytes.fill(0, level!.offsets[tile]! + 2000, level!.offsets[tile]! + level!.byteCounts[tile]!);
    const slide = await openSlide(files.write('corrupt.svs', bytes));
    const plan = planPatches(slide.info);
    const { arena, pool } = await start(2);
    const handle = await pool.open(slide, plan, DEFAULT_TISSUE_RULE);
    let read = 0;
    const failures = await readAll(handle, plan, arena, () => {
      read++;
    });
    // Tile (5, 6) covers pixels 1200–1440 × 1440–1680: patches (2, 2) and (2, 3).
    expect(failures.map(([{ col, row }, code]) => `${col},${row} ${code}`).toSorted()).toEqual([
      '2,2 TILE_CORRUPT',
      '2,3 TILE_CORRUPT',
    ]);
    expect(read).toBe(28);
  });

  it('rejects reads whose signal aborted before they began', async () => {
    const { pool } = await start(1);
    const slide = await openSlide(SLIDE);
    const plan = planPatches(slide.info);
    const handle = await pool.open(slide, plan, null);
    const abort = new AbortController();
    const reads = Array.from({ length: 8 }, (_, slot) =>
      handle.read(patchRef(plan, slot % 5, 0), slot, abort.signal).then(
        () => 'read',
        (error: Error) => error.message,
      ),
    );
    abort.abort(new Error('enough'));
    const results = await Promise.all(reads);
    // What the thread already had is finished, because it may be writing the slot.
    expect(results[0]).toBe('read');
    expect(results.slice(4)).toEqual(['enough', 'enough', 'enough', 'enough']);
  });

  it('replaces a thread that dies: its reads are rejected, later ones work', async () => {
    const { arena, pool } = await start(2);
    const slide = await openSlide(SLIDE);
    const plan = planPatches(slide.info);
    const handle = await pool.open(slide, plan, null);
    const reads = Array.from({ length: 8 }, (_, slot) =>
      handle.read(patchRef(plan, slot % 5, slot >> 2), slot).then(
        () => 'read',
        (error: { code: string }) => error.code,
      ),
    );
    await workers[0]!.terminate();
    const results = await Promise.all(reads);
    expect(new Set(results)).toEqual(new Set(['read', 'SLIDE_UNREADABLE']));
    const failures = await readAll(handle, plan, arena, () => {});
    expect(failures).toEqual([]);
    expect(workers.length).toBe(3);
    await handle.close();
  });

  it('rejects what is under way when it closes', async () => {
    const { pool } = await start(1);
    const slide = await openSlide(SLIDE);
    const plan = planPatches(slide.info);
    const handle = await pool.open(slide, plan, null);
    const reads = Array.from({ length: 8 }, (_, slot) => handle.read(patchRef(plan, 0, 0), slot));
    const results = Promise.allSettled(reads);
    await pool.close();
    for (const result of await results)
      if (result.status === 'rejected') expect((result.reason as { code: string }).code).toBe('SLIDE_UNREADABLE');
    expect((await failureOf(() => handle.read(patchRef(plan, 0, 0), 0))).code).toBe('SLIDE_UNREADABLE');
    await expect(handle.close()).resolves.toBeUndefined();
  });

  it('can be closed while a native codec is at work', async () => {
    // Progressive tiles are left to libjpeg-turbo, whose binding ends the process when its thread is stopped.
    const picture = gradient(1024, 1024);
    const tile = await sharp({ create: { width: 256, height: 256, channels: 3, background: '#b8a' } })
      .jpeg({ progressive: true })
      .toBuffer();
    const levels = [{ picture, tile: [256, 256], compression: 'jpeg', damage: () => tile }] as const;
    const path = files.write('progressive.tif', writeTiff(levels));
    const child = fileURLToPath(new URL('close-busy-pool.mjs', import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, [child, path]);
    expect(stdout).toBe('closed them all');
  });

  it('closes when a thread has ended before', async () => {
    const { pool } = await start(2);
    await Promise.all(workers.slice(-2).map(worker => worker.terminate()));
    await expect(pool.close()).resolves.toBeUndefined();
  });

  it('opens nothing that cannot be read', async () => {
    const path = files.write('gone.tif', writeTiff([{ picture: gradient(64, 64), tile: [32, 32] }]));
    const slide = await openSlide(path, { mpp: 0.5 });
    const plan = planPatches(slide.info, { patchSize: 64 });
    const { pool } = await start(2, 64);
    const gone = { info: slide.info, source: { ...slide.source, path: files.path('not-there.tif') } };
    expect((await failureOf(() => pool.open(gone, plan, null))).code).toBe('SLIDE_UNREADABLE');
    const unknown = { info: slide.info, source: { kind: 'film', path } };
    expect((await failureOf(() => pool.open(unknown, plan, null))).code).toBe('SLIDE_UNSUPPORTED');
    await expect(pool.open(slide, plan, null)).resolves.toBeDefined();
  });

  it('refuses patches of another size than its arena’s, and no threads', async () => {
    const { arena, pool } = await start(1, 64);
    const slide = await openSlide(SLIDE);
    const error = await failureOf(() => pool.open(slide, planPatches(slide.info), null));
    expect(error.code).toBe('CONFIG_INVALID');
    expect((await failureOf(() => ReaderPool.start({ threads: 0, arena }))).code).toBe('CONFIG_INVALID');
  });
});
