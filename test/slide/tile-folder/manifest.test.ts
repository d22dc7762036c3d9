import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readManifest } from '#src/slide/tile-folder/manifest.js';
import { expectedTiles, tileCut, tileName } from '#src/slide/tile-folder/tile-set.js';
import { failureOf } from '../fixture.js';

const level = (width: number, height: number, more: object = {}) => ({
  width,
  height,
  tileWidth: 256,
  tileHeight: 200,
  pattern: `${width}/X{col}Y{row}.jpg`,
  ...more,
});
const read = (fields: object) => readManifest('/scan/manifest.json', JSON.stringify(fields));

describe('levels of manifest.json', () => {
  it('come finest first, each with its grid, colour and tiles', () => {
    const levels = [level(1001, 600, { tiles: 9 }), level(500, 300, { colour: 'rgb' }), level(125, 75)];
    const set = read({ mpp: 0.25, colour: 'ycbcr', levels })!;
    expect(set.mpp).toBe(0.25);
    expect(set.levels).toMatchObject([
      { width: 1001, cols: 4, rows: 3, downsample: 1, colour: 'ycbcr', tiles: 9 },
      { width: 500, cols: 2, rows: 2, downsample: 2, colour: 'rgb', tiles: undefined },
      { width: 125, cols: 1, rows: 1, downsample: 8, colour: 'ycbcr' },
    ]);
    expect(set.levels.map(expectedTiles)).toEqual([9, 4, 1]);
    expect(tileName(set.levels[1]!, 1, 0)).toBe('500/X1Y0.jpg');
    expect(tileCut(set.levels[1]!, 1, 1)).toEqual({ left: 0, top: 0, across: 256, down: 200, width: 256, height: 200 });
  });

  it('may state how much coarser they are, where padding hides it', () => {
    const levels = [level(1000, 600), level(512, 400, { downsample: 2 })];
    expect(read({ levels })!.levels[1]).toMatchObject({ downsample: 2 });
  });

  it('may state their spacing, and end where the slide does though their last tiles are filled up', () => {
    const set = read({
      levels: [
        level(1000, 600, { mpp: 0.25 }),
        level(512, 400, { mpp: 0.5 }),
        level(256, 200, { mpp: { x: 1, y: 1 } }),
      ],
    })!;
    expect(set.mpp).toBe(0.25);
    expect(set.levels).toMatchObject([
      { width: 1000, height: 600 },
      { width: 500, height: 300, downsample: 2, cols: 2, rows: 2 },
      { width: 250, height: 150, downsample: 4, cols: 1, rows: 1 },
    ]);
    expect(read({ mpp: { x: 0.25, y: 0.5 }, levels: [level(1000, 600)] })!.mpp).toEqual({ x: 0.25, y: 0.5 });
  });

  it('are left out with a word when nothing says how much coarser they are', () => {
    const levels = [level(1000, 600, { mpp: 0.25 }), level(500, 300, { mpp: 0.75 }), level(250, 150)];
    const set = read({ levels })!;
    expect(set.levels.map(({ width }) => width)).toEqual([1000, 250]);
    expect(set.notes).toEqual([{ code: 'level-left-out', message: expect.stringContaining('500 × 300') }]);
  });

  it.each([
    ['coarse before fine', [level(500, 300), level(1000, 600)]],
    ['one size twice', [level(500, 300), level(500, 300, { pattern: 'b/{col}_{row}.jpg' })]],
    ['one pattern twice', [level(1000, 600), level(500, 300, { pattern: '1000/X{col}Y{row}.jpg' })]],
    ['another shape', [level(1000, 600), level(500, 150)]],
    ['a level without tiles', [level(1000, 600), { ...level(500, 300), tileWidth: 0 }]],
    ['a pattern that leads outside', [level(1000, 600), level(500, 300, { pattern: '../{col}_{row}.jpg' })]],
    ['more levels than a slide has halves', Array.from({ length: 30 }, (_, down) => level(2000 - down, 1200 - down))],
  ])('are refused: %s', async (_, levels) => {
    const { code, fix } = await failureOf(() => read({ levels }));
    expect(code).toBe('SLIDE_UNREADABLE');
    expect(fix).toBe('correct manifest.json; docs/scanners.md says what is read of it');
  });

  it('of something else are none', () => {
    for (const levels of [[], {}, 'x', [1], [{ name: 'debug' }]]) expect(read({ levels })).toBeUndefined();
  });

  it('may be anything', () =>
    fc.assert(
      fc.property(
        fc.array(
          fc.dictionary(
            fc.constantFrom('width', 'height', 'tileWidth', 'tileHeight', 'pattern', 'tiles', 'downsample', 'colour'),
            fc.oneof(fc.nat(5000), fc.constant('X{col}Y{row}.png'), fc.jsonValue()),
          ),
        ),
        levels => {
          try {
            for (const { cols, rows } of read({ levels })?.levels ?? []) expect(cols * rows).toBeGreaterThan(0);
          } catch (error) {
            expect(error).toMatchObject({ code: 'SLIDE_UNREADABLE' });
          }
        },
      ),
    ));
});
