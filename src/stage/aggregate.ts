import type { Areas, IouSum, PatchCounts } from '../event/payloads.js';
import type { PatchRecord } from '../read/patch.js';
import { PatchRecords } from '../read/patch-records.js';

/**
 * The running aggregate of one slide. Records are kept by patch, so that one that comes again replaces itself and
 * nothing is ever counted twice.
 */
export class RunningAggregate {
  readonly #records: PatchRecords;
  readonly #pixelMm2: number;
  readonly #expected: number;
  readonly #sums = {
    segmented: 0,
    empty: 0,
    missing: 0,
    failed: 0,
    stroma: 0,
    tissue: 0,
    outside: 0,
    missingPixels: 0,
    intersection: 0,
    union: 0,
    labelled: 0,
  };

  /** A grid of cols × rows patches whose pixels are `mpp` µm wide. */
  constructor(grid: {
    readonly cols: number;
    readonly rows: number;
    readonly mpp: number;
  }) {
    this.#records = new PatchRecords(grid);
    this.#expected = grid.cols * grid.rows;
    this.#pixelMm2 = (grid.mpp / 1000) ** 2;
  }

  has(col: number, row: number): boolean {
    return this.#records.has(col, row);
  }

  add(record: PatchRecord): void {
    const earlier = this.#records.get(record.col, record.row);
    if (earlier) this.#count(earlier, -1);
    this.#records.set(record);
    this.#count(record, 1);
  }

  /** Patches that have an outcome. */
  get settled(): number {
    return this.#records.size;
  }

  /** True once every patch of the plan has an outcome. */
  get complete(): boolean {
    return this.settled === this.#expected;
  }

  /** `over`: the slide will bring no more, so what is not here is missing, too. */
  counts(over: boolean): PatchCounts {
    const { segmented, empty, missing, failed } = this.#sums;
    return {
      expected: this.#expected,
      segmented,
      empty,
      missing: missing + (over ? this.#expected - this.settled : 0),
      failed,
    };
  }

  /** Pixels of the plan that the slide does not store, as far as its patches have an outcome. */
  get missingPixels(): number {
    return this.#sums.missingPixels;
  }

  areas(): Areas {
    const { stroma, tissue, outside, missingPixels } = this.#sums;
    return {
      stromaMm2: stroma * this.#pixelMm2,
      tissueMm2: tissue * this.#pixelMm2,
      stromaFraction: tissue > 0 ? Math.min(1, stroma / tissue) : 0,
      ...(outside > 0 ? { outsideMm2: outside * this.#pixelMm2 } : {}),
      ...(missingPixels > 0 ? { missingMm2: missingPixels * this.#pixelMm2 } : {}),
    };
  }

  /** Undefined while no patch had labels. */
  iou(): IouSum | undefined {
    const { intersection, union, labelled } = this.#sums;
    if (labelled === 0) return undefined;
    return {
      value: union === 0 ? null : intersection / union,
      intersection,
      union,
      labelledPatches: labelled,
    };
  }

  /** Row by row. */
  records(): Iterable<PatchRecord> {
    return this.#records;
  }

  #count(record: PatchRecord, sign: 1 | -1): void {
    this.#sums[record.outcome] += sign;
    this.#sums.stroma += sign * record.stromaPixels;
    this.#sums.tissue += sign * record.tissuePixels;
    this.#sums.outside += sign * (record.outsidePixels ?? 0);
    this.#sums.missingPixels += sign * (record.missingPixels ?? 0);
    if (record.union === undefined || record.intersection === undefined) return;
    this.#sums.labelled += sign;
    this.#sums.intersection += sign * record.intersection;
    this.#sums.union += sign * record.union;
  }
}
