import type { PatchCounts, TileCounts } from '../event/payloads.js';

/** Why a slide all of whose patches have an outcome is not completed. */
export type Lack = 'tiles-missing' | 'patches-failed';

/**
 * What keeps a slide from being completed; undefined: nothing. One of which no patch was read says nothing of the tissue. One that
 * lacks more than half of the tiles it lists, or of its pixels, was cut off on its way, unless what it does not store was not
 * scanned: room that nobody wrote into is listed like any tile, and found when it is read.
 *
 * @param tiles undefined where only the pixels tell what was scanned, and nobody what should have been.
 * @param sparse what is not stored was not scanned.
 * @param missing part of the pixels of the tiles it lists that no level stores, up to 1.
 */
export function lackOf(
  patches: PatchCounts,
  tiles: TileCounts | undefined,
  sparse: boolean,
  missing: number,
): Lack | undefined {
  if (patches.segmented + patches.empty === 0)
    return patches.failed > patches.missing ? 'patches-failed' : 'tiles-missing';
  if (tiles && !sparse && (tiles.missing * 2 > tiles.expected || missing > 0.5)) return 'tiles-missing';
  return undefined;
}
