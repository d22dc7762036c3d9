import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { SlideNote } from '../note.js';
import { checkOutside } from '../outside-grid.js';
import { placeReader, type TileSet, tileName } from './tile-set.js';

/**
 * Looks for images that are named like tiles of the set's finest level and lie outside of it. Lists its folders: once, when the
 * slide is over.
 *
 * @returns a note where some do.
 * @throws SLIDE_UNREADABLE where they tell that the size or the counting is wrong (checkOutside).
 */
export function checkStray(set: TileSet): SlideNote | undefined {
  const level = set.levels[0]!;
  if (level.fields) return undefined;
  const placeOf = placeReader(level.pattern);
  const isInside = (col: number, row: number) => col < level.cols && row < level.rows;
  const found = new Map<string, readonly [col: number, row: number]>();
  for (const name of namesLike(set.folder, level.pattern.split('/'))) {
    const place = placeOf(name);
    if (!place) continue;
    // A tile of the grid lies in its own group, and one place may stand in a pattern twice.
    if (isInside(...place) && tileName(level, ...place) !== name) continue;
    found.set(place.join(' '), place);
  }
  return checkOutside(set.manifest, level, [...found.values()], FIX);
}

const FIX = 'correct the width and height that it states, or take away the images that are no tiles of it';

/** Names below a folder whose parts fit those of a pattern, as far as a place may stand in each. */
function namesLike(folder: string, [part, ...deeper]: readonly string[], before = ''): string[] {
  const isPattern = part!.includes('{');
  if (deeper.length > 0 && !isPattern) return namesLike(join(folder, part!), deeper, `${before}${part}/`);
  const fits = placeReader(part!);
  const entries = entriesOf(folder).filter(entry => fits(entry.name) !== undefined);
  if (deeper.length === 0) return entries.filter(entry => entry.isFile()).map(({ name }) => `${before}${name}`);
  return entries
    .filter(entry => entry.isDirectory())
    .flatMap(({ name }) => namesLike(join(folder, name), deeper, `${before}${name}/`));
}

/** A folder that is not there, or no longer, holds none. */
function entriesOf(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}
