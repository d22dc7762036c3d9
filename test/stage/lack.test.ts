import { describe, expect, it } from 'vitest';
import { lackOf } from '#src/stage/lack.js';

const patches = (segmented: number, empty: number, missing: number, failed: number) => ({
  ...{ expected: segmented + empty + missing + failed, segmented, empty, missing, failed },
});
const tiles = (expected: number, missing: number) => ({
  ...{ expected, seen: expected - missing, missing, late: 0, overwritten: 0 },
});

describe('what keeps a slide from being completed', () => {
  it.each([
    ['nothing, when all was read', patches(3, 1, 0, 0), tiles(8, 0), undefined],
    ['nothing, when only glass was read', patches(0, 4, 0, 0), tiles(8, 0), undefined],
    ['nothing, when half of its tiles are there', patches(2, 0, 2, 0), tiles(8, 4), undefined],
    ['nothing, when some patches failed', patches(1, 0, 0, 3), tiles(8, 0), undefined],
    ['less than half of its tiles', patches(2, 1, 1, 0), tiles(9, 5), 'tiles-missing'],
    ['no tile at all', patches(0, 0, 4, 0), tiles(8, 8), 'tiles-missing'],
    ['no pixel, of a slide whose tiles nobody counts', patches(0, 0, 4, 0), undefined, 'tiles-missing'],
    ['no patch that could be read or segmented', patches(0, 0, 1, 3), tiles(8, 0), 'patches-failed'],
  ])('%s', (_, counts, stored, lack) => {
    expect(lackOf(counts, stored, false, 0)).toBe(lack);
  });

  it('is more than half of the pixels of tiles that are listed and were never written', () => {
    expect(lackOf(patches(2, 0, 2, 0), tiles(8, 0), false, 0.5)).toBeUndefined();
    expect(lackOf(patches(2, 0, 3, 0), tiles(8, 0), false, 0.51)).toBe('tiles-missing');
    // Where only the pixels tell, nobody says that there should have been more.
    expect(lackOf(patches(2, 0, 3, 0), undefined, false, 0.9)).toBeUndefined();
  });

  it('is not what was never scanned, unless nothing was', () => {
    expect(lackOf(patches(1, 0, 3, 0), tiles(8, 7), true, 0.9)).toBeUndefined();
    expect(lackOf(patches(0, 0, 4, 0), tiles(8, 8), true, 1)).toBe('tiles-missing');
  });
});
