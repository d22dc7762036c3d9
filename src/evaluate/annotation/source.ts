import { StromaflowError } from '../../errors.js';
import { describeLeftOut } from '../label-facts.js';
import type { LabelFrame, LabelReading, LabelSource, LabelWindow } from '../label-source.js';
import { IGNORED, type LabelMap } from '../labels.js';
import { twiceNotes } from './drawn-twice.js';
import { place } from './frame.js';
import { drawLayers, layersOf } from './layers.js';
import { classify } from './legend.js';
import { type DrawableShape, drawable, drawShape } from './rasterise.js';
import { readAnnotations } from './read-annotations.js';
import type { AnnotatedShape } from './shape.js';

/**
 * Annotations as labels. Where a file has regions of interest, nothing is known outside them.
 * @throws LABELS_INVALID when the file cannot be read or no area in it has a declared class.
 */
export async function openAnnotations(
  path: string,
  map: LabelMap,
  frame?: LabelFrame,
  reading: LabelReading = {},
): Promise<LabelSource> {
  const file = await readAnnotations(path);
  const placed = place(file, frame, reading);
  const isOutside = (shape: AnnotatedShape) => frame !== undefined && liesOutside(shape, frame);
  const { areas, regions, declared, facts } = classify(placed.shapes, map, reading, isOutside);
  if (!declared) throw undeclared(path, facts);
  if (areas.length === 0) {
    throw new StromaflowError('LABELS_INVALID', `${path}: all its areas lie outside the picture`, {
      fix: 'they belong to another picture or to another frame of this one: see --labels-frame',
    });
  }
  const { inside, outside } = map.annotations;
  const frames = regions.map(shape => drawable(shape.rings, 1));
  const layers = layersOf(areas, value => map.meanings[value] === IGNORED);
  return {
    facts: {
      ...facts,
      notes: [...placed.notes, ...twiceNotes(areas.filter(({ value }) => map.meanings[value] !== IGNORED))],
    },
    read: async (window, into) => {
      for (let row = 0; row < window.height; row++) {
        into.fill(inside, row * window.side, row * window.side + window.width);
      }
      drawLayers(layers, window, into);
      if (frames.length > 0) hideOutside(frames, window, outside, into);
      return [];
    },
    close: async () => {},
  };
}

function undeclared(path: string, { classes, leftOut }: LabelSource['facts']): StromaflowError {
  const names = classes.slice(0, 8).map(({ name }) => `'${name}'`);
  const without = describeLeftOut({ ...leftOut, 'unknown-class': 0 });
  const rest = without.length > 0 ? `; left out: ${without.join(', ')}` : '';
  const objects = leftOut.detection ? '; --labels-objects all takes detections for areas too' : '';
  return new StromaflowError(
    'LABELS_INVALID',
    `${path}: no declared class; it annotates ${names.join(', ') || 'nothing'}${rest}`,
    { fix: `name the classes with --positive and --negative as the annotator wrote them${objects}` },
  );
}

function liesOutside({ rings }: AnnotatedShape, { width, height, perPixel = { x: 1, y: 1 } }: LabelFrame): boolean {
  const { left, top, right, bottom } = drawable(rings, 0);
  return right <= 0 || bottom <= 0 || left * perPixel.x >= width || top * perPixel.y >= height;
}

/** Areas that reach out of their region of interest were not annotated completely there. */
function hideOutside(frames: readonly DrawableShape[], window: LabelWindow, outside: number, into: Uint8Array): void {
  const within = new Uint8Array(into.length);
  for (const frame of frames) drawShape(frame, window, within);
  for (let i = 0; i < into.length; i++) if (within[i] === 0) into[i] = outside;
}
