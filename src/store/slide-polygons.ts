import { type MaskPolygon, MaskPolygons } from '../mask/polygons.js';
import type { PatchPlan } from '../read/patch.js';
import { POLYGON_FILE, PolygonFiles } from './geojson.js';
import type { SlideFilesSummary } from './summary.js';

/** How outlines of polygons are drawn: along the pixels' edges, or within half a pixel of them. */
export type Outlines = 'auto' | 'edges' | 'smooth';

export interface SlidePolygonsOptions {
  readonly folder: string;
  readonly plan: PatchPlan;
  /** Polygons, or holes, smaller than these many µm² are left out, or filled. */
  readonly minArea: number;
  readonly minHole: number;
  /** 'auto': 'smooth' where the mask has more than LARGE_FROM pixels. */
  readonly outlines: Outlines;
}

/** Masks that wait to be traced while others are written. */
const MOST_UNTRACED = 64;

/** Time to write polygons for each patch that is traced; those of a patch take about one of them. */
const WRITING_MS = 4;

/** Pixels of a mask, a thousand patches of 512: outlines along pixel edges may take 100 MB from here on. */
const LARGE_FROM = 2 ** 28;

/** Patches between lines along which regions of a large mask are cut: tissue hangs together from end to end, and a viewer draws a polygon as a whole. */
const CUT_PATCHES = 8;

/**
 * A slide's polygons, from its masks to mask.geojson, as patches come (docs/decisions/0055-polygons-row-by-row.md). What throws while it writes has lost
 * polygons that were given out: they are made anew by another one.
 */
export class SlidePolygons {
  readonly #options: SlidePolygonsOptions;
  readonly #polygons: MaskPolygons;
  readonly #files: PolygonFiles;
  /** Patches whose polygons are still to be traced; without bits where none is set. */
  readonly #untraced: { readonly col: number; readonly row: number; readonly bits?: Uint8Array | undefined }[] = [];
  /** Those of rows that are complete, as far as they are not written. */
  #closed: Iterator<MaskPolygon, void> | undefined;
  /** Patches traced since they were begun. */
  #sinceClosed = 0;

  constructor(options: SlidePolygonsOptions) {
    const { folder, plan, minArea, minHole } = options;
    this.#options = options;
    this.#files = new PolygonFiles(folder, plan);
    const pixel = plan.mpp ** 2;
    const cut = this.#isLarge ? CUT_PATCHES : undefined;
    const smooth = this.#isSmooth ? { width: plan.width, height: plan.height } : undefined;
    this.#polygons = new MaskPolygons(plan, { minArea: minArea / pixel, minHole: minHole / pixel, smooth, cut });
  }

  /** So many patches are kept that it is time for `catchUp`. */
  get isFull(): boolean {
    return this.#untraced.length >= MOST_UNTRACED;
  }

  /** Keeps a patch until `catchUp`. */
  add(col: number, row: number, bits?: Uint8Array): void {
    this.#untraced.push({ col, row, bits });
  }

  /**
   * Traces what was not traced yet, and writes polygons that nothing to come can change: for a few milliseconds a patch, since many become due at
   * once and the next patch waits meanwhile. What is left over is written after the next ones, all of it before another row of patches is done: however
   * slow the machine, no more is held than that row.
   */
  catchUp(): void {
    const untraced = this.#untraced.splice(0);
    if (untraced.length === 0) return;
    for (const { col, row, bits } of untraced)
      if (bits) this.#polygons.add(col, row, bits);
      else this.#polygons.addClear(col, row);
    this.#sinceClosed += untraced.length;
    const isLate = this.#sinceClosed > this.#options.plan.cols;
    this.#writeClosed(isLate ? Number.POSITIVE_INFINITY : untraced.length * WRITING_MS);
  }

  /** Writes all that is left and puts the files in their places. */
  finish(): SlideFilesSummary['polygons'] {
    const { plan, minArea, minHole } = this.#options;
    this.catchUp();
    this.#writeClosed(Number.POSITIVE_INFINITY);
    for (const polygon of this.#polygons.polygons()) this.#files.write(polygon);
    const counts = this.#files.finish();
    const { dropped, droppedArea, filled, filledArea } = this.#polygons.sieved;
    const mm2 = (pixels: number): number => (pixels * plan.mpp ** 2) / 1e6;
    return {
      file: POLYGON_FILE,
      ...counts,
      ...{ dropped, droppedMm2: mm2(droppedArea), filled, filledMm2: mm2(filledArea) },
      ...{ minArea, minHole, outlines: this.#isSmooth ? 'smooth' : 'edges' },
      ...(this.#isLarge ? { cutPatches: CUT_PATCHES } : {}),
    };
  }

  /** Removes what was written. */
  discard(): void {
    this.#files.discard();
  }

  #writeClosed(ms: number): void {
    const until = performance.now() + ms;
    if (!this.#closed) {
      this.#closed = this.#polygons.closed();
      this.#sinceClosed = 0;
    }
    do {
      const { value, done } = this.#closed.next();
      if (done) {
        this.#closed = undefined;
        return;
      }
      this.#files.write(value);
    } while (performance.now() < until);
  }

  get #isLarge(): boolean {
    const { plan } = this.#options;
    return plan.width * plan.height > LARGE_FROM;
  }

  get #isSmooth(): boolean {
    const { outlines } = this.#options;
    return outlines === 'auto' ? this.#isLarge : outlines === 'smooth';
  }
}
