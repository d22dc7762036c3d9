import { type Chains, DOWN, DX, DY, LEFT, RIGHT, TURN_LEFT, TURN_RIGHT, TURN_TOUCHING, UP } from './chains.js';
import { growInts } from './grow.js';
import type { PatchRegions } from './patch-regions.js';
import type { Sieve } from './sieve.js';

/** Set in a label once the boundary along the pixel's upper edge has been followed. */
const SEEN = 0x8000_0000 | 0;

/**
 * Follows every boundary of a patch's regions and stores it in lattice coordinates moved by (originX, originY).
 * Edges on the patch's own border are left out, because the neighbour decides about them: a boundary that meets the
 * border is stored as open chains, one that does not as a ring.
 *
 * The walk keeps set pixels on its right and, where only corners touch, turns right: regions are 4-connected.
 *
 * What encloses too little is left to the sieve: outlines of small regions with all that is in them, and small holes. A boundary that touches itself
 * will be several rings: it is judged here only where all of them are small.
 */
export class Tracer {
  readonly #length = growInts();
  readonly #turn = growInts();
  /** Per edge of the ring being followed: does it lie on the patch's border? */
  readonly #onBorder = growInts();
  /** Of the boundary being followed: pixels inside, negative where it goes round a hole. */
  #area = 0;
  /** Pixels that its outermost ring has inside, at most: where it touches itself, holes are part of it. */
  #most = 0;
  /** Regions of this patch that are left out. */
  readonly #left = new Set<number>();

  trace(regions: PatchRegions, chains: Chains, sieve: Sieve, originX: number, originY: number): void {
    const { stride, labels } = regions;
    this.#left.clear();
    regions.stretches((x, y) => {
      const label = labels[(y + 1) * stride + x + 1]!;
      // A boundary that came along here before has marked it.
      if (label < 0) return;
      const meetsBorder = this.#follow(regions, x, y);
      if (!meetsBorder && this.#isSieved(sieve, label)) return;
      this.#store(chains, meetsBorder, x + originX, y + originY, label - 1);
    });
  }

  /** An outline comes before the holes of its region: it has the region's first pixel. */
  #isSieved(sieve: Sieve, label: number): boolean {
    const area = this.#area;
    if (this.#left.has(label)) {
      sieve.dropHole(-area);
      return true;
    }
    if (area > 0 ? this.#most >= sieve.minArea : -area >= sieve.minHole) return false;
    if (area > 0) {
      sieve.drop(area);
      this.#left.add(label);
    } else sieve.fill(-area);
    return true;
  }

  /** Walks the ring that starts along the upper edge of pixel (x, y); returns whether it meets the patch's border. */
  #follow(regions: PatchRegions, startX: number, startY: number): boolean {
    const { side, stride, labels } = regions;
    this.#length.clear();
    this.#turn.clear();
    this.#onBorder.clear();
    // Label offsets of the pixels ahead on the left and on the right hand of a lattice point, by heading.
    const aheadLeft = [-stride, 0, -1, -stride - 1];
    const aheadRight = [0, -1, -stride - 1, -stride];
    const step = [1, stride, -1, -stride];
    let point = (startY + 1) * stride + startX + 1;
    const start = point;
    let heading = RIGHT;
    let meets = false;
    labels[point]! |= SEEN;
    let x = startX;
    let y = startY;
    let area = 0;
    let touches = false;
    let [west, east, south] = [x, x, y];
    do {
      const left = aheadLeft[heading]!;
      const right = aheadRight[heading]!;
      const move = step[heading]!;
      let length = 0;
      do {
        point += move;
        length++;
      } while (labels[point + right] !== 0 && labels[point + left] === 0);
      const turn = labels[point + right] !== 0 ? TURN_LEFT : labels[point + left] !== 0 ? TURN_TOUCHING : TURN_RIGHT;
      const border =
        (heading === RIGHT && y === 0) ||
        (heading === LEFT && y === side) ||
        (heading === UP && x === 0) ||
        (heading === DOWN && x === side);
      this.#length.push(length);
      this.#turn.push(turn);
      this.#onBorder.push(border ? 1 : 0);
      meets ||= border;
      touches ||= turn === TURN_TOUCHING;
      // The shoelace formula, of which only vertical edges count.
      area += x * DY[heading]! * length;
      x += DX[heading]! * length;
      y += DY[heading]! * length;
      if (x < west) west = x;
      else if (x > east) east = x;
      if (y > south) south = y;
      heading = (heading + (turn === TURN_LEFT ? 3 : 1)) & 3;
      if (heading === RIGHT) labels[point]! |= SEEN;
    } while (point !== start || heading !== RIGHT);
    this.#area = area;
    this.#most = touches ? (east - west) * (south - startY) : area;
    return meets;
  }

  #store(chains: Chains, meetsBorder: boolean, startX: number, startY: number, component: number): void {
    const length = this.#length.data;
    const turn = this.#turn.data;
    const border = this.#onBorder.data;
    const edges = this.#length.length;
    if (!meetsBorder) {
      chains.begin(startX, startY, RIGHT, component);
      for (let i = 0; i < edges; i++) chains.edge(length[i]!, turn[i]!);
      chains.endClosed();
      return;
    }
    // Go once round from the edge after some border edge, so that no chain wraps around the list.
    let x = startX;
    let y = startY;
    let heading = RIGHT;
    const advance = (i: number): void => {
      x += DX[heading]! * length[i]!;
      y += DY[heading]! * length[i]!;
      heading = (heading + (turn[i] === TURN_LEFT ? 3 : 1)) & 3;
    };
    let first = 0;
    while (border[first] === 0) advance(first++);
    let open = false;
    for (let n = 0, i = first; n < edges; n++, i = i + 1 === edges ? 0 : i + 1) {
      const along = border[i] !== 0;
      if (!along) {
        if (!open) chains.begin(x, y, heading, component);
        const next = i + 1 === edges ? 0 : i + 1;
        const last = border[next] !== 0;
        const headed = heading;
        chains.edge(length[i]!, last ? 0 : turn[i]!);
        advance(i);
        if (last) chains.end(x, y, headed);
        open = !last;
      } else {
        advance(i);
      }
    }
  }
}
