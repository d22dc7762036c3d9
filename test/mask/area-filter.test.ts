import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AreaFilter, type AreaGrid, type RawMask } from '#src/mask/area-filter.js';
import { createMarks, isMarked, markBlock } from '#src/read/marks.js';

type Kind = 'mask' | 'empty' | 'failed';
interface Slide {
  readonly grid: AreaGrid & { readonly openBelow: number; readonly closeBelow: number };
  readonly kinds: readonly Kind[];
  /** width × height pixels, 0 or 1. */
  readonly pixels: Uint8Array;
  /** Glass, in blocks of 8 pixels. */
  readonly glass: Uint8Array;
}

const CORE = 32;
const at = ({ cols }: AreaGrid, col: number, row: number) => row * cols + col;

/** Regions that are ragged: noise that was looked at through a coarse and a fine grid. */
const slides = fc
  .record({
    cols: fc.integer({ min: 1, max: 4 }),
    rows: fc.integer({ min: 1, max: 4 }),
    cut: fc.tuple(fc.integer({ min: 0, max: 15 }), fc.integer({ min: 0, max: 15 })),
    openBelow: fc.constantFrom(0, 1.5, 6, 20),
    closeBelow: fc.constantFrom(0, 4, 12),
    share: fc.integer({ min: 80, max: 180 }),
    seed: fc.integer(),
    kinds: fc.array(fc.constantFrom<Kind>('mask', 'mask', 'mask', 'mask', 'empty', 'failed'), {
      minLength: 16,
      maxLength: 16,
    }),
  })
  .filter(({ openBelow, closeBelow }) => openBelow + closeBelow > 0)
  .map(({ cols, rows, cut, openBelow, closeBelow, share, seed, kinds }): Slide => {
    const [width, height] = [cols * CORE - cut[0], rows * CORE - cut[1]];
    const grid = { core: CORE, cols, rows, width, height, openBelow, closeBelow };
    const noise = (i: number) => (Math.imul(Math.imul(i + 1, 2654435761) ^ seed, 2246822519) >>> 24) & 255;
    const blocks = (cols * CORE) / 8;
    const glass = Uint8Array.from({ length: blocks * ((rows * CORE) / 8) }, (_, i) => (noise(i * 31 + 7) < 24 ? 1 : 0));
    const isGlass = (x: number, y: number) => glass[(y >> 3) * blocks + (x >> 3)] === 1;
    const kindAt = (x: number, y: number) => kinds[at(grid, Math.floor(x / CORE), Math.floor(y / CORE))];
    const pixels = Uint8Array.from({ length: width * height }, (_, i) => {
      const [x, y] = [i % width, Math.floor(i / width)];
      return kindAt(x, y) === 'mask' && !isGlass(x, y) && noise((y >> 1) * width + (x >> 1)) < share ? 1 : 0;
    });
    return { grid, kinds, pixels, glass };
  });

function rawOf({ grid, pixels, glass }: Slide, col: number, row: number): RawMask {
  const bits = new Uint8Array((CORE * CORE) / 8);
  for (let y = 0; y < CORE; y++)
    for (let x = 0; x < CORE; x++) {
      const [gx, gy] = [col * CORE + x, row * CORE + y];
      if (gx < grid.width && gy < grid.height && pixels[gy * grid.width + gx])
        bits[(y * CORE + x) >> 3]! |= 0x80 >> (x & 7);
    }
  const tissue = createMarks(CORE / 8);
  const blocks = (grid.cols * CORE) / 8;
  for (let i = 0; i < (CORE / 8) ** 2; i++) {
    const [bx, by] = [(col * CORE) / 8 + (i % (CORE / 8)), (row * CORE) / 8 + Math.floor(i / (CORE / 8))];
    if (!glass[by * blocks + bx]) markBlock(tissue, i);
  }
  expect(isMarked(tissue, 0)).toBe(!glass[((row * CORE) / 8) * blocks + (col * CORE) / 8]);
  return { bits, tissue };
}

/** The whole mask at once: floods from every pixel, holes first. */
function wholeFiltered({ grid, kinds, pixels, glass }: Slide): Uint8Array {
  const { width, height, openBelow, closeBelow } = grid;
  const out = pixels.slice();
  const blocks = (grid.cols * CORE) / 8;
  const kindAt = (x: number, y: number) => kinds[at(grid, Math.floor(x / CORE), Math.floor(y / CORE))]!;
  const stateOf = (x: number, y: number): 'set' | 'clear' | 'unknown' | 'never' => {
    if (x < 0 || y < 0 || x >= width || y >= height) return 'never';
    if (kindAt(x, y) === 'failed') return 'unknown';
    if (out[y * width + x]) return 'set';
    return kindAt(x, y) === 'empty' || glass[(y >> 3) * blocks + (x >> 3)] ? 'never' : 'clear';
  };
  const flood = (value: 'set' | 'clear', corners: boolean, below: number, stopsAt: readonly string[], to: 0 | 1) => {
    const seen = new Set<number>();
    const change: number[] = [];
    for (let start = 0; start < out.length; start++) {
      if (seen.has(start) || stateOf(start % width, Math.floor(start / width)) !== value) continue;
      const region = [start];
      seen.add(start);
      let isOpen = false;
      for (const place of region)
        for (let dy = -1; dy <= 1; dy++)
          for (let dx = -1; dx <= 1; dx++) {
            if (!corners && dx !== 0 && dy !== 0) continue;
            const [x, y] = [(place % width) + dx, Math.floor(place / width) + dy];
            const state = stateOf(x, y);
            if (stopsAt.includes(state)) isOpen = true;
            if (state !== value || seen.has(y * width + x)) continue;
            seen.add(y * width + x);
            region.push(y * width + x);
          }
      if (!isOpen && region.length < below) change.push(...region);
    }
    for (const place of change) out[place] = to;
  };
  flood('clear', true, closeBelow, ['unknown', 'never'], 1);
  flood('set', false, openBelow, ['unknown'], 0);
  return out;
}

/** Patch by patch in an order of its own. */
function filtered(slide: Slide, seed: number) {
  const { grid, kinds } = slide;
  const filter = new AreaFilter(grid);
  const places = Array.from({ length: grid.cols * grid.rows }, (_, i) => i).sort(
    (a, b) => (Math.imul(a + 1, seed | 1) >>> 0) - (Math.imul(b + 1, seed | 1) >>> 0),
  );
  const out = new Uint8Array(grid.width * grid.height);
  const taken: number[] = [];
  let sums = 0;
  for (const place of places) {
    const [col, row] = [place % grid.cols, Math.floor(place / grid.cols)];
    const kind = kinds[place]!;
    if (kind === 'mask') filter.put(col, row, rawOf(slide, col, row));
    else filter.skip(col, row, kind === 'empty' ? 'clear' : 'unknown');
    for (const due of places) {
      const [c, r] = [due % grid.cols, Math.floor(due / grid.cols)];
      if (!filter.isDue(c, r)) continue;
      const { bits, closed, opened } = filter.take(c, r);
      taken.push(due);
      sums += closed - opened;
      for (let i = 0; i < CORE * CORE; i++) {
        const [x, y] = [c * CORE + (i % CORE), r * CORE + Math.floor(i / CORE)];
        const isSet = (bits[i >> 3]! & (0x80 >> (i & 7))) !== 0;
        if (x < grid.width && y < grid.height) out[y * grid.width + x] = isSet ? 1 : 0;
        else expect(isSet).toBe(false);
      }
    }
  }
  return { out, taken, sums, held: filter.held };
}

const count = (pixels: Uint8Array) => pixels.reduce((sum, pixel) => sum + pixel, 0);

describe('in any order of the patches', () => {
  test('is the area closing and opening of the whole mask, whatever borders cut', () => {
    let changed = 0;
    fc.assert(
      fc.property(slides, fc.integer(), (slide, seed) => {
        const { out, taken, sums, held } = filtered(slide, seed);
        const whole = wholeFiltered(slide);
        expect(out).toEqual(whole);
        const masks = slide.kinds.slice(0, slide.grid.cols * slide.grid.rows).filter(kind => kind === 'mask').length;
        expect(taken).toHaveLength(masks);
        expect(count(out) - count(slide.pixels)).toBe(sums);
        expect(held).toBe(0);
        if (Buffer.compare(whole, slide.pixels) !== 0) changed += 1;
      }),
      { numRuns: 40 },
    );
    expect(changed).toBeGreaterThan(10);
  });
});

test('what was over before comes again for its neighbours, and is not given again', () => {
  const grid = { core: CORE, cols: 2, rows: 1, width: 64, height: 32, openBelow: 6, closeBelow: 0 };
  const speck = (x: number) => {
    const bits = new Uint8Array((CORE * CORE) / 8);
    for (let i = 0; i < 4; i++) bits[(16 * CORE + x + i) >> 3]! |= 0x80 >> ((x + i) & 7);
    return { bits };
  };
  const filter = new AreaFilter(grid);
  filter.over(0, 0);
  filter.put(0, 0, speck(28));
  filter.put(1, 0, speck(0));
  expect(filter.isDue(0, 0)).toBe(false);
  // Together they are 8 pixels, and each half would have been removed.
  expect(filter.take(1, 0)).toMatchObject({ bits: speck(0).bits, opened: 0 });
});

test('limits that reach farther than a patch are refused', () => {
  const grid = { core: CORE, cols: 2, rows: 1, width: 64, height: 32 };
  for (const limits of [{ openBelow: 33 }, { openBelow: 20, closeBelow: 13 }, {}])
    expect(() => new AreaFilter({ ...grid, ...limits })).toThrow(RangeError);
});
