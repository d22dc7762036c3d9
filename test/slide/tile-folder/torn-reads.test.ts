import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { ForeignTileError } from '#src/codec/foreign-tile.js';
import { StromaflowError } from '#src/errors.js';
import { openSlide } from '#src/slide/open.js';
import { openTileSource } from '#src/slide/open-source.js';
import { TornReads } from '#src/slide/tile-folder/torn-reads.js';
import { temporaryFolder } from '../../support/temporary.js';
import { failureOf } from '../fixture.js';

const damaged = () => new StromaflowError('TILE_CORRUPT', 'tile: ends early');

/** Counts what is waited for instead of waiting. */
function reads() {
  const pauses: number[] = [];
  const torn = new TornReads(async ms => pauses.push(ms));
  return { torn, pauses };
}

describe('a read of a tile that may be torn', () => {
  it('is made again until the tile is whole', () =>
    fc.assert(
      fc.asyncProperty(fc.nat({ max: 8 }), async times => {
        const { torn, pauses } = reads();
        let tries = 0;
        const read = async (): Promise<string> => {
          if (tries++ < times) throw damaged();
          return 'pixels';
        };
        expect(await torn.untilWhole(read)).toBe('pixels');
        expect([tries, pauses.length]).toEqual([times + 1, times]);
      }),
    ));

  it('ends where the tile stays damaged, and costs a slide no more than five seconds of waiting in all', async () => {
    const { torn, pauses } = reads();
    const failing = () => torn.untilWhole(() => Promise.reject(damaged()));
    await expect(failing()).rejects.toThrow('ends early');
    const one = pauses.reduce((sum, ms) => sum + ms, 0);
    expect([one, pauses.length]).toEqual([1275, 8]);
    for (let tile = 0; tile < 100; tile++) await expect(failing()).rejects.toThrow('ends early');
    const all = pauses.reduce((sum, ms) => sum + ms, 0);
    expect(all).toBeGreaterThan(4900);
    expect(all).toBeLessThanOrEqual(5000);
  });

  it.each([
    new StromaflowError('SLIDE_UNREADABLE', 'the share is away'),
    new ForeignTileError('has 12-bit samples'),
    new RangeError('tile (9, 9)'),
  ])('is not made again where that helps nothing: %s', async error => {
    const { torn, pauses } = reads();
    await expect(torn.untilWhole(() => Promise.reject(error))).rejects.toBe(error);
    expect(pauses).toEqual([]);
  });
});

describe('a tile of a folder that is written again while it is read', () => {
  const folderOf = async () => {
    const folder = temporaryFolder('torn');
    const noise = { type: 'gaussian', mean: 128, sigma: 40 } as const;
    const bytes = await sharp({ create: { width: 64, height: 64, channels: 3, background: '#d070a0', noise } })
      .jpeg()
      .toBuffer();
    const path = join(folder, 'X0Y0.jpg');
    writeFileSync(path, bytes);
    const manifest = {
      width: 64,
      height: 64,
      tileWidth: 64,
      tileHeight: 64,
      mpp: 0.5,
      pattern: 'X{col}Y{row}.jpg',
      tiles: 1,
    };
    writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest));
    const slide = await openSlide(join(folder, 'manifest.json'));
    return { path, source: await openTileSource(slide.source) };
  };

  it.each([0, 1, 300])('is read when it is whole again, of which %d bytes were there', async length => {
    const { path, source } = await folderOf();
    const whole = readFileSync(path);
    const [wanted, pixels] = [new Uint8Array(64 * 64 * 3), new Uint8Array(64 * 64 * 3)];
    await source.readTile(0, 0, 0, wanted);
    truncateSync(path, length);
    const reading = source.readTile(0, 0, 0, pixels);
    writeFileSync(path, whole);
    expect(await reading).toBe('decoded');
    expect(pixels).toEqual(wanted);
    source.close();
  });

  it('is damaged where it stays so', async () => {
    const { path, source } = await folderOf();
    truncateSync(path, 300);
    const failure = await failureOf(() => source.readTile(0, 0, 0, new Uint8Array(64 * 64 * 3)));
    expect(failure.code).toBe('TILE_CORRUPT');
    source.close();
  });
});
