import { createHash } from 'node:crypto';
import { statFileBelow } from '../regular-file.js';
import type { LevelGeometry } from '../slide.js';
import type { SlideFacts } from '../slide-facts.js';
import {
  expectedTiles,
  shownBy,
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
    const there = new Uint8Array(level.cols * level.rows);
    for (const [name, tile] of tileNames(level)) {
      const stats = statFileBelow(set.folder, name);
      if (!stats) continue;
      digest.update(`${name} ${stats.size} ${stats.mtimeMs}\n`);
      there[tile] = 1;
    }
    for (let tile = 0; tile < there.length; tile++) there[tile] ||= there[shownBy(level, tile) ?? tile]!;
    return there.reduce((count, one) => count + one, 0);
  });
  return {
    format: set.format,
    mpp: set.mpp,
    ...(set.notes ? { notes: set.notes } : {}),
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
