import { createHash } from 'node:crypto';
import { isMarkedDone } from '../marked-done.js';
import { statFileBelow } from '../regular-file.js';
import type { LevelGeometry, StoredTiles } from '../slide.js';
import type { SlideFacts } from '../slide-facts.js';
import { countTiles, type TileTable } from '../stored-tiles.js';
import { checkStray } from './stray-tiles.js';
import {
  expectedTiles,
  shownBy,
  TILE_FOLDER_KIND,
  type TileFolderDescription,
  type TileSet,
  type TileSetLevel,
  tileNames,
} from './tile-set.js';

/**
 * What a folder of tiles that nobody writes any more says of itself. Looks at the facts of every file, at no pixels.
 *
 * @throws SLIDE_UNREADABLE where its images do not lie in the grid that it states (checkStray).
 */
export function tileFolderFacts(set: TileSet): SlideFacts {
  const stray = checkStray(set);
  const digest = createHash('sha256').update(JSON.stringify(set.levels));
  const there = set.levels.map(level => {
    const tiles = new Uint8Array(level.cols * level.rows);
    for (const [name, tile] of tileNames(level)) {
      const stats = statFileBelow(set.folder, name);
      if (!stats) continue;
      digest.update(`${name} ${stats.size} ${stats.mtimeMs}\n`);
      tiles[tile] = 1;
    }
    for (let tile = 0; tile < tiles.length; tile++) tiles[tile] ||= tiles[shownBy(level, tile) ?? tile]!;
    return tiles;
  });
  return {
    format: set.format,
    mpp: set.mpp,
    notes: [...(set.notes ?? []), ...(stray ? [stray] : [])],
    levels: set.levels,
    properties: {},
    fingerprint: `tiles-${digest.digest('hex').slice(0, 32)}`,
    stored: level => storedTiles(set, level, (at, tile) => there[at]![tile] === 1),
    describe: levels => describeTileFolder(set, withSpacing(set, levels)),
  };
}

/** @param has whether the tile of a level is there. */
export function storedTiles(set: TileSet, level: number, has: TileTable['has']): StoredTiles {
  const expected = expectedTiles(set.levels[level]!);
  const { seen, drawn } = countTiles({ levels: set.levels, has }, level);
  return { expected, seen, drawn: Math.min(drawn, Math.max(0, expected - seen)), sparse: isDeclared(set, level) };
}

/** The last tile is written, by the marker, and nobody said how many there would be: what is not there was not scanned. */
export const isDeclared = ({ levels, doneIn, manifest }: TileSet, level: number): boolean => {
  const { tiles, fields } = levels[level]!;
  return tiles === undefined && fields === undefined && [...doneIn, manifest].some(isMarkedDone);
};

const withSpacing = (set: TileSet, levels: readonly LevelGeometry[]): TileSetLevel[] =>
  set.levels.map((level, index) => ({ ...level, mpp: levels[index]!.mpp }));

export const describeTileFolder = (
  { path, manifest, folder }: TileSet,
  levels: readonly TileSetLevel[],
): TileFolderDescription => ({ kind: TILE_FOLDER_KIND, path, manifest, folder, levels });
