import { toStromaflowError } from '../errors.js';
import { clipRectangle } from '../slide/rectangles.js';
import type { LabelFacts } from './label-facts.js';
import type { LabelReading } from './label-source.js';
import type { LabelledImage } from './labelled-item.js';
import type { LabelMap } from './labels.js';
import { type OpenItemOptions, openItem, openLabels } from './open-item.js';
import { coveredPart } from './patch-labels.js';

/** Samples along the longer side of a slide: enough for class balance, a second for any slide. */
const LONGEST = 2048;
const SIDE = 512;

/** What a slide's labels hold, estimated. */
export interface SampledLabels {
  /** Level-0 pixels of each value, 256 long; those of which the labels say nothing are in none. */
  readonly counts: Float64Array;
  readonly mpp: number;
  readonly facts: LabelFacts;
}

/**
 * Opens a slide and its labels and estimates how many level-0 pixels each value has, by nearest samples on a regular grid.
 * @throws LABELS_INVALID and what opening the slide throws
 */
export async function sampleSlideLabels(
  item: LabelledImage,
  map: LabelMap,
  openSlide: OpenItemOptions['openSlide'],
  reading: LabelReading = {},
): Promise<SampledLabels> {
  const spacing = item.mpp ?? Number.NaN;
  const { info } = await openItem(item, { spacing, openSlide }).catch(error => {
    throw toStromaflowError(error, 'SLIDE_UNREADABLE', item.imagePath);
  });
  const { width, height } = info.levels[0]!;
  const step = Math.max(1, Math.max(width, height) / LONGEST);
  const source = await openLabels(item, info, map, reading);
  const area = source.covered ?? { x: 0, y: 0, width, height };
  const counts = new Float64Array(256);
  const values = new Uint8Array(SIDE * SIDE);
  try {
    for (let y = 0; y < height / step; y += SIDE) {
      for (let x = 0; x < width / step; x += SIDE) {
        const columns = Math.min(SIDE, Math.ceil(width / step - x));
        const rows = Math.min(SIDE, Math.ceil(height / step - y));
        const window = { x: x * step, y: y * step, step, side: SIDE, width: columns, height: rows };
        const unknown = await source.read(window, values);
        const part = coveredPart(area, window);
        for (let j = part.top; j < part.bottom; j++) {
          for (let i = part.left; i < part.right; i++) counts[values[j * SIDE + i]!]! += step * step;
        }
        for (const rectangle of unknown) {
          const gap = clipRectangle(rectangle, part.left, part.top, part.right, part.bottom);
          if (!gap) continue;
          for (let j = gap.y; j < gap.y + gap.height; j++) {
            for (let i = gap.x; i < gap.x + gap.width; i++) counts[values[j * SIDE + i]!]! -= step * step;
          }
        }
      }
    }
  } finally {
    await source.close();
  }
  return { counts, mpp: info.mpp, facts: source.facts };
}
