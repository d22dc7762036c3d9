import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { csvCell } from '../../csv.js';
import { toStromaflowError } from '../../errors.js';
import { BOUNDARY_TOLERANCES, boundaryF1 } from '../boundary.js';
import type { PatchSpool } from '../patch-spool.js';
import { dice, iou } from '../reductions.js';

export interface SpooledModel {
  readonly name: string;
  readonly spool: PatchSpool;
}

const HEADER = [
  ...['model', 'image', 'patient', 'subset', 'split', 'col', 'row', 'outcome', 'tp', 'fp', 'fn', 'tn', 'iou', 'dice'],
  ...BOUNDARY_TOLERANCES.map(px => `boundary_f1_${px}px`),
];

/**
 * Writes patches.csv: one row a scored patch and model, by image, row and column. Undefined scores (0/0) are empty.
 * @param facts patient and subset of an image
 * @throws OUTPUT_FULL, OUTPUT_FAILED
 */
export async function writePatchRows(
  path: string,
  models: readonly SpooledModel[],
  facts: (image: string) => { readonly patient: string; readonly subset: string },
): Promise<void> {
  try {
    await pipeline(Readable.from(rows(models, facts)), createWriteStream(path));
  } catch (error) {
    throw toStromaflowError(error, 'OUTPUT_FAILED', path);
  }
}

async function* rows(
  models: readonly SpooledModel[],
  facts: (image: string) => { readonly patient: string; readonly subset: string },
): AsyncGenerator<string> {
  yield `${HEADER.join()}\n`;
  for (const { name, spool } of models) {
    for (const image of spool.images) {
      const { patient, subset } = facts(image);
      for (const { split, col, row, outcome, counts, boundary } of await spool.read(image)) {
        const { tp, fp, fn, tn } = counts;
        const scores = [iou(counts), dice(counts), ...boundary.map(boundaryF1)];
        const cells = [name, image, patient, subset, split, col, row, outcome, tp, fp, fn, tn, ...scores.map(defined)];
        yield `${cells.map(csvCell).join()}\n`;
      }
    }
  }
}

const defined = (score: number): number | string => (Number.isNaN(score) ? '' : score);
