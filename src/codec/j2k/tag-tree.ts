/** Values of a grid of leaves, coded from the minimum of all down to each (ISO/IEC 15444-1, annex B.10.2). */
export class TagTree {
  /** By node: where its parent is, what its value is at least, and whether it is that. */
  readonly #parents: number[] = [];
  readonly #least: number[] = [];
  readonly #known: boolean[] = [];

  constructor(cols: number, rows: number) {
    for (let across = cols, down = rows; across * down > 0; ) {
      const first = this.#parents.length;
      const next = first + across * down;
      const last = across * down === 1;
      for (let i = 0; i < across * down; i++) {
        const parent = next + (Math.floor(i / across) >> 1) * ((across + 1) >> 1) + ((i % across) >> 1);
        this.#parents.push(last ? -1 : parent);
        this.#least.push(0);
        this.#known.push(false);
      }
      if (last) break;
      across = (across + 1) >> 1;
      down = (down + 1) >> 1;
    }
  }

  reset(): void {
    this.#least.fill(0);
    this.#known.fill(false);
  }

  /** Whether a leaf's value is below `limit`; reads as many bits as it takes to know. */
  isBelow(leaf: number, limit: number, bit: () => number): boolean {
    const path: number[] = [];
    for (let node = leaf; node >= 0; node = this.#parents[node]!) path.push(node);
    let least = 0;
    for (const node of path.reverse()) {
      least = Math.max(least, this.#least[node]!);
      while (least < limit && !this.#known[node]) {
        if (bit() === 1) this.#known[node] = true;
        else least++;
      }
      this.#least[node] = least;
    }
    return this.#known[leaf]! && this.#least[leaf]! < limit;
  }
}
