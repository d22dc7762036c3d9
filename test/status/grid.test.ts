import { expect, it } from 'vitest';
import { emptyGrid, storedGrid } from '#src/status/grid.js';
import type { StoredPatch } from '#src/store/finished-slides.js';

async function* patches(): AsyncGenerator<StoredPatch> {
  yield { col: 0, row: 0, outcome: 'segmented', stromaPixels: 0, validPixels: 100 };
  yield { col: 1, row: 0, outcome: 'segmented', stromaPixels: 100, validPixels: 100 };
  yield { col: 2, row: 0, outcome: 'empty', stromaPixels: 0, validPixels: 100 };
  yield { col: 0, row: 1, outcome: 'failed', stromaPixels: 0, validPixels: 100 };
  yield { col: 1, row: 1, outcome: 'missing', stromaPixels: 0, validPixels: 100 };
  yield { col: 7, row: 7, outcome: 'segmented', stromaPixels: 50, validPixels: 100 };
}

it('pictures a slide that is over as it did while it was open', async () => {
  const grid = await storedGrid(3, 2, patches());
  expect(grid).toEqual({ cols: 3, rows: 2, cells: Uint8Array.of(1, 253, 0, 254, 255, 0) });
});

it('has no picture of a grid that is too large', async () => {
  expect(emptyGrid(2048, 2049)).toBeUndefined();
  expect(await storedGrid(2048, 2049, patches())).toBeUndefined();
});
