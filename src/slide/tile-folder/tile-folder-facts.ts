import { createHash } from 'node:crypto';
import { statFileBelow } from '../regular-file.js';
import type { LevelGeometry } from '../slide.js';
import type { SlideFacts } from '../slide-facts.js';
import {
  expectedTiles,
  TILE_FOLDER_KIND,
  type TileFolderDescription,
  type TileSet,
  type TileSetLevel,
  tileNames,
} from './tile-set.js';

/** What a folder of tiles that nobody writes any more says of itself. Looks at the facts of every file, at no pixels. */
export function tileFolderFacts(set: TileSet): SlideFacts {
  const digest = createHash('sha256').update(JSON.stringify(set.levels));
  const seen = set.levels.map(level => {
    let count = 0;
    for (const name of tileNames(level).keys()) {
      const stats = statFileBelow(set.folder, name);
      if (!stats) continue;
      digest.update(`${name} ${stats.size} ${stats.mtimeMs}\n`);
      count += 1;
    }
    return count;
  });
  return {
    format: set.format,
    mpp: set.mpp,
    levels: set.levels,
    properties: {},
    fingerprint: `tiles-${digest.digest('hex').slice(0, 32)}`,
    stored: level => ({ expected: expectedTiles(set.levels[level]!), seen: seen[level]! }),
    describe: levels => describeTileFolder(set, withSpacing(set, levels)),
  };
}

const withSpacing = (set: TileSet, levels: readonly LevelGeometry[]): TileSetLevel[] =>
  set.levels.map((level, index) => ({ ...level, mpp: levels[index]!.mpp }));

export const describeTileFolder = (
  { path, manifest, folder }: TileSet,
  levels: readonly TileSetLevel[],
): TileFolderDescription => ({ kind: TILE_FOLDER_KIND, path, manifest, folder, levels });
