import type { SlideNote } from '../note.js';
import type { InstanceHeader } from './instance.js';

/** Of sorted values the middle one; of an even number the lower of the two. */
export const middleOf = <T>(sorted: readonly T[]): T | undefined => sorted[middleIndex(sorted.length)];

const middleIndex = (count: number): number => Math.floor((Math.max(1, count) - 1) / 2);

/** Number of the first path of transmitted light; undefined where none says so. */
export function brightfieldPath({ facts: { paths } }: InstanceHeader): number | undefined {
  const found = paths.findIndex(({ brightfield }) => brightfield);
  return found < 0 ? undefined : found;
}

/** The path that is read of an instance with several: of transmitted light, else the first. */
export const readPath = (header: InstanceHeader): number => brightfieldPath(header) ?? 0;

/** Places in the grid of the whole matrix. */
export const tilesOf = ({ facts: { matrixColumns, matrixRows, columns, rows } }: InstanceHeader): number =>
  Math.ceil(matrixColumns / columns) * Math.ceil(matrixRows / rows);

/** True when each frame states its place; else frames lie row by row, through all parts. */
export const isByPosition = ({ facts }: InstanceHeader): boolean => !facts.tiledFull && facts.positions.length > 0;

/**
 * Frames in the order of TILED_FULL are layers of the whole grid: focal planes from the glass upwards, once for each light path
 * (PS3.3, C.7.6.17.3). Of a single instance their number says how many there are, of a concatenation its attributes do.
 */
export function layersOf(header: InstanceHeader): { planes: number; paths: number; read: number } {
  const { facts } = header;
  const stated = Math.max(1, facts.paths.length);
  let [planes, paths] = [Math.max(1, facts.planes), stated];
  const layers = Math.floor(facts.frames / tilesOf(header));
  if (facts.concatenation === '' && planes * paths !== layers) {
    paths = layers % stated === 0 ? stated : 1;
    planes = Math.max(1, Math.floor(layers / paths));
  }
  return { planes, paths, read: Math.min(readPath(header), paths - 1) * planes + middleIndex(planes) };
}

/** Planes and light paths of an image besides those that are read, in words. */
export function planeNotes(image: readonly InstanceHeader[]): SlideNote[] {
  const [first] = image;
  const { planes, paths } = countAll(image);
  const notes: SlideNote[] = [];
  if (planes > 1) notes.push(planesNote(planes - 1, depthsOf(image)));
  if (paths > 1) notes.push(pathsNote(paths - 1, brightfieldPath(first!) !== undefined));
  return notes;
}

/** Focal planes that an image has, whatever it says. */
export const countPlanes = (image: readonly InstanceHeader[]): number => countAll(image).planes;

const countAll = (image: readonly InstanceHeader[]): { planes: number; paths: number } =>
  isByPosition(image[0]!) ? countLayers(image) : layersOf(image[0]!);

/** Of frames with a place each: planes of the tile that has most, and paths. */
function countLayers(image: readonly InstanceHeader[]): { planes: number; paths: number } {
  const hasSeveral = image.some(({ facts }) => facts.framePaths.length > 0) || depthsOf(image).length > 1;
  if (!hasSeveral) return { planes: 1, paths: 1 };
  const depths = new Map<string, Set<number>>();
  const paths = new Set<number>();
  let planes = 1;
  for (const header of image) {
    const { positions, depths: all, framePaths, frames } = header.facts;
    for (let frame = 0; frame < frames; frame++) {
      paths.add(framePaths[frame] ?? 0);
      const depth = all[frame];
      if (depth === undefined || Number.isNaN(depth)) continue;
      const place = `${positions[frame * 2]} ${positions[frame * 2 + 1]}`;
      const here = depths.get(place);
      if (!here) depths.set(place, new Set([depth]));
      else planes = Math.max(planes, here.add(depth).size);
    }
  }
  return { planes, paths: Math.max(1, paths.size) };
}

const depthsOf = (image: readonly InstanceHeader[]): number[] =>
  [...new Set(image.flatMap(({ facts }) => facts.depths))].filter(Number.isFinite).sort((a, b) => a - b);

/** Depths that are named when there are many. */
const MOST_NAMED = 12;

function planesNote(count: number, depths: readonly number[]): SlideNote {
  const named = depths.length > 1 && depths.length <= MOST_NAMED ? ` (z ${depths.join(', ')})` : '';
  return {
    code: 'plane-left-out',
    message: `of ${count + 1} focal planes${named} the middle one is read, ${count} left out`,
  };
}

const pathsNote = (count: number, isBrightfield: boolean): SlideNote => ({
  code: 'image-left-out',
  message:
    `of ${count + 1} light paths the ${isBrightfield ? 'one of transmitted light' : 'first'} is read, ${count} left out` +
    (isBrightfield ? '' : ': none says that it is of transmitted light'),
});

/** Frames that are named when many are dropped. */
const MOST_FRAMES = 5;

/** @param frames that are not read because another lies at their place and depth; from 1. */
export function droppedNotes(frames: readonly number[]): SlideNote[] {
  if (frames.length === 0) return [];
  const named = frames.slice(0, MOST_FRAMES).join(', ');
  const rest = frames.length > MOST_FRAMES ? ` and ${frames.length - MOST_FRAMES} others` : '';
  const message =
    frames.length === 1
      ? `frame ${named} says that it lies where another does, in one plane: it is not read`
      : `frames ${named}${rest} say that they lie where others do, in one plane: they are not read`;
  return [{ code: 'image-left-out', message }];
}
