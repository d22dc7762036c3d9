/** A connected region of pixels of one value. */
export interface Region {
  /** Pixels. */
  readonly area: number;
  /** Whether a pixel of that value lies beside it (by the same connectivity). */
  touches(value: number): boolean;
}

/**
 * The connected regions of one value in a square of bytes, below 8: runs of each row are united with those of the row above that they meet (two-pass
 * labelling of runs, union-find with path halving).
 */
export class Regions {
  readonly #pixels: Uint8Array;
  /** Triples: start of the run, end, region. */
  readonly #runs: number[] = [];
  readonly #parent: number[] = [];
  readonly #area: number[] = [];
  /** A bit for each value that lies beside. */
  readonly #beside: number[] = [];

  /** @param connectivity 4 or 8: whether pixels that meet in a corner are one region */
  static of(pixels: Uint8Array, side: number, value: number, connectivity: 4 | 8): Regions {
    return new Regions(pixels, side, value, connectivity === 8 ? 1 : 0);
  }

  private constructor(pixels: Uint8Array, side: number, value: number, corner: 0 | 1) {
    this.#pixels = pixels;
    let [above, aboveEnd] = [0, 0];
    for (let y = 0; y < side; y++) {
      const first = this.#runs.length;
      const row = y * side;
      for (let x = 0; x < side; x++) {
        if (pixels[row + x] !== value) continue;
        const start = x;
        while (x < side && pixels[row + x] === value) x++;
        const region = this.#begin(x - start);
        this.#runs.push(row + start, row + x, region);
        const [from, to] = [Math.max(0, start - corner), Math.min(side, x + corner)];
        if (start > 0) this.#see(region, row + start - 1, row + start);
        if (x < side) this.#see(region, row + x, row + x + 1);
        if (y > 0) this.#see(region, row - side + from, row - side + to);
        if (y < side - 1) this.#see(region, row + side + from, row + side + to);
        while (above < aboveEnd && this.#runs[above + 1]! - (row - side) <= from) above += 3;
        for (let other = above; other < aboveEnd && this.#runs[other]! - (row - side) < to; other += 3)
          this.#unite(region, this.#runs[other + 2]!);
      }
      [above, aboveEnd] = [first, this.#runs.length];
    }
  }

  /** Gives every pixel of the regions that are meant this value. */
  change(isMeant: (region: Region) => boolean, value: number): void {
    const meant = new Map<number, boolean>();
    for (let at = 0; at < this.#runs.length; at += 3) {
      const root = this.#find(this.#runs[at + 2]!);
      let isToChange = meant.get(root);
      if (isToChange === undefined) {
        const beside = this.#beside[root]!;
        isToChange = isMeant({ area: this.#area[root]!, touches: other => (beside & (1 << other)) !== 0 });
        meant.set(root, isToChange);
      }
      if (isToChange) this.#pixels.fill(value, this.#runs[at]!, this.#runs[at + 1]!);
    }
  }

  #begin(area: number): number {
    this.#area.push(area);
    this.#beside.push(0);
    return this.#parent.push(this.#parent.length) - 1;
  }

  #see(region: number, from: number, to: number): void {
    for (let at = from; at < to; at++) this.#beside[region]! |= 1 << this.#pixels[at]!;
  }

  #unite(a: number, b: number): void {
    const [one, other] = [this.#find(a), this.#find(b)];
    if (one === other) return;
    this.#parent[one] = other;
    this.#area[other]! += this.#area[one]!;
    this.#beside[other]! |= this.#beside[one]!;
  }

  #find(region: number): number {
    let at = region;
    while (this.#parent[at] !== at) {
      this.#parent[at] = this.#parent[this.#parent[at]!]!;
      at = this.#parent[at]!;
    }
    return at;
  }
}
