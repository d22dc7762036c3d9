import { growDoubles, growInts } from './grow.js';

/**
 * Which pieces of the mask hang together: a union-find over 4-connected components (Tarjan 1975; path halving, the
 * smaller index stays the root). Each set knows the smallest of its members' keys, so that it has one name whatever
 * the order of its unions.
 */
export class Components {
  readonly #parent = growInts();
  readonly #key = growDoubles();

  /** A new component of its own; `key` orders components in the output. */
  add(key: number): number {
    const id = this.#parent.length;
    this.#parent.push(id);
    this.#key.push(key);
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
  }

  /** Smallest key of the component's members. */
  key(id: number): number {
    return this.#key.data[this.find(id)]!;
  }

  get size(): number {
    return this.#parent.length;
  }
}
