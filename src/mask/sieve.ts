export interface PolygonOptions {
  /** Regions smaller than this are left out, after small holes were filled; in plan pixels, 0 keeps all. */
  readonly minArea?: number;
  /** Holes smaller than this are filled; in plan pixels, 0 keeps all. */
  readonly minHole?: number;
  /** Regions are cut along every so many lines between patches, so that none is larger than such a square; undefined: none is cut. */
  readonly cut?: number | undefined;
  /** Outlines are smoothed (outline.ts) and stay within a mask of this size in plan pixels; undefined: they follow the pixels' edges. */
  readonly smooth?: { readonly width: number; readonly height: number } | undefined;
}

/** What polygons lack, or have too much, against the mask; areas in plan pixels. */
export interface SievedCounts {
  /** Regions left out. */
  readonly dropped: number;
  readonly droppedArea: number;
  /** Holes of the regions that are kept. */
  readonly filled: number;
  readonly filledArea: number;
}

/**
 * Leaves out what is too small to be seen, and counts it. Boundaries that lie inside one patch are judged as soon as they are traced, so
 * that the specks of a ragged mask cost no memory; the others at the end. Both ways by the same rule, so that the order of patches
 * changes nothing.
 */
export class Sieve {
  readonly minArea: number;
  readonly minHole: number;
  #dropped = 0;
  #droppedArea = 0;
  #filled = 0;
  #filledArea = 0;

  constructor({ minArea = 0, minHole = 0 }: PolygonOptions = {}) {
    this.minArea = minArea;
    this.minHole = minHole;
  }

  get counts(): SievedCounts {
    return {
      dropped: this.#dropped,
      droppedArea: this.#droppedArea,
      filled: this.#filled,
      filledArea: this.#filledArea,
    };
  }

  /** A region is left out. @param pixels its own, without its holes */
  drop(pixels: number): void {
    this.#dropped += 1;
    this.#droppedArea += pixels;
  }

  /** A region that was left out has a hole, which is not filled. */
  dropHole(pixels: number): void {
    this.#droppedArea -= pixels;
  }

  fill(pixels: number): void {
    this.#filled += 1;
    this.#filledArea += pixels;
  }
}
