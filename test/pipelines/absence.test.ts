import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lastValueFrom, of, toArray } from 'rxjs';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import type { Parts } from '#pipelines/parts.js';
import { segmentSlides } from '#pipelines/segment.js';
import { decodeEvent } from '#src/event/decode.js';
import { openSlide } from '#src/slide/open.js';
import type { SlideSummary } from '#src/store/summary.js';
import { scratch } from '../slide/fixture.js';
import { type PageOptions, plain, writeTiff } from '../slide/tiff-writer.js';
import { runCli } from '../support/cli.js';
import { partsWith, recording } from '../support/parts.js';
import { emptyFolder } from '../support/paths.js';

const files = scratch();
afterAll(() => files.remove());

const TISSUE = [200, 120, 160] as const;
const PATCH = { 'patch-size': 128, spacing: 0.5 } as const;

/** Tissue all over, 512 × 512 pixels of 0.5 µm in tiles of 64. */
const page = (more: Partial<PageOptions> = {}): PageOptions => ({
  ...{ picture: plain(512, 512, TISSUE), tile: [64, 64], resolution: 20_000, ...more },
});

let counter = 0;
const tiff = (...pages: readonly PageOptions[]): string => files.write(`slide${counter++}.tif`, writeTiff(pages));

/** @param healed readers find tissue where nothing is stored. */
async function run(path: string, out: string, healed = false) {
  const { parts: opened, events } = recording(await partsWith({ out, ...PATCH }));
  const parts = healed ? { ...opened, readers: healing(opened.readers) } : opened;
  try {
    const task = { path, id: 'slide', open: () => openSlide(path, { id: 'slide' }) };
    const [result] = await lastValueFrom(segmentSlides(of(task), parts, new AbortController().signal).pipe(toArray()));
    return { result: result!, events: events.map(event => decodeEvent(event)!) };
  } finally {
    await parts.close();
  }
}

function healing(readers: Parts['readers']): Parts['readers'] {
  const open: Parts['readers']['open'] = async (...given) => {
    const handle = await readers.open(...given);
    const read: typeof handle.read = async (ref, slot, signal) => {
      const { missing: _, ...found } = await handle.read(ref, slot, signal);
      return { ...found, outcome: 'tissue' };
    };
    return { ...handle, read };
  };
  return { open, close: () => readers.close() } as Parts['readers'];
}

const summaryIn = (out: string): SlideSummary => JSON.parse(readFileSync(join(out, 'slide', 'summary.json'), 'utf8'));
const linesIn = (out: string): Record<string, unknown>[] =>
  readFileSync(join(out, 'slide', 'patches.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map(line => JSON.parse(line));

describe('a slide that lacks some tiles', () => {
  it('is completed, and says everywhere what it lacks', async () => {
    const out = await emptyFolder();
    // A whole patch (0, 0), and a quarter of patch (2, 1).
    const missing = (col: number, row: number): boolean => (col < 2 && row < 2) || (col === 4 && row === 2);
    const { result, events } = await run(tiff(page({ missing })), out);
    expect(result).toMatchObject({ state: 'completed' });
    const summary = summaryIn(out);
    const mm2 = (pixels: number): number => (pixels * 0.25) / 1e6;
    expect(summary).toMatchObject({
      state: 'completed',
      patches: { expected: 16, segmented: 15, empty: 0, missing: 1, failed: 0 },
      tiles: { expected: 64, seen: 59, missing: 5 },
    });
    expect(summary.area.missingMm2).toBeCloseTo(mm2(5 * 64 * 64), 12);
    expect(summary.area.tissueMm2).toBeCloseTo(mm2(512 * 512 - 5 * 64 * 64), 12);
    const lines = linesIn(out);
    expect(lines.find(({ col, row }) => col === 0 && row === 0)).toMatchObject({
      ...{ outcome: 'missing', validPixels: 128 ** 2, missingPixels: 128 ** 2, tissuePixels: 0 },
    });
    expect(lines.find(({ col, row }) => col === 2 && row === 1)).toMatchObject({
      ...{ outcome: 'segmented', missingPixels: 64 ** 2, tissuePixels: 128 ** 2 - 64 ** 2 },
    });
    const mask = events.find(event => event.kind === 'mask' && event.col === 2 && event.row === 1);
    expect(mask).toMatchObject({ missingpixels: 64 ** 2, validpixels: 128 ** 2 });
    const final = events.findLast(event => event.kind === 'aggregate');
    expect(final).toMatchObject({ aggregate: { provisional: false, patches: { missing: 1 }, tiles: { missing: 5 } } });

    // Hatched where nothing is, and nowhere else: what is there has one colour.
    const { data, info } = await sharp(join(out, 'slide', 'overview.png'))
      .raw()
      .toBuffer({ resolveWithObject: true });
    const left = Math.floor((info.width - 512) / 2);
    const colours = (col: number, row: number): number => {
      const found = new Set<string>();
      for (let y = row * 64 + 4; y < row * 64 + 60; y++)
        for (let x = col * 64 + 4; x < col * 64 + 60; x++) {
          const at = (y * info.width + left + x) * info.channels;
          found.add(data.subarray(at, at + 3).join());
        }
      return found.size;
    };
    for (const [col, row] of [
      [0, 0],
      [1, 1],
      [4, 2],
    ] as const)
      expect(colours(col, row), `${col},${row}`).toBeGreaterThan(1);
    for (const [col, row] of [
      [2, 0],
      [5, 2],
      [4, 3],
    ] as const)
      expect(colours(col, row), `${col},${row}`).toBe(1);
  });

  it('is read whole where a finer level has what the one that is read lacks', async () => {
    const out = await emptyFolder();
    const half = page({ picture: plain(256, 256, TISSUE), subfileType: 1, missing: () => true });
    const path = tiff(page({ picture: plain(512, 512, TISSUE), resolution: 40_000 }), half);
    const { result } = await run(path, out);
    expect(result).toMatchObject({
      state: 'completed',
      summary: {
        plan: { level: 1 },
        patches: { expected: 4, segmented: 4 },
        tiles: { expected: 16, seen: 0, drawn: 16, missing: 0 },
      },
    });
  });

  it('does not mind a coarser level that is white, missing or damaged', async () => {
    const coarse = (more: Partial<PageOptions>): PageOptions =>
      page({ picture: plain(128, 128, [255, 255, 255]), subfileType: 1, compression: 'jpeg', ...more });
    const damage = (bytes: Buffer): Buffer => Buffer.alloc(bytes.length, 0x11);
    for (const more of [{}, { missing: () => true }, { damage }]) {
      const { result } = await run(tiff(page(), coarse(more)), await emptyFolder());
      expect(result).toMatchObject({ state: 'completed', summary: { patches: { segmented: 16 } } });
    }
  });
});

describe('a slide that lacks most of its tiles', () => {
  const few = (col: number, row: number): boolean => col > 3 || row > 3;

  it('is incomplete, written as far as it goes, and is gone on with by the next start', async () => {
    const out = await emptyFolder();
    const path = tiff(page({ missing: few }));
    const first = await run(path, out);
    expect(first.result).toMatchObject({ state: 'incomplete', reason: 'tiles-missing', done: 4, expected: 16 });
    expect(summaryIn(out)).toMatchObject({
      state: 'incomplete',
      provisional: true,
      patches: { segmented: 4, missing: 12 },
      tiles: { expected: 64, seen: 16, missing: 48 },
    });
    const ended = first.events.find(event => event.kind === 'slide' && event.state === 'incomplete');
    expect(ended).toMatchObject({
      payload: { reason: 'tiles-missing', patches: { missing: 12 }, tiles: { missing: 48 } },
    });
    expect(first.events.some(event => event.kind === 'slide' && event.state === 'completed')).toBe(false);

    // As it is, it is tried again: nothing that was published is published again.
    const second = await run(path, out);
    expect(second.result).toMatchObject({ state: 'incomplete', done: 4 });
    expect(second.events.filter(event => event.kind === 'mask')).toEqual([]);

    // Once its pixels can be read what was missing is done, and that only.
    const third = await run(path, out, true);
    expect(third.result).toMatchObject({ done: 16, summary: { patches: { segmented: 16, missing: 0 } } });
    expect(third.events.filter(event => event.kind === 'mask')).toHaveLength(12);
    expect(linesIn(out).map(({ outcome }) => outcome)).toEqual(Array(16).fill('segmented'));
  });

  it('is completed all the same when its end was declared', async () => {
    const path = tiff(page({ missing: few }));
    writeFileSync(`${path}.done`, '');
    const { result } = await run(path, await emptyFolder());
    expect(result).toMatchObject({
      state: 'completed',
      summary: {
        patches: { segmented: 4, missing: 12 },
        notes: expect.arrayContaining([expect.objectContaining({ code: 'sparse' })]),
      },
    });
  });

  it('is never completed when none is there, declared or not', async () => {
    const path = tiff(page({ missing: () => true }));
    writeFileSync(`${path}.done`, '');
    const { result } = await run(path, await emptyFolder());
    expect(result).toMatchObject({ state: 'incomplete', reason: 'tiles-missing' });
  });

  it('ends the command with 1 and a line that says so', async () => {
    const args = [
      'segment',
      tiff(page({ missing: few })),
      tiff(page()),
      '--engine',
      'null',
      '--out',
      await emptyFolder(),
    ];
    const { status, stdout } = await runCli([...args, '--patch-size', '128', '--spacing', '0.5']);
    expect(status).toBe(1);
    expect(stdout).toMatch(/INCOMPLETE \(most of its tiles are not stored, or were never written\)/);
    expect(stdout).toMatch(/not in the result: 48 of 64 tiles missing; 12 of 16 patches missing; 0\.049 mm² without/);
    expect(stdout).toMatch(
      /2 slides: 1 completed, 1 INCOMPLETE; not in the results: 48 tiles missing, 12 patches missing/,
    );
  });
});

describe('a slide of which no patch can be read', () => {
  it('is not completed, and tried again by the next start', async () => {
    const out = await emptyFolder();
    const damage = (bytes: Buffer): Buffer => Buffer.alloc(bytes.length, 0x11);
    const path = tiff(page({ compression: 'jpeg', damage }));
    for (const _ of [1, 2]) {
      const { result, events } = await run(path, out);
      expect(result).toMatchObject({ state: 'incomplete', reason: 'patches-failed', done: 0 });
      expect(events.filter(event => event.kind === 'dlq')).toHaveLength(16);
    }
  });
});

describe('a slide most of whose room was reserved and never written', () => {
  const blank = (from: number) => (bytes: Buffer, _: number, row: number) => (row < from ? bytes : bytes.fill(0));

  it('is missing what was never written, which is no glass', async () => {
    const { result } = await run(tiff(page({ damage: blank(4) })), await emptyFolder());
    expect(result).toMatchObject({
      state: 'completed',
      summary: {
        patches: { expected: 16, segmented: 8, empty: 0, missing: 8 },
        tiles: { expected: 64, seen: 64, missing: 0 },
        // Each of its tiles is listed: nobody said that something was not scanned.
        notes: expect.not.arrayContaining([expect.objectContaining({ code: 'sparse' })]),
      },
    });
  });

  it('is incomplete when that is more than half, though every tile is listed, unless its end was declared', async () => {
    const out = await emptyFolder();
    const path = tiff(page({ damage: blank(2) }));
    const { result } = await run(path, out);
    expect(result).toMatchObject({ state: 'incomplete', reason: 'tiles-missing', done: 4 });
    expect(summaryIn(out)).toMatchObject({ patches: { segmented: 4, missing: 12 } });
    writeFileSync(`${path}.done`, '');
    expect((await run(path, await emptyFolder())).result).toMatchObject({ state: 'completed' });
  });

  it('is drawn from a finer level that was written', async () => {
    const half = page({ picture: plain(256, 256, TISSUE), subfileType: 1, damage: blank(0) });
    const path = tiff(page({ picture: plain(512, 512, TISSUE), resolution: 40_000 }), half);
    const { result } = await run(path, await emptyFolder());
    expect(result).toMatchObject({ state: 'completed', summary: { plan: { level: 1 }, patches: { segmented: 4 } } });
  });

  it('is black, and no tissue, where a codec says so', async () => {
    const black = page({ picture: plain(512, 512, [0, 0, 0]), compression: 'deflate' });
    const { result } = await run(tiff(black), await emptyFolder());
    expect(result).toMatchObject({ state: 'completed', summary: { patches: { empty: 16, missing: 0 } } });
  });
});
