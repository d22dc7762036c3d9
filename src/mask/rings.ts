import { DX, DY } from './chains.js';
import { growInts } from './grow.js';

/** A simple closed ring: x, y, x, y, … of its corners, the first not repeated at the end. Along pixel edges unless it was smoothed. */
export type Ring = Int32Array | Float64Array;

/**
 * Twice-free signed area in pixels by the shoelace formula, of which only vertical edges count: Σ x · Δy.
 * Positive where the inside lies on the right hand with y down, which is counter-clockwise as RFC 7946 reads it.
 */
export function ringArea(ring: Ring): number {
  let area = 0;
  for (let i = 0, j = ring.length - 2; i < ring.length; j = i, i += 2) area += ring[i]! * (ring[i + 1]! - ring[j + 1]!);
  return area;
}

/** Collects the edges of one closed boundary, joining what is straight, and hands it out as simple rings. */
export class RingBuilder {
  readonly #x = growInts();
  readonly #y = growInts();
  /** Whether the boundary passes the corner twice. */
  readonly #touching = growInts();
  #atX = 0;
  #atY = 0;
  #heading = -1;

  begin(x: number, y: number): void {
    for (const list of [this.#x, this.#y, this.#touching]) list.clear();
    this.#atX = x;
    this.#atY = y;
    this.#heading = -1;
  }

  /** One edge from where the last one ended; `touching` tells of the corner it starts from. */
  edge(heading: number, length: number, touching: boolean): void {
    if (heading !== this.#heading) this.#corner(touching);
    this.#heading = heading;
    this.#atX += DX[heading]! * length;
    this.#atY += DY[heading]! * length;
  }

  #corner(touching: boolean): void {
    this.#x.push(this.#atX);
    this.#y.push(this.#atY);
    this.#touching.push(touching ? 1 : 0);
  }

  /**
   * Ends the boundary, which must have returned to its start, and splits it wherever it passes a corner twice
   * (a ring must not touch itself: OGC 06-103r4 §6.1.11). One pass with a stack: what lies between the two visits
   * is a ring of its own. `startTouching` tells of the corner where the boundary began.
   */
  rings(startTouching: boolean): Ring[] {
    const x = this.#x.data;
    const y = this.#y.data;
    const touching = this.#touching.data;
    const n = this.#x.length;
    touching[0] = startTouching ? 1 : 0;
    // The first corner lies on a straight stretch when the boundary was entered in the middle of an edge.
    const straight = (x[0] === x[1] && x[0] === x[n - 1]) || (y[0] === y[1] && y[0] === y[n - 1]);
    const first = straight ? 1 : 0;
    if (!touching.subarray(0, n).includes(1)) return [this.#simple(first, n)];

    const rings: Ring[] = [];
    const stack: number[] = [];
    const visited = new Map<number, number>();
    const key = (corner: number): number => y[corner]! * 0x400_0000 + x[corner]!;
    for (let i = first; i < n; i++) {
      if (touching[i] !== 0) {
        const before = visited.get(key(i));
        if (before === undefined) {
          visited.set(key(i), stack.length);
        } else {
          const loop = stack.splice(before);
          for (const corner of loop.slice(1)) if (touching[corner] !== 0) visited.delete(key(corner));
          rings.push(this.#ring(loop));
        }
      }
      stack.push(i);
    }
    rings.push(this.#ring(stack));
    return rings;
  }

  /** All corners from `begin` to `end`; see #ring. */
  #simple(begin: number, end: number): Ring {
    const x = this.#x.data;
    const y = this.#y.data;
    let first = begin;
    for (let i = begin + 1; i < end; i++) if (y[i]! < y[first]! || (y[i] === y[first] && x[i]! < x[first]!)) first = i;
    const ring = new Int32Array((end - begin) * 2);
    let at = 0;
    for (let i = first; i < end; i++) {
      ring[at++] = x[i]!;
      ring[at++] = y[i]!;
    }
    for (let i = begin; i < first; i++) {
      ring[at++] = x[i]!;
      ring[at++] = y[i]!;
    }
    return ring;
  }

  /** The corners as coordinates, starting from the topmost, then leftmost one, so that a ring has one spelling. */
  #ring(corners: readonly number[]): Ring {
    const x = this.#x.data;
    const y = this.#y.data;
    let first = 0;
    for (let i = 1; i < corners.length; i++) {
      const [a, b] = [corners[i]!, corners[first]!];
      if (y[a]! < y[b]! || (y[a] === y[b] && x[a]! < x[b]!)) first = i;
    }
    const ring = new Int32Array(corners.length * 2);
    for (let i = 0; i < corners.length; i++) {
      const corner = corners[(first + i) % corners.length]!;
      ring[i * 2] = x[corner]!;
      ring[i * 2 + 1] = y[corner]!;
    }
    return ring;
  }
}
