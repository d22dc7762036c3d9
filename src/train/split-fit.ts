import { StromaflowError } from '../errors.js';
import type { Split } from '../evaluate/split.js';
import { SPACING_TOLERANCE } from '../slide/image/image-source.js';
import { MAKE_SPLIT } from './patch-index.js';

/**
 * Whether a split is of a set: each image that it names is there, but for those that were left out with a fault.
 * @param ids images of the set
 * @param faults how many of its images were left out
 * @returns a line for people about images that the split does not know and nobody learns from
 * @throws LABELS_INVALID
 */
export function checkSplit(split: Split, path: string, ids: ReadonlySet<string>, faults: number): string | undefined {
  const named = Object.keys(split.images);
  const absent = named.filter(id => !ids.has(id));
  if (absent.length > faults || absent.length === named.length) {
    const message = `${path} was made of another set: ${absent.length} of the ${named.length} images it names are not here, such as ${absent[0]}`;
    throw new StromaflowError('LABELS_INVALID', message, { fix: MAKE_SPLIT });
  }
  const unknown = [...ids].filter(id => !split.images[id]).length;
  return unknown > 0 ? `${unknown} images are not in ${path}: nothing is learned from them` : undefined;
}

/**
 * Whether a split's patches are those of a spacing and size.
 * @throws LABELS_INVALID
 */
export function checkSplitGrid(split: Split, path: string, spacing: number, patchSize: number): void {
  const fits = split.patchSize === patchSize && Math.abs(split.spacing / spacing - 1) <= SPACING_TOLERANCE;
  if (split.by === 'patient' || fits) return;
  const message = `${path} splits patches of ${split.patchSize} px at ${split.spacing} µm/px, not of ${patchSize} px at ${spacing}`;
  throw new StromaflowError('LABELS_INVALID', message, { fix: MAKE_SPLIT });
}
