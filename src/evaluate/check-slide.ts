import { toStromaflowError } from '../errors.js';
import type { LabelledImage } from './labelled-item.js';
import type { LabelMap } from './labels.js';
import { type OpenItemOptions, openItem, openLabels } from './open-item.js';

/** Samples along the longer side of a slide: enough for class balance, a second for any slide. */
const LONGEST = 2048;
const SIDE = 512;

/**
 * Opens a slide and its labels and estimates how many level-0 pixels each value has, by nearest samples on a regular grid.
 * @throws LABELS_INVALID and what opening the slide throws
 */
export async function sampleSlideLabels(
  item: LabelledImage,
  map: LabelMap,
  openSlide: OpenItemOptions['openSlide'],
): Promise<{ counts: Float64Array; mpp: number }> {
  const spacing = item.mpp ?? Number.NaN;
  const { info } = await openItem(item, { spacing, openSlide }).catch(error => {
    throw toStromaflowError(error, 'SLIDE_UNREADABLE', item.imagePath);
  });
  const { width, height } = info.levels[0]!;
  const step = Math.max(1, Math.max(width, height) / LONGEST);
  const source = await openLabels(item, info, map);
  const counts = new Float64Array(256);
  const values = new Uint8Array(SIDE * SIDE);
  try {
    for (let y = 0; y < height / step; y += SIDE) {
      for (let x = 0; x < width / step; x += SIDE) {
        const columns = Math.min(SIDE, Math.ceil(width / step - x));
        const rows = Math.min(SIDE, Math.ceil(height / step - y));
        await source.read({ x: x * step, y: y * step, step, side: SIDE, width: columns, height: rows }, values);
        for (let j = 0; j < rows; j++) for (let i = 0; i < columns; i++) counts[values[j * SIDE + i]!]! += step * step;
      }
    }
  } finally {
    await source.close();
  }
  return { counts, mpp: info.mpp };
}
