import { statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { openSlide } from '../slide/open.js';
import type { OpenedSlide } from '../slide/slide.js';
import type { TiffDescription } from '../slide/tiff-description.js';
import { unreadable } from '../slide/tiff-probe.js';
import { splitRegion } from '../slide/tile-folder/find-tiles.js';
import { COORDINATES, isTileManifest, NDTIFF_INDEX, readTileSet } from '../slide/tile-folder/read-tile-set.js';
import type { CandidateFacts, OpenedCandidate } from '../watch/watch-folder.js';
import { openGrowingNdTiff } from './growing-ndtiff.js';
import { type GrowingOptions, isMarkedDone, openGrowingTiff } from './growing-tiff.js';
import { openGrowingTileFolder } from './growing-tile-folder.js';
import type { LiveSlide } from './live-slide.js';
import { openFields } from './open-fields.js';
import { lacksTiles } from './tile-bytes.js';

/**
 * Opens a file of a scanner's folder, or a folder of DICOM instances once it stands still. What describes a folder of tiles
 * is always followed. Another file is opened as a whole slide when it was renamed into place, is marked as done, or stands still
 * and every tile is there; as a growing one as soon as its directory can be read and tiles lack.
 *
 * @throws the errors of openSlide while neither is possible.
 */
export async function openLiveOrWhole(
  path: string,
  facts: CandidateFacts,
  options: GrowingOptions,
): Promise<OpenedCandidate<OpenedSlide | LiveSlide> | undefined> {
  const { settled, renamed, quiet, age } = facts;
  const { mpp, id, signal, stallSeconds, settleSeconds } = options;
  if (basename(splitRegion(path).manifest) === COORDINATES) return openFields(path, facts, options);
  if (basename(path) === NDTIFF_INDEX) {
    const live = openGrowingNdTiff(path, options);
    return { value: live, until: live.closed, claims: dirname(path) };
  }
  if (isTileManifest(path)) {
    const set = readTileSet(path);
    if (!set) return undefined;
    const live = openGrowingTileFolder(set, options);
    return { value: live, until: live.closed, claims: set.folder };
  }
  if (statSync(path).isDirectory()) {
    // The instances of a DICOM slide come one by one, and nothing says which is the last.
    if (!isMarkedDone(path) && age < stallSeconds && quiet < settleSeconds)
      throw unreadable(path, 'may still be written');
    return { value: await openSlide(path, { mpp, id, signal }) };
  }
  if (renamed || isMarkedDone(path) || age > stallSeconds) return { value: await openSlide(path, { mpp, id, signal }) };
  const slide = await openSlide(path, { mpp, id, signal, growing: true });
  if (slide.source.kind === 'tiff' && lacksTiles(slide.source as TiffDescription)) {
    const live = await openGrowingTiff(path, options);
    return { value: live, until: live.closed };
  }
  if (!settled) throw unreadable(path, 'may still be written');
  return { value: await openSlide(path, { mpp, id, signal }) };
}
