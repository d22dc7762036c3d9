import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type MaskPolygon, MaskPolygons } from '#src/mask/polygons.js';
import { type Ring, ringArea } from '#src/mask/rings.js';
import type { PolygonOptions } from '#src/mask/sieve.js';
import { fromFunction, maskBytes, mulberry } from './naive.js';

interface Grid {
  readonly core: number;
  readonly cols: number;
  readonly rows: number;
}

function polygonise(grid: Grid, bytes: Uint8Array, order: readonly number[], options?: PolygonOptions): MaskPolygons {
  const width = grid.core * grid.cols;
  const polygons = new MaskPolygons(grid, options);
  for (const index of order) {
    const col = index % grid.cols;
    const row = Math.floor(index / grid.cols);
    const at = (x: number, y: number): boolean => bytes[(row * grid.core + y) * width + col * grid.core + x] === 1;
    polygons.add(col, row, fromFunction(grid.core, grid.core, at));
  }
  return polygons;
}

/** Even-odd fill over all rings at once: vertical edges toggle every pixel to their right. */
function rasterise(polygons: readonly MaskPolygon[], width: number, height: number): Uint8Array {
  const out = new Uint8Array(width * height);
  for (const { exterior, holes } of polygons) {
    for (const ring of [exterior, ...holes]) {
      for (let i = 0; i < ring.length; i += 2) {
        const j = (i + 2) % ring.length;
        if (ring[i] !== ring[j]) continue;
        const [top, bottom] = [Math.min(ring[i + 1]!, ring[j + 1]!), Math.max(ring[i + 1]!, ring[j + 1]!)];
        for (let y = top; y < bottom; y++) for (let x = ring[i]!; x < width; x++) out[y * width + x]! ^= 1;
      }
    }
  }
  return out;
}

/** The rules of OGC 06-103r4 §6.1.11 for polygons whose edges lie on a pixel lattice. */
function expectValid({ exterior, holes, area }: MaskPolygon, mask: Uint8Array, width: number): void {
  expect(ringArea(exterior)).toBeGreaterThan(0);
  for (const hole of holes) expect(ringArea(hole)).toBeLessThan(0);
  const edges = new Set<string>();
  for (const ring of [exterior, ...holes]) {
    expect(ring.length).toBeGreaterThanOrEqual(8);
    const corners = new Set<string>();
    for (let i = 0; i < ring.length; i += 2) {
      const [x, y] = [ring[i]!, ring[i + 1]!];
      corners.add(`${x},${y}`);
      const [nx, ny] = [ring[(i + 2) % ring.length]!, ring[(i + 3) % ring.length]!];
      const [px, py] = [ring.at(i - 2)!, ring.at(i - 1)!];
      // Axis-parallel, of some length, and turning: no corner on a straight stretch.
      expect((x === nx) !== (y === ny)).toBe(true);
      expect((x === nx) !== (x === px) || (y === ny) !== (y === py)).toBe(true);
      const [steps, dx, dy] = [Math.abs(nx - x) + Math.abs(ny - y), Math.sign(nx - x), Math.sign(ny - y)];
      for (let s = 0; s < steps; s++) {
        const edge = `${2 * (x + dx * s) + dx},${2 * (y + dy * s) + dy}`;
        expect(edges.has(edge)).toBe(false);
        edges.add(edge);
      }
    }
    // A ring that visits no point twice is simple; edges between lattice points can only cross at lattice points.
    expect(latticePoints(ring)).toBe(new Set(latticePointList(ring)).size);
    expect(corners.size).toBe(ring.length / 2);
  }
  // The interior is one piece: exactly the 4-connected region of the polygon's first pixel.
  expect(regionSize(mask, width, exterior[0]!, exterior[1]!)).toBe(area);
}

function latticePointList(ring: Ring): string[] {
  const points: string[] = [];
  for (let i = 0; i < ring.length; i += 2) {
    const [x, y] = [ring[i]!, ring[i + 1]!];
    const [nx, ny] = [ring[(i + 2) % ring.length]!, ring[(i + 3) % ring.length]!];
    const steps = Math.abs(nx - x) + Math.abs(ny - y);
    for (let s = 0; s < steps; s++) points.push(`${x + Math.sign(nx - x) * s},${y + Math.sign(ny - y) * s}`);
  }
  return points;
}
const latticePoints = (ring: Ring): number => latticePointList(ring).length;

function regionSize(mask: Uint8Array, width: number, x: number, y: number): number {
  const seen = new Set<number>();
  const queue = [y * width + x];
  while (queue.length > 0) {
    const at = queue.pop()!;
    if (seen.has(at) || mask[at] !== 1) continue;
    seen.add(at);
    if (at % width > 0) queue.push(at - 1);
    if (at % width < width - 1) queue.push(at + 1);
    queue.push(at - width, at + width);
  }
  return seen.size;
}

const flat = (polygons: Iterable<MaskPolygon>): unknown =>
  Array.from(polygons, p => ({ area: p.area, rings: [p.exterior, ...p.holes].map(ring => [...ring]) }));

const masks = fc
  .record({
    core: fc.integer({ min: 1, max: 24 }),
    cols: fc.integer({ min: 1, max: 4 }),
    rows: fc.integer({ min: 1, max: 3 }),
  })
  .chain(grid =>
    fc.record({
      grid: fc.constant(grid),
      bytes: maskBytes(grid.core * grid.cols, grid.core * grid.rows),
      order: fc.shuffledSubarray(
        Array.from({ length: grid.cols * grid.rows }, (_, i) => i),
        { minLength: grid.cols * grid.rows },
      ),
    }),
  );

describe('polygons of a mask', () => {
  it('give the mask back, are valid and do not depend on the order of patches', () => {
    fc.assert(
      fc.property(masks, ({ grid, bytes, order }) => {
        const width = grid.core * grid.cols;
        const polygons = [...polygonise(grid, bytes, order).polygons()];
        expect(rasterise(polygons, width, grid.core * grid.rows)).toEqual(bytes);
        expect(polygons.reduce((sum, p) => sum + p.area, 0)).toBe(bytes.reduce((a, b) => a + b, 0));
        for (const polygon of polygons) expectValid(polygon, bytes, width);
        const inOrder = polygonise(
          grid,
          bytes,
          [...order].sort((a, b) => a - b),
        );
        expect(flat(polygons)).toEqual(flat(inOrder.polygons()));
      }),
      { numRuns: 200 },
    );
  });

  it('count patches that never came as clear', () => {
    fc.assert(
      fc.property(masks, fc.nat(), ({ grid, bytes, order }, cut) => {
        const present = order.slice(0, cut % (order.length + 1));
        const width = grid.core * grid.cols;
        const expected = bytes.map((value, i) => {
          const col = Math.floor((i % width) / grid.core);
          const row = Math.floor(Math.floor(i / width) / grid.core);
          return present.includes(row * grid.cols + col) ? value : 0;
        });
        const polygons = [...polygonise(grid, bytes, present).polygons()];
        expect(rasterise(polygons, width, grid.core * grid.rows)).toEqual(expected);
        for (const polygon of polygons) expectValid(polygon, expected, width);
      }),
    );
  });

  it('show no seam: a mask that is all set is one rectangle', () => {
    const grid = { core: 16, cols: 5, rows: 3 };
    const set = new Uint8Array(16 * 16 * 15).fill(1);
    const order = Array.from({ length: 15 }, (_, i) => (i * 7) % 15);
    expect(flat(polygonise(grid, set, order).polygons())).toEqual([
      { area: 16 * 16 * 15, rings: [[0, 0, 80, 0, 80, 48, 0, 48]] },
    ]);
  });

  it('part regions that touch by a corner only, also where four patches meet', () => {
    const grid = { core: 2, cols: 2, rows: 2 };
    const bytes = Uint8Array.of(1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1, 0, 0, 1, 1);
    const square = (x: number, y: number) => ({ area: 4, rings: [[x, y, x + 2, y, x + 2, y + 2, x, y + 2]] });
    expect(flat(polygonise(grid, bytes, [2, 0, 3, 1]).polygons())).toEqual([square(0, 0), square(2, 2)]);
  });

  it('split an outline that touches itself into an exterior and a hole', () => {
    // A ring of pixels closed only by a corner: its inside is a hole that touches the exterior in one point.
    const rows = ['.111', '1..1', '1..1', '1111'];
    const bytes = Uint8Array.from(rows.join(''), c => (c === '1' ? 1 : 0));
    const polygons = [...polygonise({ core: 4, cols: 1, rows: 1 }, bytes, [0]).polygons()];
    expect(flat(polygons)).toEqual([
      {
        area: 11,
        rings: [
          [1, 0, 4, 0, 4, 4, 0, 4, 0, 1, 1, 1],
          [1, 1, 1, 3, 3, 3, 3, 1],
        ],
      },
    ]);
  });

  it('leave out small regions and fill small holes, in that order of size', () => {
    const rows = ['11111.1.', '1...1...', '1.1.1...', '1...1.11', '11111.11', '........', '........', '........'];
    const bytes = Uint8Array.from(rows.join(''), c => (c === '1' ? 1 : 0));
    const areas = (options: object): number[] => {
      return Array.from(
        polygonise({ core: 4, cols: 2, rows: 2 }, bytes, [0, 1, 2, 3], options).polygons(),
        p => p.area,
      );
    };
    // What ends in the upper row of patches comes first.
    expect(areas({})).toEqual([1, 1, 16, 4]);
    expect(areas({ minArea: 4 })).toEqual([16, 4]);
    expect(areas({ minHole: 10 })).toEqual([1, 1, 25, 4]);
    expect(areas({ minHole: 9 })).toEqual([1, 1, 16, 4]);
    expect(areas({ minArea: 17, minHole: 10 })).toEqual([25]);
    expect(areas({ minArea: 17 })).toEqual([]);
  });

  it('leave out and fill as if all were looked at in the end, whatever the order of patches, and count what they lack', () => {
    const limit = fc.integer({ min: 0, max: 40 });
    fc.assert(
      fc.property(masks, limit, limit, ({ grid, bytes, order }, minArea, minHole) => {
        const expected = [...polygonise(grid, bytes, order).polygons()].flatMap(({ exterior, holes, corner }) => {
          const kept = holes.filter(hole => -ringArea(hole) >= minHole);
          const area = kept.reduce((sum, hole) => sum + ringArea(hole), ringArea(exterior));
          return area < minArea ? [] : [{ exterior, holes: kept, area, corner }];
        });
        const sieved = polygonise(grid, bytes, order, { minArea, minHole });
        const polygons = [...sieved.polygons()];
        expect(flat(polygons)).toEqual(flat(expected));
        const { droppedArea, filledArea, dropped, filled } = sieved.sieved;
        const set = bytes.reduce((a, b) => a + b, 0);
        expect(polygons.reduce((sum, p) => sum + p.area, 0)).toBe(set - droppedArea + filledArea);
        expect(dropped > 0).toBe(droppedArea > 0);
        expect(filled > 0).toBe(filledArea > 0);
        const inOrder = polygonise(
          grid,
          bytes,
          order.toSorted((a, b) => a - b),
          { minArea, minHole },
        );
        for (const _ of inOrder.polygons());
        expect(inOrder.sieved).toEqual(sieved.sieved);
      }),
      { numRuns: 300 },
    );
  });

  it('hold nothing of specks that lie inside patches', () => {
    const core = 256;
    const random = mulberry(3);
    const specks = Uint8Array.from({ length: core * core * 4 }, (_, i) => {
      const [x, y] = [i % (2 * core), Math.floor(i / (2 * core))];
      return x % core > 0 && x % core < core - 1 && y % core > 0 && y % core < core - 1 && random() < 0.3 ? 1 : 0;
    });
    const grid = { core, cols: 2, rows: 2 };
    const all = polygonise(grid, specks, [0, 1, 2, 3]);
    const sieved = polygonise(grid, specks, [0, 1, 2, 3], { minArea: 400, minHole: 400 });
    expect(sieved.bytes).toBeLessThan(all.bytes / 50);
    expect([...sieved.polygons()]).toEqual([]);
    expect(sieved.sieved.dropped).toBe([...all.polygons()].length);
    expect(sieved.sieved.droppedArea).toBe(specks.reduce((a, b) => a + b, 0));
  });

  it('are given out as rows of patches close, once each, in one order, and held no longer', () => {
    fc.assert(
      fc.property(masks, ({ grid, bytes, order }) => {
        const width = grid.core * grid.cols;
        const streamed = (places: readonly number[]) => {
          const polygons = new MaskPolygons(grid);
          const out: MaskPolygon[] = [];
          for (const index of places) {
            const [col, row] = [index % grid.cols, Math.floor(index / grid.cols)];
            const at = (x: number, y: number) => bytes[(row * grid.core + y) * width + col * grid.core + x] === 1;
            const bits = fromFunction(grid.core, grid.core, at);
            if (bits.some(byte => byte !== 0)) polygons.add(col, row, bits);
            else polygons.addClear(col, row);
            out.push(...polygons.closed());
          }
          expect([...polygons.polygons()]).toEqual([]);
          return out;
        };
        const given = streamed(order);
        expect(flat(given)).toEqual(flat(polygonise(grid, bytes, order).polygons()));
        expect(flat(streamed(order.toSorted((a, b) => a - b)))).toEqual(flat(given));
      }),
      { numRuns: 200 },
    );
  });

  it('are the same when patches come between two of them, and most is forgotten meanwhile', () => {
    const grid = { core: 32, cols: 3, rows: 50 };
    const random = mulberry(9);
    const bytes = Uint8Array.from({ length: 32 * 32 * 150 }, () => (random() < 0.4 ? 1 : 0));
    const polygons = new MaskPolygons(grid, { cut: 2 });
    const out: MaskPolygon[] = [];
    let closed: Iterator<MaskPolygon> | undefined;
    const take = (most: number): void => {
      closed ??= polygons.closed();
      for (let taken = 0; taken < most; taken++) {
        const { value, done } = closed.next();
        if (done) {
          closed = undefined;
          return;
        }
        out.push(value);
      }
    };
    let most = 0;
    for (let index = 0; index < 150; index++) {
      const [col, row] = [index % 3, Math.floor(index / 3)];
      const at = (x: number, y: number) => bytes[(row * 32 + y) * 96 + col * 32 + x] === 1;
      polygons.add(col, row, fromFunction(32, 32, at));
      // Less than comes now and then, more at other times.
      take(index % 30 < 24 ? 20 : 500);
      most = Math.max(most, polygons.bytes);
    }
    take(Number.POSITIVE_INFINITY);
    out.push(...polygons.polygons());
    const order = Array.from({ length: 150 }, (_, index) => index);
    const whole = polygonise(grid, bytes, order, { cut: 2 });
    expect(most).toBeLessThan(whole.bytes * 0.75);
    expect(flat(out)).toEqual(flat(whole.polygons()));
  });

  it('are cut along lines between patches where that is wanted, as if each square were a mask of its own', () => {
    fc.assert(
      fc.property(masks, ({ grid, bytes, order }) => {
        const width = grid.core * grid.cols;
        const moved = (ring: Ring, x: number, y: number) => ring.map((at, i) => at + (i % 2 === 0 ? x : y));
        const alone = order.flatMap(index => {
          const [x, y] = [(index % grid.cols) * grid.core, Math.floor(index / grid.cols) * grid.core];
          const patch = new MaskPolygons({ core: grid.core, cols: 1, rows: 1 });
          const at = (px: number, py: number) => bytes[(y + py) * width + x + px] === 1;
          patch.add(0, 0, fromFunction(grid.core, grid.core, at));
          return [...patch.polygons()].map(({ exterior, holes, area, corner }) => ({
            ...{ area, corner: [corner[0] + x, corner[1] + y] as const, exterior: moved(exterior, x, y) },
            holes: holes.map(hole => moved(hole, x, y)),
          }));
        });
        const inOrder = (polygons: Iterable<MaskPolygon>) =>
          flat([...polygons].sort((a, b) => a.corner[1] - b.corner[1] || a.corner[0] - b.corner[0]));
        expect(inOrder(polygonise(grid, bytes, order, { cut: 1 }).polygons())).toEqual(inOrder(alone));
        const set = bytes.reduce((a, b) => a + b, 0);
        const wider = [...polygonise(grid, bytes, order, { cut: 2 }).polygons()];
        expect(rasterise(wider, width, grid.core * grid.rows)).toEqual(bytes);
        expect(wider.reduce((sum, { area }) => sum + area, 0)).toBe(set);
        const smooth = { width, height: grid.core * grid.rows };
        for (const { exterior, corner } of polygonise(grid, bytes, order, { cut: 1, smooth }).polygons())
          for (const [i, at] of exterior.entries()) {
            const from = Math.floor(corner[i % 2]! / grid.core) * grid.core;
            expect(at >= from && at <= from + grid.core).toBe(true);
          }
      }),
      { numRuns: 150 },
    );
  });

  it('hold no more of a long mask than of a short one', () => {
    const core = 32;
    const held = (rows: number): number => {
      const random = mulberry(5);
      const polygons = new MaskPolygons({ core, cols: 2, rows });
      let most = 0;
      for (let row = 0; row < rows; row++)
        for (let col = 0; col < 2; col++) {
          polygons.add(
            col,
            row,
            fromFunction(core, core, () => random() < 0.4),
          );
          for (const { area } of polygons.closed()) expect(area).toBeGreaterThan(0);
          most = Math.max(most, polygons.bytes);
        }
      return most;
    };
    // Tables double, and what is done with is forgotten when it is half of them.
    expect(held(120)).toBeLessThan(held(30) * 2.5);
  });

  it('take neither a patch twice, nor one outside, nor one after the end', () => {
    const polygons = new MaskPolygons({ core: 8, cols: 2, rows: 1 });
    polygons.add(0, 0, new Uint8Array(8).fill(1));
    expect(polygons.has(0, 0)).toBe(true);
    expect(polygons.has(1, 0)).toBe(false);
    expect(() => polygons.add(0, 0, new Uint8Array(8))).toThrow('again');
    expect(() => polygons.add(2, 0, new Uint8Array(8))).toThrow(RangeError);
    expect([...polygons.polygons()]).toHaveLength(1);
    expect(() => polygons.add(1, 0, new Uint8Array(8))).toThrow('late');
  });

  it('hold about a byte a corner', () => {
    const grid = { core: 256, cols: 1, rows: 1 };
    const random = mulberry(3);
    const bytes = Uint8Array.from({ length: 256 * 256 }, () => (random() < 0.5 ? 1 : 0));
    const polygons = polygonise(grid, bytes, [0]);
    const corners = [...polygons.polygons()].reduce(
      (sum, p) => sum + [p.exterior, ...p.holes].reduce((n, ring) => n + ring.length / 2, 0),
      0,
    );
    // Tables double, and noise is the worst case: mostly rings of one pixel, each with a table row of 29 bytes.
    expect(polygons.bytes).toBeLessThan(corners * 16);
  });
});
