import { ChainLinks } from './chain-links.js';
import { Chains, TURN_TOUCHING } from './chains.js';
import { Components } from './components.js';
import { PatchBorders } from './patch-borders.js';
import { PatchRegions } from './patch-regions.js';
import { type Ring, RingBuilder, ringArea } from './rings.js';
import { type PolygonOptions, Sieve, type SievedCounts } from './sieve.js';
import { Tracer } from './trace.js';

/** One 4-connected region of the mask in plan pixels; exterior with positive area, holes with negative. */
export interface MaskPolygon {
  readonly exterior: Ring;
  readonly holes: readonly Ring[];
  /** Pixels: the exterior's area less that of the holes. */
  readonly area: number;
}

/** The grid the patches lie on: sides in plan pixels. */
export interface MaskGrid {
  readonly core: number;
  readonly cols: number;
  readonly rows: number;
}

/**
 * Polygons of a mask that arrives patch by patch, in any order: rasterised, they give the mask back bit by bit, but for regions and
 * holes that were to be left out because they are small. A patch costs time in proportion to its own pixels, memory is about a byte a corner of what
 * is kept, and the end takes time in proportion to the boundary. Polygons meet the OGC rules for validity (QuPath and JTS check them): rings are simple
 * and holes touch other rings in points only.
 */
export class MaskPolygons {
  readonly #grid: MaskGrid;
  readonly #chains: Chains;
  readonly #components = new Components();
  readonly #borders: PatchBorders;
  readonly #regions: PatchRegions;
  readonly #tracer = new Tracer();
  readonly #added = new Set<number>();
  readonly #sieve: Sieve;
  #finished = false;

  constructor(grid: MaskGrid, options: PolygonOptions = {}) {
    this.#sieve = new Sieve(options);
    this.#grid = { core: grid.core, cols: grid.cols, rows: grid.rows };
    this.#chains = new Chains(this.#latticeWidth);
    this.#borders = new PatchBorders(this.#chains, this.#components, grid.core, grid.cols);
    this.#regions = new PatchRegions(grid.core);
  }

  get #latticeWidth(): number {
    return this.#grid.cols * this.#grid.core + 1;
  }

  /** Bytes of boundary held. */
  get bytes(): number {
    return this.#chains.bytes;
  }

  has(col: number, row: number): boolean {
    return this.#added.has(row * this.#grid.cols + col);
  }

  /** Adds a patch (core × core bits, clear outside the slide). Patches that never come count as clear. */
  add(col: number, row: number, bits: Uint8Array): void {
    const { core, cols, rows } = this.#grid;
    if (col < 0 || row < 0 || col >= cols || row >= rows) throw new RangeError(`patch ${col}, ${row}`);
    if (this.#finished || this.has(col, row)) throw new Error(`patch ${col}, ${row} comes again or too late`);
    this.#added.add(row * cols + col);
    const x = col * core;
    const y = row * core;
    const key = (px: number, py: number): number => (y + py) * this.#latticeWidth + x + px;
    if (this.#regions.load(bits, this.#components, key)) {
      this.#borders.add(col, row, this.#regions);
      this.#tracer.trace(this.#regions, this.#chains, this.#sieve, x, y);
    } else {
      this.#borders.addEmpty(col, row);
    }
  }

  /** What was left out and filled; all of it once `polygons` has come to its end. */
  get sieved(): SievedCounts {
    return this.#sieve.counts;
  }

  /** All regions, topmost first; ends the mask, so that no patch can be added afterwards. To be called once. */
  *polygons(): Generator<MaskPolygon> {
    const { minArea, minHole } = this.#sieve;
    if (!this.#finished) this.#borders.finish();
    this.#finished = true;
    const links = new ChainLinks(this.#chains);
    const builder = new RingBuilder();
    for (const heads of links.boundaries(this.#components)) {
      let exterior: Ring | undefined;
      let area = 0;
      const holes: Ring[] = [];
      const small: number[] = [];
      for (const head of heads) {
        for (const ring of this.#follow(links, head, builder)) {
          const signed = ringArea(ring);
          if (signed > 0) exterior = ring;
          else if (-signed < minHole) {
            small.push(-signed);
            continue;
          } else holes.push(ring);
          area += signed;
        }
      }
      if (!exterior) throw new Error('a region without an outline');
      if (area < minArea) {
        this.#sieve.drop(small.reduce((pixels, hole) => pixels - hole, area));
        continue;
      }
      for (const hole of small) this.#sieve.fill(hole);
      holes.sort((a, b) => a[1]! - b[1]! || a[0]! - b[0]!);
      yield { exterior, holes, area };
    }
  }

  #follow(links: ChainLinks, head: number, builder: RingBuilder): Ring[] {
    const chains = this.#chains;
    const width = this.#latticeWidth;
    const key = chains.startKey(head);
    builder.begin(key % width, Math.floor(key / width));
    let chain = head;
    let touching = false;
    do {
      chains.walk(chain, (heading, length, turn) => {
        builder.edge(heading, length, touching);
        touching = turn === TURN_TOUCHING;
      });
      if (chains.isClosed(chain)) break;
      touching = links.touching(chains.endKey(chain));
      chain = links.next(chain);
    } while (chain !== head);
    return builder.rings(touching);
  }
}
