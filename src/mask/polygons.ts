import { ChainLinks } from './chain-links.js';
import { Chains, TURN_TOUCHING } from './chains.js';
import { Components } from './components.js';
import type { MaskGrid } from './grid.js';
import { growInts } from './grow.js';
import { OutlineSmoother } from './outline.js';
import { PatchBorders } from './patch-borders.js';
import { PatchRegions } from './patch-regions.js';
import { type Ring, RingBuilder, ringArea } from './rings.js';
import { type PolygonOptions, Sieve, type SievedCounts } from './sieve.js';
import { Tracer } from './trace.js';

/** One 4-connected region of the mask in plan pixels; exterior with positive area, holes with negative. */
export interface MaskPolygon {
  readonly exterior: Ring;
  readonly holes: readonly Ring[];
  /** Pixels that are inside. */
  readonly area: number;
  /** The topmost, then leftmost corner of its pixels: it names the region. */
  readonly corner: readonly [x: number, y: number];
}

/** Chains from which on it is worth while to forget those that are done with. */
const MANY = 4096;

/**
 * Polygons of a mask that arrives patch by patch, in any order: rasterised, they give the mask back bit by bit, but for regions and
 * holes that were to be left out because they are small. A patch costs time in proportion to its own pixels. Regions that nothing to come can
 * change are given out as rows of patches close (`closed`) and forgotten: memory is that of the rows that are open and of the outlines that reach into
 * them, about a byte a corner. Polygons meet the OGC rules for validity (QuPath and JTS check them): rings are simple
 * and holes touch other rings in points only. Regions that are cut are as many polygons, which meet along the lines.
 */
export class MaskPolygons {
  readonly #grid: MaskGrid;
  readonly #chains: Chains;
  #components = new Components();
  readonly #borders: PatchBorders;
  readonly #regions: PatchRegions;
  readonly #tracer = new Tracer();
  readonly #builder = new RingBuilder();
  readonly #smoother: OutlineSmoother | undefined;
  readonly #added = new Set<number>();
  /** Patches that each row lacks. */
  readonly #lacking: Int32Array;
  /** First row whose regions were not given out. */
  #row = 0;
  /** Chains that were not given out, of those below #seen, in ascending order. */
  #open: Int32Array = new Int32Array(0);
  #seen = 0;
  readonly #sieve: Sieve;
  #finished = false;

  constructor(grid: MaskGrid, options: PolygonOptions = {}) {
    this.#sieve = new Sieve(options);
    this.#grid = { core: grid.core, cols: grid.cols, rows: grid.rows };
    this.#chains = new Chains(this.#latticeWidth);
    this.#borders = new PatchBorders(this.#chains, this.#components, this.#grid, options.cut);
    this.#regions = new PatchRegions(grid.core);
    this.#smoother = options.smooth ? new OutlineSmoother(options.smooth, (options.cut ?? 0) * grid.core) : undefined;
    this.#lacking = new Int32Array(grid.rows).fill(grid.cols);
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
    this.#take(col, row);
    const { core } = this.#grid;
    const x = col * core;
    const y = row * core;
    const key = (px: number, py: number): number => (y + py) * this.#latticeWidth + x + px;
    if (this.#regions.load(bits, this.#components, row, key)) {
      this.#borders.add(col, row, this.#regions);
      this.#tracer.trace(this.#regions, this.#chains, this.#sieve, x, y);
    } else {
      this.#borders.addEmpty(col, row);
    }
  }

  /** Adds a patch without a set pixel. */
  addClear(col: number, row: number): void {
    this.#take(col, row);
    this.#borders.addEmpty(col, row);
  }

  #take(col: number, row: number): void {
    const { cols, rows } = this.#grid;
    if (col < 0 || row < 0 || col >= cols || row >= rows) throw new RangeError(`patch ${col}, ${row}`);
    if (this.#finished || this.has(col, row)) throw new Error(`patch ${col}, ${row} comes again or too late`);
    this.#added.add(row * cols + col);
    this.#lacking[row]! -= 1;
  }

  /** What was left out and filled; all of it once `polygons` has come to its end. */
  get sieved(): SievedCounts {
    return this.#sieve.counts;
  }

  /**
   * Regions that end in a row of patches which is complete, as are those above it and the next: nothing to come can change them. In the order of the
   * rows that they end in, then topmost first, whatever the order in which patches came; each is given out once. Patches may be added between two
   * of them; all have to be taken before it is called again.
   */
  *closed(): Generator<MaskPolygon> {
    const { rows } = this.#grid;
    let row = this.#row;
    while (row < rows && this.#lacking[row] === 0 && (row + 1 === rows || this.#lacking[row + 1] === 0)) row++;
    if (row === this.#row) return;
    this.#row = row;
    yield* this.#endingAbove(row);
    this.#forget();
  }

  /** All regions that are left, in the same order; ends the mask, so that no patch can be added afterwards. To be called once. */
  *polygons(): Generator<MaskPolygon> {
    if (!this.#finished) this.#borders.finish();
    this.#finished = true;
    yield* this.#endingAbove(this.#grid.rows);
  }

  *#endingAbove(row: number): Generator<MaskPolygon> {
    const chains = this.#chains;
    const { minArea, minHole } = this.#sieve;
    const ended = growInts();
    const open = growInts();
    const sort = (chain: number): void => {
      (this.#components.row(chains.component(chain)) < row ? ended : open).push(chain);
    };
    for (const chain of this.#open) sort(chain);
    for (let chain = this.#seen; chain < chains.length; chain++) sort(chain);
    this.#open = open.data.slice(0, open.length);
    this.#seen = chains.length;
    const links = new ChainLinks(chains, ended.data.subarray(0, ended.length));
    const pixels = this.#latticeWidth * (this.#grid.rows * this.#grid.core + 1);
    for (const heads of links.boundaries(this.#components, pixels)) {
      let exterior: Ring | undefined;
      let area = 0;
      const holes: Ring[] = [];
      const small: number[] = [];
      for (const head of heads) {
        for (const ring of this.#follow(links, head)) {
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
        this.#sieve.drop(small.reduce((sum, hole) => sum - hole, area));
        continue;
      }
      for (const hole of small) this.#sieve.fill(hole);
      holes.sort((a, b) => a[1]! - b[1]! || a[0]! - b[0]!);
      yield this.#polygon(exterior, holes, area);
    }
  }

  #polygon(exterior: Ring, holes: readonly Ring[], area: number): MaskPolygon {
    const corner = [exterior[0]!, exterior[1]!] as const;
    const smoother = this.#smoother;
    if (!smoother) return { exterior, holes, area, corner };
    return { exterior: smoother.run(exterior), holes: holes.map(hole => smoother.run(hole)), area, corner };
  }

  /** Lets go of what was given out, when that is most of what is held. */
  #forget(): void {
    const chains = this.#chains;
    const added = chains.length - this.#seen;
    const kept = new Int32Array(this.#open.length + added);
    kept.set(this.#open);
    for (let i = 0; i < added; i++) kept[this.#open.length + i] = this.#seen + i;
    if (chains.length < MANY || kept.length * 2 > chains.length) {
      const held = kept.reduce((sum, chain) => sum + chains.size(chain), 0);
      if (chains.length < MANY || held * 2 > chains.codeBytes) return;
    }
    const components = new Components();
    const names = new Map<number, number>();
    const rename = (id: number): number => {
      const root = this.#components.find(id);
      const known = names.get(root);
      if (known !== undefined) return known;
      const name = components.add(this.#components.key(root), this.#components.row(root));
      names.set(root, name);
      return name;
    };
    chains.retain(kept, rename);
    this.#borders.rename(components, rename);
    this.#components = components;
    this.#open = this.#open.map((_, i) => i);
    this.#seen = this.#open.length;
  }

  #follow(links: ChainLinks, head: number): Ring[] {
    const chains = this.#chains;
    const builder = this.#builder;
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
