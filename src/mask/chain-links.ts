import type { Chains } from './chains.js';
import type { Components } from './components.js';
import { growInts } from './grow.js';

/** Which chain goes on where another ends, of chains that make up whole boundaries: a hash table over the points where they start. */
export class ChainLinks {
  readonly #chains: Chains;
  readonly #ids: Int32Array;
  readonly #mask: number;
  /** Chain + 1, or 0; linear probing. */
  readonly #table: Int32Array;

  constructor(chains: Chains, ids: Int32Array) {
    this.#chains = chains;
    this.#ids = ids;
    let size = 1024;
    while (size < ids.length * 2) size *= 2;
    this.#mask = size - 1;
    this.#table = new Int32Array(size);
    for (const chain of ids) {
      if (chains.isClosed(chain)) continue;
      let slot = this.#slot(chains.startKey(chain));
      while (this.#table[slot] !== 0) slot = (slot + 1) & this.#mask;
      this.#table[slot] = chain + 1;
    }
  }

  /** Knuth's multiplicative hash over both halves of a key below 2^53. */
  #slot(key: number): number {
    const high = Math.floor(key / 0x1_0000_0000);
    const mixed = Math.imul((key >>> 0) ^ Math.imul(high, 0x85eb_ca6b), 0x9e37_79b1);
    return (mixed ^ (mixed >>> 15)) & this.#mask;
  }

  /** The chain that starts where this one ends; the right turn where two do. */
  next(chain: number): number {
    const key = this.#chains.endKey(chain);
    const right = (this.#chains.lastHeading(chain) + 1) & 3;
    let found = -1;
    for (let slot = this.#slot(key); this.#table[slot] !== 0; slot = (slot + 1) & this.#mask) {
      const other = this.#table[slot]! - 1;
      if (this.#chains.startKey(other) !== key) continue;
      if (this.#chains.firstHeading(other) === right) return other;
      // Along a line that cuts, boundaries of the other side start here, too: straight on comes before left, and back is never meant.
      const heading = this.#chains.firstHeading(other);
      if (heading === ((right + 3) & 3) || (heading === ((right + 2) & 3) && found < 0)) found = other;
    }
    if (found < 0) throw new Error('a boundary ends in the open');
    return found;
  }

  /** Whether two chains start at a point, that is, whether set pixels touch there by their corners. */
  touching(key: number): boolean {
    let found = 0;
    for (let slot = this.#slot(key); this.#table[slot] !== 0; slot = (slot + 1) & this.#mask) {
      if (this.#chains.startKey(this.#table[slot]! - 1) === key) found++;
    }
    return found > 1;
  }

  /**
   * One chain of every closed boundary, grouped by region, regions in the order of the row of patches that they end in (which take up `pixels`
   * each), then of their first pixel.
   */
  *boundaries(components: Components, pixels: number): Generator<Int32Array> {
    const heads = this.#heads();
    const keys = Float64Array.from(heads, head => {
      const component = this.#chains.component(head);
      return components.row(component) * pixels + components.key(component);
    });
    const sorted = keys.slice().sort();
    // A counting sort by each key's first place among the sorted ones: millions of heads are too many for a Map.
    const next = new Int32Array(heads.length);
    const order = new Int32Array(heads.length);
    for (const [i, head] of heads.entries()) {
      const rank = lowerBound(sorted, keys[i]!);
      order[rank + next[rank]!++] = head;
    }
    for (let start = 0; start < heads.length; ) {
      const end = start + next[start]!;
      yield order.subarray(start, end);
      start = end;
    }
  }

  #heads(): Int32Array {
    const chains = this.#chains;
    const seen = new Uint8Array(chains.length);
    const heads = growInts();
    for (const head of this.#ids) {
      if (seen[head] !== 0) continue;
      heads.push(head);
      for (let chain = head; seen[chain] === 0; chain = this.next(chain)) {
        seen[chain] = 1;
        if (chains.isClosed(chain)) break;
      }
    }
    return heads.data.subarray(0, heads.length);
  }
}

/** First place in an ascending list whose value is not below `value`. */
function lowerBound(sorted: Float64Array, value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
