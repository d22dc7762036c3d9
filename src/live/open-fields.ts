import { readFieldScan, readFieldSet } from '../slide/fields/field-scan.js';
import { unreadable } from '../slide/tiff/probe.js';
import { splitRegion } from '../slide/tile-folder/find-tiles.js';
import { isPassing } from '../watch/absence.js';
import type { CandidateFacts, OpenedCandidate } from '../watch/watch-folder.js';
import type { GrowingOptions } from './growing-options.js';
import { openGrowingTileFolder } from './growing-tile-folder.js';
import type { LiveSlide } from './live-slide.js';

/**
 * Opens a scan field by field, by its coordinates.csv; one with several regions as parts, a slide each.
 *
 * Completeness contract. The table may come first (a plan), grow a row a field, or come last. It counts once nobody will add
 * to it: it is Squid's plan and a time point was begun, it names files that are still to come, `.done` stands beside it, it has
 * as many fields a region as the parameters announce, or it stood still for as long as makes a slide incomplete. Expected
 * are its rows in one focal plane; a field may be read when its file ends as its format wants. The slide is complete when all
 * of them came, or with `.done`: of an acquisition the one in its own folder, because a time point's comes too early.
 *
 * @throws SLIDE_UNSUPPORTED for fields off a grid; SLIDE_UNREADABLE, SLIDE_NO_MPP.
 */
export async function openFields(
  path: string,
  { settled, quiet, renamed }: CandidateFacts,
  options: GrowingOptions,
): Promise<OpenedCandidate<LiveSlide> | undefined> {
  const { manifest, region } = splitRegion(path);
  const over = quiet > options.stallSeconds;
  const scan = readFieldScan(manifest, over);
  if (!scan) return undefined;
  const { claims, regions } = scan;
  if (!(over || (scan.whole && (settled || renamed)))) return { later: true, claims };
  if (region === undefined && regions.length > 1) return { parts: regions.map(name => `${manifest}#${name}`), claims };
  const read = (whole: boolean) => readFieldSet(scan, region ?? regions[0] ?? '', options.mpp, whole);
  const set = await read(over || scan.finished);
  if (!set && (over || scan.finished)) throw unreadable(path, 'has no images of its fields beside it');
  if (!set) return { later: true, claims };
  const rows = rowsOf(scan, region);
  const still = (): boolean => {
    try {
      return rowsOf(readFieldScan(manifest, over), region) === rows;
    } catch (error) {
      // A share that answers with an error tells nothing of the table.
      if (isPassing(error)) throw error;
      return false;
    }
  };
  const live = openGrowingTileFolder(set, options, still);
  return { value: live, until: live.closed, claims };
}

/** What a table says of one slide, to be compared. */
function rowsOf(scan: ReturnType<typeof readFieldScan>, region: string | undefined): string {
  return JSON.stringify(scan?.rows.filter(row => region === undefined || row.region === region));
}
