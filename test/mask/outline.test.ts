import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type MaskPolygon, MaskPolygons } from '#src/mask/polygons.js';
import type { Ring } from '#src/mask/rings.js';
import { fromFunction, maskBytes } from './naive.js';

/** A mask of one patch as polygons, along the pixels' edges and smoothed. */
function both(side: number, bytes: Uint8Array): { edges: MaskPolygon[]; smooth: MaskPolygon[] } {
  const bits = fromFunction(side, side, (x, y) => bytes[y * side + x] === 1);
  const of = (smooth: { width: number; height: number } | undefined) => {
    const polygons = new MaskPolygons({ core: side, cols: 1, rows: 1 }, { smooth });
    polygons.add(0, 0, bits);
    return [...polygons.polygons()];
  };
  return { edges: of(undefined), smooth: of({ width: side, height: side }) };
}

type Point = readonly [x: number, y: number];

const ringsOf = (polygons: readonly MaskPolygon[]): Ring[] =>
  polygons.flatMap(({ exterior, holes }) => [exterior, ...holes]);

/** In tenths, which are whole. */
function segments(ring: Ring): [Point, Point][] {
  const point = (i: number): Point => [ring[i]! * 10, ring[i + 1]! * 10];
  return Array.from({ length: ring.length / 2 }, (_, i) => [point(2 * i), point((2 * i + 2) % ring.length)]);
}

/** Pixels whose centre lies inside an odd number of rings. */
function filled(rings: readonly Ring[], side: number): Uint8Array {
  const out = new Uint8Array(side * side);
  for (const [[ax, ay], [bx, by]] of rings.flatMap(segments))
    for (let y = 0; y < side; y++) {
      const at = y * 10 + 5;
      if (ay > at === by > at) continue;
      const x = ax + ((bx - ax) * (at - ay)) / (by - ay);
      for (let px = 0; px < side; px++) if (px * 10 + 5 > x) out[y * side + px]! ^= 1;
    }
  return out;
}

const cross = ([ax, ay]: Point, [bx, by]: Point, [cx, cy]: Point): number =>
  Math.sign((bx - ax) * (cy - ay) - (by - ay) * (cx - ax));

/** Whether two segments have a point in common. */
function meet([a, b]: [Point, Point], [c, d]: [Point, Point]): boolean {
  const within = (p: Point, q: Point, r: Point): boolean =>
    cross(p, q, r) === 0 && [0, 1].every(i => Math.min(p[i]!, q[i]!) <= r[i]! && r[i]! <= Math.max(p[i]!, q[i]!));
  if (within(a, b, c) || within(a, b, d) || within(c, d, a) || within(c, d, b)) return true;
  return cross(a, b, c) !== cross(a, b, d) && cross(c, d, a) !== cross(c, d, b);
}

/** From a point, in tenths, to the nearest piece of the pixels' edges. */
function distance([x, y]: Point, edges: readonly [Point, Point][]): number {
  const beyond = (at: number, p: number, q: number): number => Math.max(Math.min(p, q) - at, at - Math.max(p, q), 0);
  return Math.min(...edges.map(([a, b]) => Math.hypot(beyond(x, a[0], b[0]), beyond(y, a[1], b[1]))));
}

const masks = fc
  .integer({ min: 1, max: 12 })
  .chain(side => fc.record({ side: fc.constant(side), bytes: maskBytes(side, side) }));

describe('smoothed outlines', () => {
  it('have every pixel’s centre on its side, within half a pixel of its edges and inside the mask', () => {
    fc.assert(
      fc.property(masks, ({ side, bytes }) => {
        const { edges, smooth } = both(side, bytes);
        expect(smooth.map(({ area, corner, holes }) => ({ area, corner, holes: holes.length }))).toEqual(
          edges.map(({ area, corner, holes }) => ({ area, corner, holes: holes.length })),
        );
        const rings = ringsOf(smooth);
        expect(filled(rings, side)).toEqual(bytes);
        const pixelEdges = ringsOf(edges).flatMap(segments);
        for (const [[ax, ay], [bx, by]] of rings.flatMap(segments))
          for (const part of [0, 0.25, 0.5, 0.75]) {
            const point = [ax + (bx - ax) * part, ay + (by - ay) * part] as const;
            expect(distance(point, pixelEdges)).toBeLessThanOrEqual(5);
            for (const at of point) expect(at >= 0 && at <= side * 10).toBe(true);
          }
      }),
      { numRuns: 120 },
    );
  });

  it('neither cross nor touch themselves or each other', () => {
    fc.assert(
      fc.property(masks, ({ side, bytes }) => {
        const all = ringsOf(both(side, bytes).smooth).map(segments);
        for (const ring of all) expect(ring.length).toBeGreaterThanOrEqual(3);
        const flat = all.flatMap((ring, r) => ring.map((segment, i) => ({ segment, r, i, n: ring.length })));
        for (const [at, one] of flat.entries())
          for (const other of flat.slice(at + 1)) {
            const apart = (other.i - one.i + one.n) % one.n;
            const areNeighbours = one.r === other.r && (apart === 1 || apart === one.n - 1);
            if (!areNeighbours) expect(meet(one.segment, other.segment)).toBe(false);
          }
      }),
      { numRuns: 120 },
    );
  });

  it('take a quarter of the corners for shapes that are round', () => {
    const side = 256;
    const bytes = Uint8Array.from({ length: side * side }, (_, i) =>
      Math.hypot((i % side) - 127.3, Math.floor(i / side) - 126.8) < 100 ? 1 : 0,
    );
    const { edges, smooth } = both(side, bytes);
    expect(smooth[0]!.exterior.length * 4).toBeLessThan(edges[0]!.exterior.length);
    expect(smooth[0]!.area).toBe(edges[0]!.area);
  });

  it('leave a mask that is all set the rectangle that it is', () => {
    const { smooth } = both(16, new Uint8Array(256).fill(1));
    expect(ringsOf(smooth).map(ring => [...ring])).toEqual([expect.arrayContaining([0])]);
    const xs = smooth[0]!.exterior.filter((_, i) => i % 2 === 0);
    expect(Math.min(...xs)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...xs)).toBeLessThanOrEqual(16);
  });
});
