import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { POLYGON_FILE, PolygonFiles } from '#src/store/geojson.js';
import { SlidePolygons } from '#src/store/slide-polygons.js';
import { mulberry } from '../mask/naive.js';
import { maskedSlide, temporaryFolder } from './slide-fixture.js';

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => {
  vi.restoreAllMocks();
  folder.remove();
});

const { plan } = maskedSlide({ width: 640, height: 1280, mpp: 0.5, spacing: 0.5 });
const places = Array.from({ length: plan.cols * plan.rows }, (_, i) => [i % plan.cols, Math.floor(i / plan.cols)]);
const random = mulberry(4);
const masks = places.map(() =>
  Uint8Array.from({ length: (plan.core * plan.core) / 8 }, () => (random() < 0.1 ? 0b0110_0000 : 0)),
);

/** Patches row by row: polygons written by the time that each was caught up with, and the file. */
function written(): { counts: number[]; file: string; polygons: number } {
  const write = vi.spyOn(PolygonFiles.prototype, 'write');
  const options = { folder: folder.path, plan, minArea: 0, minHole: 0, outlines: 'auto' } as const;
  const polygons = new SlidePolygons(options);
  const counts = places.map(([col, row], i) => {
    polygons.add(col!, row!, masks[i]);
    polygons.catchUp();
    return write.mock.calls.length;
  });
  const { polygons: all } = polygons.finish();
  write.mockRestore();
  return { counts, polygons: all, file: readFileSync(join(folder.path, POLYGON_FILE), 'utf8') };
}

describe('a slide’s polygons', () => {
  it('are written as rows of patches close, on a slow machine a row later, and are the same', () => {
    const clock = vi.spyOn(performance, 'now').mockReturnValue(0);
    const fast = written();
    expect(fast.polygons).toBeGreaterThan(plan.rows * 20);
    let now = 0;
    clock.mockImplementation(() => (now += 1000));
    const slow = written();
    expect(slow.file).toBe(fast.file);
    const behind = 2 * plan.cols + 1;
    for (const [i, count] of slow.counts.entries()) {
      expect(count).toBeLessThanOrEqual(fast.counts[i]!);
      expect(count).toBeGreaterThanOrEqual(fast.counts[i - behind] ?? 0);
    }
    // The time for a patch is over after each polygon, but for those that are late.
    const most = Math.max(...slow.counts.map((count, i) => count - (slow.counts[i - 1] ?? 0)));
    const once = slow.counts.filter((count, i) => count - (slow.counts[i - 1] ?? 0) === 1);
    expect(most).toBeGreaterThan(1);
    expect(once.length).toBeGreaterThan(plan.rows);
  });

  it('know when they hold many patches', () => {
    const options = { folder: folder.path, plan, minArea: 0, minHole: 0, outlines: 'edges' } as const;
    const polygons = new SlidePolygons(options);
    for (const [i, [col, row]] of places.entries()) {
      expect(polygons.isFull).toBe(i >= 64);
      polygons.add(col!, row!);
      if (i > 70) break;
    }
    polygons.catchUp();
    expect(polygons.isFull).toBe(false);
    polygons.discard();
  });
});
