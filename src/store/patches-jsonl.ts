import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { PatchPlan, PatchRecord } from '../read/patch.js';
import type { PatchRecords } from '../read/patch-records.js';
import { patchRef } from '../read/plan.js';
import { withOutputErrors, writeFinal } from './final-file.js';

export const PATCHES_FILE = 'patches.jsonl';

/** One line: the patch's place in level-0 pixels, what became of it, and its counts in mask pixels. */
export function patchLine(record: PatchRecord, plan: PatchPlan): string {
  const { x, y, width, height } = patchRef(plan, record.col, record.row);
  const { level, col, row, outcome, validPixels, tissuePixels, stromaPixels, outsidePixels, missingPixels } = record;
  const { intersection, union, openedPixels, closedPixels, blendedWithout, code } = record;
  const place = { level, col, row, x, y, width, height };
  const pixels = { validPixels, tissuePixels, stromaPixels, outsidePixels, missingPixels };
  // JSON.stringify leaves undefined fields out, so unlabelled patches carry no scores.
  return `${JSON.stringify({ ...place, outcome, ...pixels, intersection, union, openedPixels, closedPixels, blendedWithout, code })}\n`;
}

/**
 * patches.jsonl: grows by a line as each patch is done, so that it can be followed; a patch that comes again adds a
 * second line, and the end puts one line for each patch, sorted by row and column, in its place.
 */
export class PatchLines {
  readonly #folder: string;
  readonly #plan: PatchPlan;
  #file: number | undefined;

  constructor(folder: string, plan: PatchPlan) {
    this.#folder = folder;
    this.#plan = plan;
  }

  /** Starts the file anew with these records; drops whatever an earlier start may have left half written. */
  rewrite(records: PatchRecords): number {
    this.close();
    writeFinal(this.#folder, PATCHES_FILE, put => {
      for (const record of records) put(patchLine(record, this.#plan));
    });
    return records.size;
  }

  append(record: PatchRecord): void {
    const path = join(this.#folder, PATCHES_FILE);
    withOutputErrors(path, () => {
      this.#file ??= openSync(path, 'a');
      writeSync(this.#file, patchLine(record, this.#plan));
    });
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }
}
