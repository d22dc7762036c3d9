import { readFile } from 'node:fs/promises';
import { StromaflowError, toStromaflowError } from '../../errors.js';
import { decodeText } from '../../text.js';
import type { LabelLocation, LabelSource, LabelWindow } from '../label-source.js';
import { type LabelMap, NEGATIVE, UNKNOWN } from '../labels.js';
import { parseAsap } from './asap.js';
import { parseDarwin } from './darwin.js';
import { parseGeoJson } from './geojson.js';
import { type DrawableShape, drawable, drawShape } from './rasterise.js';
import { type AnnotatedShape, isRegionOfInterest, normaliseName, ringArea } from './shape.js';

const PARSERS = { asap: parseAsap, geojson: parseGeoJson, darwin: parseDarwin } as const;

/** Value of annotated areas whose class nobody declared: another tissue where the map leaves undeclared values negative. */
const OTHER_CLASS = 31;

/** Reads an annotation file. @throws LABELS_INVALID naming the file */
export async function readShapes(location: LabelLocation): Promise<AnnotatedShape[]> {
  const { kind, path } = location;
  if (kind === 'mask-image' || kind === 'mask-tiff') throw new TypeError(`${path} is a picture`);
  try {
    return PARSERS[kind](decodeText(await readFile(path)));
  } catch (error) {
    const { message } = toStromaflowError(error);
    throw new StromaflowError('LABELS_INVALID', `${path}: ${message.split('\n', 1)[0]}`, { cause: error });
  }
}

/**
 * Annotations as labels: larger areas are drawn first, so that what lies inside another area stays visible. Where a file
 * has regions of interest, nothing is known outside them.
 * @throws LABELS_INVALID when the file cannot be read or no area in it has a declared class.
 */
export async function openAnnotations(location: LabelLocation, map: LabelMap): Promise<LabelSource> {
  const shapes = await readShapes(location);
  const values = new Map(map.classes.map(item => [normaliseName(item.name), item.value]));
  const other = map.meanings[OTHER_CLASS] === NEGATIVE ? OTHER_CLASS : map.meanings.lastIndexOf(UNKNOWN);
  const regions = shapes.filter(({ name }) => isRegionOfInterest(name) && !values.has(normaliseName(name)));
  const classes = shapes.filter(shape => !regions.includes(shape));
  if (!classes.some(({ name }) => values.has(normaliseName(name)))) {
    const names = [...new Set(classes.map(({ name }) => `'${name}'`))].slice(0, 8).join(', ') || 'nothing';
    throw new StromaflowError('LABELS_INVALID', `${location.path}: no declared class; it annotates ${names}`, {
      fix: 'name the classes with --positive and --negative as the annotator wrote them',
    });
  }
  const sized = classes.map(shape => ({ shape, area: shape.rings.reduce((sum, ring) => sum + ringArea(ring), 0) }));
  sized.sort((a, b) => b.area - a.area);
  const { inside, outside } = map.unannotated;
  const frames = regions.map(shape => drawable(shape, 1));
  const areas = sized.map(({ shape }) => drawable(shape, values.get(normaliseName(shape.name)) ?? other));
  return {
    read: async (window, into) => {
      for (let row = 0; row < window.height; row++) {
        into.fill(inside, row * window.side, row * window.side + window.width);
      }
      for (const area of areas) drawShape(area, window, into);
      if (frames.length > 0) hideOutside(frames, window, outside, into);
    },
    close: async () => {},
  };
}

/** Areas that reach out of their region of interest were not annotated completely there. */
function hideOutside(frames: readonly DrawableShape[], window: LabelWindow, outside: number, into: Uint8Array): void {
  const within = new Uint8Array(into.length);
  for (const frame of frames) drawShape(frame, window, within);
  for (let i = 0; i < into.length; i++) if (within[i] === 0) into[i] = outside;
}
