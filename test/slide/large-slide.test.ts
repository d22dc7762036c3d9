import { afterAll, describe, expect, it } from 'vitest';
import { openSlide } from '#src/slide/open.js';
import { openTileSource } from '#src/slide/open-source.js';
// @ts-expect-error: benchmarks are plain JavaScript
import { makeLargeSlide } from '../bench/large-slide.mjs';
import { SLIDE, scratch } from './fixture.js';

const files = scratch();
afterAll(() => files.remove());

describe('makeLargeSlide', () => {
  it('lays whole tiles side by side, as often as told', async () => {
    const path = files.path('large.svs');
    const made = (await makeLargeSlide(SLIDE, path, 2)) as { width: number; height: number };
    const large = await openSlide(path);
    const small = await openSlide(SLIDE);
    // 2220 × 2967 hold 9 × 12 whole tiles of 240.
    expect(made).toMatchObject({ width: 2 * 9 * 240, height: 2 * 12 * 240 });
    expect(large.info.levels[0]).toMatchObject({ width: made.width, height: made.height, tileWidth: 240 });
    expect(large.info.mpp).toBe(small.info.mpp);
    const [a, b] = [await openTileSource(large.source), await openTileSource(small.source)];
    const [into, wanted] = [new Uint8Array(240 * 240 * 3), new Uint8Array(240 * 240 * 3)];
    for (const [col, row] of [
      [0, 0],
      [9, 0],
      [17, 23],
      [13, 7],
    ] as const) {
      a.readTile(0, col, row, into);
      b.readTile(0, col % 9, row % 12, wanted);
      expect(Buffer.compare(into, wanted)).toBe(0);
    }
  });
});
