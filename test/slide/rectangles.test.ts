import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { areaOf, clipRectangle, disjoint, type PixelRectangle } from '#src/slide/rectangles.js';

const [WIDTH, HEIGHT] = [23, 17];
const side = fc.integer({ min: 1, max: 14 });
const place = fc.integer({ min: -6, max: 24 });
const rectangle = fc.record({ x: place, y: place, width: side, height: side });

const covers = ({ x, y, width, height }: PixelRectangle, at: number, down: number): boolean =>
  at >= x && at < x + width && down >= y && down < y + height;

describe('disjoint', () => {
  it('has every pixel of the picture that any rectangle has, once', () =>
    fc.assert(
      fc.property(fc.array(rectangle, { maxLength: 12 }), rectangles => {
        const found = disjoint(rectangles, WIDTH, HEIGHT);
        let area = 0;
        for (let y = -6; y < 40; y++)
          for (let x = -6; x < 40; x++) {
            const wanted = x >= 0 && y >= 0 && x < WIDTH && y < HEIGHT && rectangles.some(each => covers(each, x, y));
            expect(found.filter(each => covers(each, x, y))).toHaveLength(wanted ? 1 : 0);
            if (wanted) area++;
          }
        expect(areaOf(found)).toBe(area);
      }),
    ));

  it('puts tiles that lie side by side together', () => {
    const tiles = [0, 1, 2, 3].map(tile => ({ x: (tile % 2) * 8, y: tile < 2 ? 0 : 8, width: 8, height: 8 }));
    expect(disjoint(tiles, 100, 100)).toEqual([{ x: 0, y: 0, width: 16, height: 16 }]);
    expect(disjoint([], 10, 10)).toEqual([]);
    expect(disjoint([{ x: 10, y: 0, width: 5, height: 5 }], 10, 10)).toEqual([]);
  });
});

describe('clipRectangle', () => {
  it('gives what lies inside, and nothing where nothing does', () => {
    const given = { x: 5, y: 5, width: 10, height: 10 };
    expect(clipRectangle(given, 0, 8, 12, 100)).toEqual({ x: 5, y: 8, width: 7, height: 7 });
    expect(clipRectangle(given, 15, 0, 30, 30)).toBeUndefined();
    expect(clipRectangle(given, 0, 0, 30, 5)).toBeUndefined();
  });
});
