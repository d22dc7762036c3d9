import { createHash } from 'node:crypto';
import { isMarkedDone } from '../marked-done.js';
import type { LevelGeometry } from '../slide.js';
import type { SlideFacts } from '../slide-facts.js';
import { countTiles } from '../stored-tiles.js';
import { unreadable } from '../tiff-probe.js';
import { describeDataSet, doneFolders, isStored, note, placeOf, readDataSet, readIndexFile } from './data-set.js';
import { gridOfTiles, statedGrid } from './grid.js';
import { planeOf, readIndex } from './read-index.js';

/**
 * A data set that nobody writes any more: all that its index lists in the plane of the first image. A later entry of a tile
 * replaces an earlier one. Where the summary does not say the size of the whole, it is what the tiles make.
 *
 * @throws SLIDE_UNREADABLE
 */
export function readNdTiffFacts(index: string): SlideFacts {
  const set = readDataSet(index);
  const file = readIndexFile(index);
  if (!file) throw unreadable(index, 'is no index');
  const entries = readIndex(index, file.bytes, 0);
  const plane = entries[0] && planeOf(entries[0]);
  const stored = entries.filter(entry => planeOf(entry) === plane && isStored(set, entry));
  const grid = statedGrid(index, set.summary) ?? gridOfTiles(index, stored, set.summary);
  const described = describeDataSet(set, grid, 1);
  const [level] = described.levels as [(typeof described.levels)[number]];
  for (const entry of stored) {
    const place = placeOf(described, entry);
    if (place) note(level, place, entry.offset);
  }
  // A grid that is made from its tiles reaches over places where nobody wanted to go.
  const sparse = statedGrid(index, set.summary) === undefined || doneFolders(index).some(isMarkedDone);
  return {
    format: 'NDTiff',
    mpp: set.summary.mpp,
    levels: [grid],
    properties: {},
    fingerprint: `ndtiff-${Math.trunc(file.stats.mtimeMs)}-${createHash('sha256').update(file.bytes).digest('hex').slice(0, 32)}`,
    stored: () => ({ ...countTiles({ levels: [level], has: (_, tile) => level.offsets[tile] !== 0 }, 0), sparse }),
    describe: ([geometry]: readonly LevelGeometry[]) => ({ ...described, levels: [{ ...level, mpp: geometry!.mpp }] }),
  };
}
