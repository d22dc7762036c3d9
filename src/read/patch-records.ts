import type { MutableRecord, PatchRecord } from './patch.js';

type Outcome = PatchRecord['outcome'];
/** What most records lack. */
type Rest = Omit<
  PatchRecord,
  'level' | 'col' | 'row' | 'outcome' | 'validPixels' | 'tissuePixels' | 'stromaPixels' | 'outsidePixels'
>;

/** By the number they are kept as, from 1: 0 is no outcome. */
const OUTCOMES: readonly Outcome[] = ['segmented', 'empty', 'missing', 'failed'];
const NUMBERS = new Map(OUTCOMES.map((outcome, i) => [outcome, i + 1]));

/**
 * The outcomes of a grid of patches, at most one for each. A slide has tens of thousands, so they are kept in arrays of 18 bytes a patch, as
 * long as the grid from the start, and what few records have beside them: memory does not grow with what is done. As an object each
 * would take some 600 bytes.
 */
export class PatchRecords {
  readonly #cols: number;
  readonly #outcome: Uint8Array;
  readonly #level: Uint8Array;
  readonly #valid: Uint32Array;
  readonly #tissue: Uint32Array;
  readonly #stroma: Uint32Array;
  readonly #outside: Uint32Array;
  readonly #rest = new Map<number, Rest>();
  #size = 0;

  constructor({ cols, rows }: { readonly cols: number; readonly rows: number }) {
    const places = cols * rows;
    this.#cols = cols;
    this.#outcome = new Uint8Array(places);
    this.#level = new Uint8Array(places);
    this.#valid = new Uint32Array(places);
    this.#tissue = new Uint32Array(places);
    this.#stroma = new Uint32Array(places);
    this.#outside = new Uint32Array(places);
  }

  /** Patches that have an outcome. */
  get size(): number {
    return this.#size;
  }

  has(col: number, row: number): boolean {
    return this.#outcome[this.#place(col, row)] !== 0;
  }

  /** Another object each time. */
  get(col: number, row: number): PatchRecord | undefined {
    const at = this.#place(col, row);
    return this.#outcome[at] === 0 ? undefined : this.#read(at);
  }

  /**
   * In place of what the patch had before.
   *
   * @throws RangeError outside the grid.
   */
  set(record: PatchRecord): void {
    const { level, col, row, outcome, validPixels, tissuePixels, stromaPixels, outsidePixels, ...rest } = record;
    const at = this.#place(col, row);
    if (this.#outcome[at] === 0) this.#size += 1;
    this.#outcome[at] = NUMBERS.get(outcome)!;
    this.#level[at] = level;
    this.#valid[at] = validPixels;
    this.#tissue[at] = tissuePixels;
    this.#stroma[at] = stromaPixels;
    this.#outside[at] = outsidePixels ?? 0;
    if (Object.keys(rest).length > 0) this.#rest.set(at, rest);
    else this.#rest.delete(at);
  }

  /** Row by row, from left to right. */
  *[Symbol.iterator](): Generator<PatchRecord, void, undefined> {
    for (let at = 0; at < this.#outcome.length; at++) if (this.#outcome[at] !== 0) yield this.#read(at);
  }

  #read(at: number): PatchRecord {
    const record: MutableRecord = {
      level: this.#level[at]!,
      col: at % this.#cols,
      row: Math.floor(at / this.#cols),
      outcome: OUTCOMES[this.#outcome[at]! - 1]!,
      validPixels: this.#valid[at]!,
      tissuePixels: this.#tissue[at]!,
      stromaPixels: this.#stroma[at]!,
    };
    if (this.#outside[at]! > 0) record.outsidePixels = this.#outside[at]!;
    const rest = this.#rest.get(at);
    return rest ? Object.assign(record, rest) : record;
  }

  #place(col: number, row: number): number {
    const at = row * this.#cols + col;
    if (!(col >= 0 && col < this.#cols && row >= 0 && at < this.#outcome.length))
      throw new RangeError(`patch ${col}, ${row} lies outside the grid`);
    return at;
  }
}
