import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { packBits } from '#src/mask/bits.js';
import { SeamCounter, seamsOf } from '#src/mask/seams.js';
import { Random } from '#src/random.js';

const CORE = 32;

/** The pairs of a whole mask, counted pixel by pixel. `tissue`: patches that were segmented. */
function naive(pixels: Uint8Array, width: number, height: number, tissue: (col: number, row: number) => boolean) {
  const across = { pairs: 0, equal: 0 };
  const inside = { pairs: 0, equal: 0 };
  const patchOf = (x: number, y: number) => [Math.floor(x / CORE), Math.floor(y / CORE)] as const;
  const pair = (x: number, y: number, nextX: number, nextY: number) => {
    if (nextX >= width || nextY >= height) return;
    const [here, there] = [patchOf(x, y), patchOf(nextX, nextY)];
    if (!tissue(...here) || !tissue(...there)) return;
    const sum = here[0] === there[0] && here[1] === there[1] ? inside : across;
    sum.pairs++;
    if (pixels[y * width + x] === pixels[nextY * width + nextX]) sum.equal++;
  };
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      pair(x, y, x + 1, y);
      pair(x, y, x, y + 1);
    }
  return { across, inside };
}

/** One patch's mask out of the whole, packed; undefined where it is empty. */
function bitsOf(pixels: Uint8Array, width: number, height: number, col: number, row: number): Uint8Array | undefined {
  const bytes = new Uint8Array(CORE * CORE);
  for (let y = 0; y < CORE; y++)
    for (let x = 0; x < CORE; x++) {
      const [px, py] = [col * CORE + x, row * CORE + y];
      if (px < width && py < height) bytes[y * CORE + x] = pixels[py * width + px]!;
    }
  return bytes.some(Boolean) ? packBits(bytes, CORE, CORE) : undefined;
}

test('counts what a look at every pair of pixels counts, in any order of patches', () => {
  const slide = fc.record({
    width: fc.integer({ min: 1, max: 100 }),
    height: fc.integer({ min: 1, max: 100 }),
    seed: fc.integer(),
    dense: fc.double({ min: 0, max: 1, noNaN: true }),
    missing: fc.double({ min: 0, max: 0.5, noNaN: true }),
  });
  fc.assert(
    fc.property(slide, ({ width, height, seed, dense, missing }) => {
      const random = new Random(seed);
      const [cols, rows] = [Math.ceil(width / CORE), Math.ceil(height / CORE)];
      const pixels = Uint8Array.from({ length: width * height }, () => (random.float() < dense ? 1 : 0));
      const tissue = Array.from({ length: cols * rows }, () => random.float() >= missing);
      const counter = new SeamCounter({ core: CORE, cols, rows, width, height });
      const places = random.shuffle(tissue.flatMap((here, place) => (here ? [place] : [])));
      for (const place of places) {
        const [col, row] = [place % cols, Math.floor(place / cols)];
        counter.add(col, row, bitsOf(pixels, width, height, col, row));
      }
      const expected = naive(pixels, width, height, (col, row) => tissue[row * cols + col]!);
      const { across, inside } = counter.counts();
      expect({ across, inside }).toEqual(expected);
    }),
  );
});

describe('the score', () => {
  const slide = (value: (x: number, y: number) => boolean) => {
    const side = 4 * CORE;
    const pixels = Uint8Array.from({ length: side * side }, (_, i) => (value(i % side, Math.floor(i / side)) ? 1 : 0));
    const counter = new SeamCounter({ core: CORE, cols: 4, rows: 4, width: side, height: side });
    for (let place = 0; place < 16; place++)
      counter.add(place % 4, place >> 2, bitsOf(pixels, side, side, place % 4, place >> 2));
    return counter.counts().score!;
  };

  test('is about 1 where areas do not know of patches, and exactly where there are none', () => {
    expect(slide((x, y) => (x - 60) ** 2 + (y - 70) ** 2 < 900)).toBeCloseTo(1, 1);
    expect(slide(() => true)).toBe(1);
    expect(slide(() => false)).toBe(1);
  });

  test('falls to 0 where no two patches agree', () => {
    expect(slide((x, y) => ((x >> 5) + (y >> 5)) % 2 === 0)).toBe(0);
  });

  test('is none where there is no line between two patches', () => {
    expect(seamsOf({ pairs: 0, equal: 0 }, { pairs: 9, equal: 9 }).score).toBeNull();
    expect(seamsOf({ pairs: 4, equal: 3 }, { pairs: 8, equal: 8 }).score).toBe(0.75);
  });
});
