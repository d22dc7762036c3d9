import { createHash } from 'node:crypto';
import { isMarkedDone } from '../marked-done.js';
import { GREY_NOTE, type SlideNote } from '../note.js';
import type { LevelGeometry } from '../slide.js';
import type { SlideFacts } from '../slide-facts.js';
import { countTiles } from '../stored-tiles.js';
import { unreadable } from '../tiff/probe.js';
import {
  checkImages,
  describeDataSet,
  doneFolders,
  isStored,
  note,
  placeOf,
  readDataSet,
  readIndexFile,
} from './data-set.js';
import { checkPlaces, gridOfTiles, outsideOfGrid, statedGrid, withoutPlaces } from './grid.js';
import { chosenPlane, hasPlace, type IndexEntry, planeOf, readIndex } from './read-index.js';

/**
 * A data set that nobody writes any more: all that its index lists in the plane that is read (chosenPlane). A later entry of a tile
 * replaces an earlier one. Where the summary does not say the size of the whole, it is what the tiles make.
 *
 * @throws SLIDE_UNREADABLE, also where none of its images has a place.
 */
export function readNdTiffFacts(index: string): SlideFacts {
  const set = readDataSet(index);
  const file = readIndexFile(index);
  if (!file) throw unreadable(index, 'is no index');
  const entries = readIndex(index, file.bytes, 0);
  const stated = statedGrid(index, set.summary);
  const chosen = chosenPlane(entries);
  if (!chosen) throw entries.length > 0 ? withoutPlaces(index) : unreadable(index, 'lists no image');
  const stored = entries.filter(entry => hasPlace(entry) && planeOf(entry) === chosen.plane && isStored(set, entry));
  const grid = stated ?? gridOfTiles(index, stored, set.summary);
  const described = describeDataSet(set, grid, 1);
  const [level] = described.levels as [(typeof described.levels)[number]];
  for (const entry of stored) {
    const place = placeOf(described, entry);
    if (place) note(level, place, entry.offset);
  }
  checkImages(
    described,
    stored.filter(entry => placeOf(described, entry)),
  );
  // A grid that is made from its tiles reaches over places where nobody wanted to go.
  const hasHoles = level.offsets.some(offset => offset === 0);
  const sparse = (stated === undefined && hasHoles) || doneFolders(index).some(isMarkedDone);
  if (level.offsets.every(offset => offset === 0)) throw outsideOfGrid(index);
  const outside = stated && checkPlaces(index, stated, stored);
  return {
    format: 'NDTiff',
    mpp: set.summary.mpp,
    levels: [grid],
    properties: {},
    notes: [
      ...notesOf(entries, chosen),
      ...(outside ? [outside] : []),
      ...(stored.every(({ type }) => type === GREY) ? [GREY_NOTE] : []),
    ],
    fingerprint: `ndtiff-${Math.trunc(file.stats.mtimeMs)}-${createHash('sha256').update(file.bytes).digest('hex').slice(0, 32)}`,
    stored: () => ({ ...countTiles({ levels: [level], has: (_, tile) => level.offsets[tile] !== 0 }, 0), sparse }),
    describe: ([geometry]: readonly LevelGeometry[]) => ({ ...described, levels: [{ ...level, mpp: geometry!.mpp }] }),
  };
}

function notesOf(
  entries: readonly IndexEntry[],
  { plane, planes }: { readonly plane: string; readonly planes: readonly string[] },
): SlideNote[] {
  const notes: SlideNote[] = [];
  const others = planes.length - 1;
  const numbers = plainAxes(plane);
  const shown = numbers === '' || numbers.length > MOST_SHOWN ? '' : ` (${numbers})`;
  if (others > 0)
    notes.push({
      code: 'plane-left-out',
      message: `of ${others + 1} planes one is read${shown}, ${others} left out: the middle one by z, the first by all other axes`,
    });
  const lost = entries.filter(entry => !hasPlace(entry)).length;
  if (lost > 0)
    notes.push({
      code: 'image-left-out',
      message: `${lost} ${lost === 1 ? 'image has' : 'images have'} no row and column, and ${lost === 1 ? 'is' : 'are'} not read`,
    });
  return notes;
}

/** Pixel type of grey images of 8 bits (NDTIFF_TYPES). */
const GREY = 0;

const MOST_SHOWN = 80;

/** Numbers alone: names of channels are somebody's words. */
const plainAxes = (plane: string): string =>
  (JSON.parse(plane) as [string, unknown][])
    .filter(([name, value]) => /^[a-z]{1,12}$/i.test(name) && typeof value === 'number')
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');
