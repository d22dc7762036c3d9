import { growDoubles, growInts } from './grow.js';

/**
 * Which pieces of the mask hang together: a union-find over 4-connected components (Tarjan 1975; path halving, the
 * smaller index stays the root). Each set knows the smallest of its members' keys, so that it has one name whatever
 * the order of its unions, and the last row of patches that it has a pixel in.
 */
export class Components {
  readonly #parent = growInts();
  readonly #key = growDoubles();
  readonly #row = growInts();

  /** A new component of its own in a row of patches; `key` orders components in the output. */
  add(key: number, row: number): number {
    const id = this.#parent.length;
    this.#parent.push(id);
    this.#key.push(key);
    this.#row.push(row);
    return id;
  }

  find(id: number): number {
    const parent = this.#parent.data;
    let at = id;
    while (parent[at]! !== at) {
      parent[at] = parent[parent[at]!]!;
      at = parent[at]!;
    }
    return at;
  }

  union(a: number, b: number): void {
    const ra = this.find(a);
    const rb = this.find(b);
    if (ra === rb) return;
    const [root, child] = ra < rb ? [ra, rb] : [rb, ra];
    this.#parent.data[child] = root;
    const key = this.#key.data;
    if (key[child]! < key[root]!) key[root] = key[child]!;
    const row = this.#row.data;
    if (row[child]! > row[root]!) row[root] = row[child]!;
  }

  /** Smallest key of the component's members. */
  key(id: number): number {
    return this.#key.data[this.find(id)]!;
  }

  /** Last row of patches of the component's members. */
  row(id: number): number {
    return this.#row.data[this.find(id)]!;
  }

  get size(): number {
    return this.#parent.length;
  }
}
