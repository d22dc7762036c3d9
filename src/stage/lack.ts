import type { PatchCounts, TileCounts } from '../event/payloads.js';

/** Why a slide all of whose patches have an outcome is not completed. */
export type Lack = 'tiles-missing' | 'patches-failed';

/**
 * What keeps a slide from being completed; undefined: nothing. One of which no patch was read says nothing of the tissue. One that
 * stores fewer than half of the tiles it lists was cut off on its way, unless what it does not store was not scanned.
 *
 * @param sparse what is not stored was not scanned.
 */
export function lackOf(patches: PatchCounts, tiles: TileCounts | undefined, sparse: boolean): Lack | undefined {
  if (patches.segmented + patches.empty === 0)
    return patches.failed > patches.missing ? 'patches-failed' : 'tiles-missing';
  if (tiles && !sparse && tiles.missing * 2 > tiles.expected) return 'tiles-missing';
  return undefined;
}
