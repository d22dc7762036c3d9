import { describe, expect, it } from 'vitest';
import { countTiles } from '#src/slide/stored-tiles.js';

const level = (width: number, height: number, downsample: number, tile: number) => ({
  ...{ width, height, downsample, tileWidth: tile, tileHeight: tile },
});
const levels = [level(200, 120, 1, 32), level(100, 60, 2, 16), level(50, 30, 4, 16)];

describe('countTiles', () => {
  it('counts what is there, what finer levels have instead, and what none has', () => {
    // 7 × 4 tiles each in levels 0 and 1: tile (0, 0) of level 1 is under tile (0, 0) of level 0.
    const lost = new Set(['1/0', '1/1', '1/2', '0/1']);
    const has = (at: number, tile: number): boolean => !lost.has(`${at}/${tile}`);
    expect(countTiles({ levels, has }, 1)).toEqual({ expected: 28, seen: 25, drawn: 2 });
    expect(countTiles({ levels, has }, 0)).toEqual({ expected: 28, seen: 27, drawn: 0 });
  });

  it('looks through several levels, and draws a tile only if all of it is there', () => {
    const none = (at: number): boolean => at === 0;
    expect(countTiles({ levels, has: none }, 2)).toEqual({ expected: 8, seen: 0, drawn: 8 });
    const allButOne = (at: number, tile: number): boolean => at === 0 && tile !== 27;
    expect(countTiles({ levels, has: allButOne }, 2)).toEqual({ expected: 8, seen: 0, drawn: 7 });
  });

  it('draws nothing from padding: what reaches past the finer level is not there', () => {
    const padded = [level(200, 120, 1, 32), level(128, 64, 2, 64)];
    const has = (at: number): boolean => at === 0;
    expect(countTiles({ levels: padded, has }, 1)).toEqual({ expected: 2, seen: 0, drawn: 0 });
    // A level rounded up by less than a pixel is no padding.
    const rounded = [level(199, 119, 1, 32), level(100, 60, 2, 64)];
    expect(countTiles({ levels: rounded, has }, 1)).toEqual({ expected: 2, seen: 0, drawn: 2 });
  });
});
