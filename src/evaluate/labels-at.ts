import { extname } from 'node:path';
import { StromaflowError } from '../errors.js';
import { foreignByEnding } from './annotation/foreign.js';
import { readAnnotations } from './annotation/read-annotations.js';
import type { LabelLocation } from './label-source.js';
import { labelLocation } from './layout-folder.js';

/**
 * The truth at a path that somebody named.
 * @throws LABELS_INVALID naming the format where it is one that is known and not read
 */
export async function labelsAt(path: string): Promise<LabelLocation> {
  const location = labelLocation(path);
  if (location) return location;
  const foreign = foreignByEnding(extname(path));
  if (foreign) {
    throw new StromaflowError('LABELS_INVALID', `${path}: it is ${foreign.name}, which is not read`, {
      fix: foreign.fix,
    });
  }
  // A table, or annotations under another name: their content may say what they are.
  if (TEXT_TYPES.test(path)) {
    await readAnnotations(path);
    return { kind: 'annotations', path };
  }
  throw new StromaflowError('LABELS_INVALID', `${path}: neither a mask nor annotations by its name`);
}

const TEXT_TYPES = /\.(csv|tsv|txt|wkt)$/i;
