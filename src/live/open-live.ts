import { closeSync, openSync } from 'node:fs';
import { basename } from 'node:path';
import { type StromaflowError, toStromaflowError } from '../errors.js';
import { readHead } from '../slide/dicom/instance.js';
import { doneFolders, readDataSet } from '../slide/ndtiff/data-set.js';
import { dataSetFolder, NDTIFF_INDEX } from '../slide/ndtiff/layout.js';
import { fileAt, openSlide } from '../slide/open.js';
import { scenesAt } from '../slide/open-tiff.js';
import type { OpenedSlide } from '../slide/slide.js';
import type { TiffDescription } from '../slide/tiff-description.js';
import { readBytes, unreadable } from '../slide/tiff-probe.js';
import { splitRegion } from '../slide/tile-folder/find-tiles.js';
import { COORDINATES, isTileManifest, readTileSet } from '../slide/tile-folder/read-tile-set.js';
import { isDicomName } from '../watch/names.js';
import type { CandidateFacts, OpenedCandidate } from '../watch/watch-folder.js';
import { openDicomSeries } from './dicom/open-series.js';
import type { SeriesIndex } from './dicom/series-index.js';
import { openGrowingNdTiff } from './growing-ndtiff.js';
import { type GrowingOptions, isMarkedDone, openGrowingTiff } from './growing-tiff.js';
import { openGrowingTileFolder } from './growing-tile-folder.js';
import type { LiveSlide } from './live-slide.js';
import { openFields } from './open-fields.js';
import { lacksTiles } from './tile-bytes.js';

/** The preamble of a DICOM file may be zeros; what follows is not. */
const HEAD_BYTES = 256;

export interface LiveOptions extends GrowingOptions {
  /** The DICOM slides of the watched folder. */
  readonly series: SeriesIndex;
  /** µm/px the model wants, for slides whose levels come one by one. */
  readonly spacing?: number | undefined;
}

/**
 * Opens a file of a scanner's folder, or a DICOM slide (src/live/dicom/open-series.ts). What describes a folder of tiles
 * is always followed. Another file is opened as a whole slide when it was renamed into place, is marked as done, or stands still
 * and every tile is there; as a growing one as soon as its directory can be read and tiles lack.
 *
 * @throws the errors of openSlide while neither is possible.
 */
export async function openLiveOrWhole(
  path: string,
  facts: CandidateFacts,
  options: LiveOptions,
): Promise<OpenedCandidate<OpenedSlide | LiveSlide> | undefined> {
  const { settled, renamed, age } = facts;
  const { mpp, id, signal, stallSeconds } = options;
  if (basename(splitRegion(path).manifest) === COORDINATES) return openFields(path, facts, options);
  if (basename(path) === NDTIFF_INDEX) return openNdTiff(path, facts, options);
  if (isTileManifest(path)) {
    const set = readTileSet(path);
    if (!set) return undefined;
    const live = openGrowingTileFolder(set, options);
    return { value: live, until: live.closed, claims: set.folder };
  }
  const dicom = options.series.find(path);
  if (dicom) return openDicomSeries(dicom, facts, options);
  if (isDicomName(path)) {
    if (age <= stallSeconds && isReserved(path)) return { later: true };
    throw notYetDicom(path);
  }
  const scenes = scenesAt(path);
  if (scenes.length > 1) return { parts: scenes };
  if (renamed || isMarkedDone(fileAt(path)) || age > stallSeconds)
    return { value: await openSlide(path, { mpp, id, signal }) };
  const slide = await openSlide(path, { mpp, id, signal, growing: true });
  if (slide.source.kind === 'tiff' && lacksTiles(slide.source as TiffDescription)) {
    const live = await openGrowingTiff(path, options);
    return { value: live, until: live.closed };
  }
  if (!settled) throw unreadable(path, 'may still be written');
  return { value: await openSlide(path, { mpp, id, signal }) };
}

/** A data set whose summary does not say the size of the whole is opened when it is finished: as far as its tiles reach. */
async function openNdTiff(
  index: string,
  { age }: CandidateFacts,
  options: LiveOptions,
): Promise<OpenedCandidate<OpenedSlide | LiveSlide>> {
  const claims = dataSetFolder(index);
  const live = openGrowingNdTiff(readDataSet(index), options);
  if (live) return { value: live, until: live.closed, claims };
  if (age <= options.stallSeconds && !doneFolders(index).some(isMarkedDone)) return { later: true, claims };
  return { value: await openSlide(index, options), claims };
}

/** Why a DICOM file is part of no slide: it says no series (yet), or is no DICOM file. */
function notYetDicom(path: string): StromaflowError {
  try {
    readHead(path);
  } catch (error) {
    return toStromaflowError(error, 'SLIDE_UNREADABLE', path);
  }
  return unreadable(path, 'may still be written');
}

/** True for a file that is there and reads as zeros: its bytes are still to come. */
function isReserved(path: string): boolean {
  const fd = openSync(path, 'r');
  try {
    return readBytes(fd, 0, HEAD_BYTES).every(byte => byte === 0);
  } finally {
    closeSync(fd);
  }
}
