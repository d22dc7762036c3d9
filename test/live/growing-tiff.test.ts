import { appendFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openGrowingTiff } from '#src/live/growing-tiff.js';
import type { LiveSlide } from '#src/live/live-slide.js';
import { simulateScan } from '#src/simulate/simulate-scan.js';
import type { TiffDescription } from '#src/slide/tiff/description.js';
import { failureOf, SLIDE } from '../slide/fixture.js';
import { gradient, writeTiff } from '../slide/tiff-writer.js';
import { temporaryFolder } from '../support/temporary.js';

const folder = (): string => temporaryFolder('growing');
const OPTIONS = { pollSeconds: 0.02, stallSeconds: 0.2, settleSeconds: 0.05, events: false, mpp: 0.5 };

/** Follows a slide to its end: the tiles in the order they came. */
async function follow(live: LiveSlide, onTiles: (tiles: readonly number[]) => void = () => undefined) {
  const came: number[] = [];
  for await (const { tiles } of live.follow(0, new AbortController().signal)) {
    came.push(...tiles);
    onTiles(tiles);
  }
  await live.close();
  return came;
}

function tiff(options: Partial<Parameters<typeof writeTiff>[0][number]> = {}): string {
  const path = join(folder(), 'a.tiff');
  const picture = gradient(200, 130);
  writeFileSync(path, writeTiff([{ picture, tile: [64, 64], compression: 'jpeg', resolution: 20_000, ...options }]));
  return path;
}

describe('openGrowingTiff', () => {
  it('gives out every tile once and shows it to the readers', async () => {
    const root = folder();
    let begin: () => void = () => undefined;
    const begun = new Promise<void>(resolve => {
      begin = resolve;
    });
    const scanning = simulateScan(SLIDE, root, {
      as: 'growing-tiff',
      order: 'random',
      rate: 600,
      onTile: () => begin(),
    });
    await begun;
    const live = await openGrowingTiff(join(root, 'CMU-1-Small-Region.svs'), { ...OPTIONS, stallSeconds: 5 });
    const came = await follow(live);
    await scanning;
    expect(live.state).toBe('complete');
    expect(came.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 130 }, (_, tile) => tile));
    const { levels } = live.sourceFor(0) as TiffDescription;
    expect(levels[0]!.byteCounts.every(bytes => bytes > 0)).toBe(true);
    expect(levels[0]!.offsets.buffer).toBeInstanceOf(SharedArrayBuffer);
  });

  it('never gives out a tile that is zeros, reaches beyond the file, or has no place', async () => {
    const isHole = (col: number, row: number) => col === 1 && row === 0;
    const path = tiff({ damage: (bytes, col, row) => (isHole(col, row) ? Buffer.alloc(bytes.length) : bytes) });
    expect(await follow(await openGrowingTiff(path, OPTIONS))).not.toContain(1);
    expect(await follow(await openGrowingTiff(tiff({ missing: isHole }), OPTIONS))).not.toContain(1);
  });

  it('takes zeros of an uncompressed file for reserved room, which is missing once the file is over', async () => {
    const blank = (bytes: Buffer, col: number, row: number) => (col + row === 3 ? Buffer.alloc(bytes.length) : bytes);
    const path = tiff({ compression: 'none', damage: blank });
    const live = await openGrowingTiff(path, { ...OPTIONS, stallSeconds: 60 });
    const looks: (readonly number[])[] = [];
    await follow(live, tiles => {
      looks.push(tiles);
      writeFileSync(`${path}.done`, '');
    });
    expect(looks.map(tiles => tiles.length)).toEqual([9]);
    expect([live.state, live.tiles.seen, live.tiles.missing]).toEqual(['complete', 9, 3]);
    // Nobody said that it is over, and it lists bytes that were never written.
    const still = await openGrowingTiff(tiff({ compression: 'none', damage: blank }), OPTIONS);
    expect(await follow(still)).toHaveLength(9);
    expect([still.state, still.tiles.seen]).toEqual(['stalled', 9]);
  });

  it('takes an uncompressed tile that begins in black as it is, after the settling time', async () => {
    const dark = (bytes: Buffer, col: number, row: number) =>
      col + row === 0 ? Buffer.from(bytes).fill(0, 0, 300) : bytes;
    const live = await openGrowingTiff(tiff({ compression: 'none', damage: dark }), OPTIONS);
    const came = await follow(live);
    expect([came.at(-1), came.length, live.state]).toEqual([0, 12, 'complete']);
  });

  it('does not draw from finer tiles that were never written', async () => {
    const blank = (bytes: Buffer, col: number) => (col < 2 ? Buffer.alloc(bytes.length) : bytes);
    const fine = { picture: gradient(512, 384), tile: [64, 64] as const, compression: 'none' as const };
    const path = join(folder(), 'pyramid.tiff');
    const levels = [
      { ...fine, damage: blank, resolution: 20_000 },
      { ...fine, picture: gradient(256, 192), subfileType: 1, damage: blank },
    ];
    writeFileSync(path, writeTiff(levels));
    const live = await openGrowingTiff(path, { ...OPTIONS, stallSeconds: 60 });
    const came: number[] = [];
    for await (const { tiles } of live.follow(1, new AbortController().signal)) {
      came.push(...tiles);
      writeFileSync(`${path}.done`, '');
    }
    // Of the two columns that the level lacks, finer ones have the second.
    expect([live.state, came.length, live.tiles.drawn, live.tiles.missing]).toEqual(['complete', 6, 3, 3]);
  });

  it('does not take them where a coding would have said them otherwise, or the writer broke off', async () => {
    const black = (bytes: Buffer, col: number) => (col === 1 ? Buffer.alloc(bytes.length) : bytes);
    const coded = await openGrowingTiff(tiff({ compression: 'deflate', damage: black }), OPTIONS);
    expect(await follow(coded)).toHaveLength(9);
    // Who leaves out glass lists no bytes for it.
    expect([coded.state, coded.tiles.missing]).toEqual(['stalled', 0]);
    const path = tiff({ compression: 'none', damage: black });
    const stalled = await openGrowingTiff(path, OPTIONS);
    expect(await follow(stalled, () => appendFileSync(path, 'more'))).toHaveLength(9);
    expect([stalled.state, stalled.tiles.seen]).toEqual(['stalled', 9]);
  });

  it('takes a damaged tile as it is, after the settling time', async () => {
    const cut = (bytes: Buffer, col: number, row: number) => (col + row === 0 ? Buffer.alloc(bytes.length, 7) : bytes);
    const came = await follow(await openGrowingTiff(tiff({ damage: cut }), OPTIONS));
    expect(came.at(-1)).toBe(0);
    expect(came).toHaveLength(12);
  });

  it('is complete when a file that lacks tiles never changed, stalled when it did', async () => {
    const missing = (col: number) => col === 0;
    const still = await openGrowingTiff(tiff({ missing }), OPTIONS);
    await follow(still);
    expect([still.state, still.tiles.missing]).toEqual(['complete', 3]);
    const path = tiff({ missing });
    const grown = await openGrowingTiff(path, OPTIONS);
    await follow(grown, () => appendFileSync(path, 'more'));
    expect([grown.state, grown.tiles.missing]).toEqual(['stalled', 0]);
  });

  it('ends when the file is emptied, for its tiles are gone', async () => {
    const path = tiff({ missing: col => col === 0 });
    const live = await openGrowingTiff(path, OPTIONS);
    await follow(live, () => truncateSync(path, 0));
    expect(live.state).toBe('replaced');
    expect(await live.closed).toBe(true);
  });

  it('survives any bytes changed and any end, by a typed error or an end of its own', async () => {
    const whole = readFileSync(tiff({ missing: col => col === 0 }));
    const changes = fc.array(fc.tuple(fc.nat({ max: whole.length - 1 }), fc.nat({ max: 255 })), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(changes, fc.nat({ max: whole.length }), fc.boolean(), async (changed, end, cut) => {
        const bytes = Buffer.from(whole);
        for (const [at, value] of changed) bytes[at] = value;
        const path = join(folder(), 'b.tiff');
        writeFileSync(path, cut ? bytes.subarray(0, end) : bytes);
        let live: LiveSlide | undefined;
        const failure = await failureOf(async () => {
          live = await openGrowingTiff(path, { ...OPTIONS, stallSeconds: 0.03, settleSeconds: 0 });
        }).catch(() => undefined);
        expect(live === undefined).toBe(failure !== undefined);
        if (live) await follow(live);
      }),
      { numRuns: 80 },
    );
  });
});
