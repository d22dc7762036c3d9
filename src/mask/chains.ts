import { growBytes, growDoubles, growInts } from './grow.js';

/**
 * Pieces of boundary, about a byte a corner. Every boundary runs along pixel edges with the set pixels on its right
 * hand, so a piece is a starting point, a heading and a list of edge lengths with the turn after each.
 */

/** Heading of an edge; y points down. */
export const RIGHT = 0;
export const DOWN = 1;
export const LEFT = 2;
export const UP = 3;

export const DX = [1, 0, -1, 0] as const;
export const DY = [0, 1, 0, -1] as const;

/** What follows an edge. */
export const TURN_LEFT = 0;
export const TURN_RIGHT = 1;
/** A right turn where two set pixels touch only at a corner: the boundary passes this point twice. */
export const TURN_TOUCHING = 3;

const CLOSED = -1;

export class Chains {
  /** Width of the lattice: key = y × width + x, exact to 2^53. */
  readonly #width: number;
  readonly #startKey = growDoubles();
  readonly #endKey = growDoubles();
  readonly #component = growInts();
  /** First heading | last heading << 2. */
  readonly #headings = growBytes();
  /** Where the edges lie in #code; the next chain's offset ends them. */
  readonly #offset = growDoubles();
  /** Edges as LEB128 of length << 2 | turn. */
  readonly #code = growBytes();

  constructor(latticeWidth: number) {
    this.#width = latticeWidth;
  }

  get length(): number {
    return this.#startKey.length;
  }

  /** Bytes held, for figures. */
  get bytes(): number {
    return this.#code.data.length + this.#startKey.data.length * (8 + 8 + 4 + 1 + 8);
  }

  /** Starts a chain at a lattice point; edges follow, then `end`. */
  begin(x: number, y: number, heading: number, component: number): void {
    this.#startKey.push(y * this.#width + x);
    this.#component.push(component);
    this.#headings.push(heading);
    this.#offset.push(this.#code.length);
  }

  edge(length: number, turn: number): void {
    let value = length * 4 + turn;
    while (value > 0x7f) {
      this.#code.push((value & 0x7f) | 0x80);
      value >>>= 7;
    }
    this.#code.push(value);
  }

  /** Ends the chain begun last at a lattice point where another chain goes on. */
  end(x: number, y: number, heading: number): void {
    this.#endKey.push(y * this.#width + x);
    this.#headings.data[this.#headings.length - 1]! |= heading << 2;
  }

  /** Ends the chain begun last as a ring: its last edge leads back to its start. */
  endClosed(): void {
    this.#endKey.push(CLOSED);
  }

  isClosed(chain: number): boolean {
    return this.#endKey.data[chain] === CLOSED;
  }

  startKey(chain: number): number {
    return this.#startKey.data[chain]!;
  }

  endKey(chain: number): number {
    return this.#endKey.data[chain]!;
  }

  component(chain: number): number {
    return this.#component.data[chain]!;
  }

  firstHeading(chain: number): number {
    return this.#headings.data[chain]! & 3;
  }

  lastHeading(chain: number): number {
    return this.#headings.data[chain]! >> 2;
  }

  /** Bytes of all edges. */
  get codeBytes(): number {
    return this.#code.length;
  }

  /** Bytes of a chain's edges. */
  size(chain: number): number {
    return this.#endOf(chain) - this.#offset.data[chain]!;
  }

  #endOf(chain: number): number {
    return chain + 1 < this.length ? this.#offset.data[chain + 1]! : this.#code.length;
  }

  /**
   * Forgets all chains but these, in ascending order; they are numbered anew by their places in the list.
   *
   * @param component what their components are called from now on
   */
  retain(chains: Int32Array, component: (id: number) => number): void {
    let at = 0;
    for (let i = 0; i < chains.length; i++) {
      const chain = chains[i]!;
      const [from, to] = [this.#offset.data[chain]!, this.#endOf(chain)];
      this.#startKey.data[i] = this.#startKey.data[chain]!;
      this.#endKey.data[i] = this.#endKey.data[chain]!;
      this.#component.data[i] = component(this.#component.data[chain]!);
      this.#headings.data[i] = this.#headings.data[chain]!;
      this.#code.data.copyWithin(at, from, to);
      this.#offset.data[i] = at;
      at += to - from;
    }
    // The room is kept: the next rows need as much again, and tables that shrink and grow leave holes in memory.
    for (const list of [this.#startKey, this.#endKey, this.#component, this.#headings, this.#offset])
      list.length = chains.length;
    this.#code.length = at;
  }

  /** Calls `edge` with (heading, length, turn) for every edge in order; the last one's turn is 0 in an open chain. */
  walk(chain: number, edge: (heading: number, length: number, turn: number) => void): void {
    const code = this.#code.data;
    const end = this.#endOf(chain);
    let heading = this.firstHeading(chain);
    for (let at = this.#offset.data[chain]!; at < end; ) {
      let value = 0;
      for (let shift = 0; ; shift += 7) {
        const byte = code[at++]!;
        value |= (byte & 0x7f) << shift;
        if (byte < 0x80) break;
      }
      const turn = value & 3;
      edge(heading, value >>> 2, turn);
      heading = (heading + (turn === TURN_LEFT ? 3 : 1)) & 3;
    }
  }
}
