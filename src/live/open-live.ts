import { closeSync, openSync } from 'node:fs';
import { basename } from 'node:path';
import { StromaflowError, toStromaflowError } from '../errors.js';
import { readHead } from '../slide/dicom/instance.js';
import { isMarkedDone } from '../slide/marked-done.js';
import { doneFolders, readDataSet } from '../slide/ndtiff/data-set.js';
import { dataSetFolder, NDTIFF_INDEX } from '../slide/ndtiff/layout.js';
import { fileAt, openSlide } from '../slide/open.js';
import type { OpenedSlide } from '../slide/slide.js';
import type { TiffDescription } from '../slide/tiff/description.js';
import { scenesAt } from '../slide/tiff/open-tiff.js';
import { readBytes, unreadable } from '../slide/tiff/probe.js';
import { splitRegion } from '../slide/tile-folder/find-tiles.js';
import { COORDINATES, isTileManifest, readTileSet } from '../slide/tile-folder/read-tile-set.js';
import { tryTiles } from '../slide/try-tiles.js';
import type { CandidateFacts, OpenedCandidate } from '../watch/watch-folder.js';
import { openDicomSeries } from './dicom/open-series.js';
import type { SeriesIndex } from './dicom/series-index.js';
import { openGrowingNdTiff } from './growing-ndtiff.js';
import type { GrowingOptions } from './growing-options.js';
import { openGrowingTiff } from './growing-tiff.js';
import { openGrowingTileFolder } from './growing-tile-folder.js';
import type { LiveSlide } from './live-slide.js';
import { openFields } from './open-fields.js';
import { type Wholeness, wholenessOf } from './tile-bytes.js';
import { WholeSlide } from './whole-slide.js';

/** The preamble of a DICOM file may be zeros; what follows is not. */
const HEAD_BYTES = 256;

export interface LiveOptions extends GrowingOptions {
  /** The DICOM slides of the watched folder. */
  readonly series: SeriesIndex;
  /** µm/px the model wants, for slides whose levels come one by one. */
  readonly spacing?: number | undefined;
  /** True of a slide that was completed before just as it is: what it lacks it will not get. */
  readonly isKnown?: (slide: OpenedSlide) => boolean;
}

/** Some bytes of it do not look as they should: it must stand still for so many times the settling time. */
const IN_DOUBT = 3;

/**
 * Opens a file of a scanner's folder, or a DICOM slide (src/live/dicom/open-series.ts). What describes a folder of tiles
 * is always followed. Another file is opened as a whole slide when every tile that it lists is there and it was renamed into
 * place, is marked as done, or stood still; as a growing one as soon as its directory can be read and tiles lack, unless they are
 * of a kind that our reader does not read.
 *
 * @throws the errors of openSlide while neither is possible.
 */
export async function openLiveOrWhole(
  path: string,
  facts: CandidateFacts,
  options: LiveOptions,
): Promise<OpenedCandidate<WholeSlide | LiveSlide> | undefined> {
  const { quiet } = facts;
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
  if (options.series.isPart(path)) {
    if (quiet <= options.stallSeconds && isReserved(path)) return { later: true };
    throw notYetDicom(path);
  }
  const scenes = scenesAt(path);
  if (scenes.length > 1) return { parts: scenes };
  return openFile(path, facts, options);
}

async function openFile(
  path: string,
  facts: CandidateFacts,
  options: LiveOptions,
): Promise<OpenedCandidate<WholeSlide | LiveSlide>> {
  const { settled, quiet } = facts;
  const notes: OpenNotes = facts.notes;
  const { mpp, id, signal, settleSeconds } = options;
  const file = fileAt(path);
  const slide = await WholeSlide.open([file], options, () => openSlide(path, { mpp, id, signal, growing: true }));
  const { sample = '' } = slide;
  if (notes.sample !== undefined && notes.sample !== sample) return { moving: true };
  notes.sample ??= sample;
  notes.sampledAt ??= quiet;
  notes.wholeness ??= await wholenessAt(slide.opened, options);
  const { unlisted, absent, blank, doubtful } = notes.wholeness;
  // Who renames or marks a file has finished it, and may have left out what shows glass.
  const isFinished = (facts.renamed || isMarkedDone(file)) && !absent;
  if (!isFinished && (unlisted || absent || blank)) {
    const tried = await tryTiles(slide.opened.source, slide.opened.info.levels, undefined, signal);
    const unread = tried.unread.get(0);
    if (unread) return waitForWhole(unread, facts, options);
    const live = await openGrowingTiff(path, options);
    return { value: live, until: live.closed };
  }
  if (!isFinished && !settled) throw unreadable(path, 'may still be written');
  const wanted = settleSeconds * (isFinished ? (doubtful ? 1 : 0) : doubtful ? IN_DOUBT : 1);
  if (quiet - (isFinished ? 0 : notes.sampledAt) < wanted) return { later: true };
  // Now that it is worth it: whoever reads its tiles opens it.
  const open = () => openSlide(path, { mpp, id, signal, growing: true, tried: true });
  const whole = await WholeSlide.open([file], options, open);
  if ((whole.sample ?? '') !== sample) return { moving: true };
  whole.keepLooking();
  return { value: whole, until: whole.closed };
}

/**
 * Whoever reads what our reader does not reads whole files alone.
 *
 * @throws SLIDE_UNSUPPORTED when it has not grown for long.
 */
function waitForWhole({ message }: StromaflowError, { quiet }: CandidateFacts, { stallSeconds }: LiveOptions) {
  if (quiet <= stallSeconds) return { later: true } as const;
  throw new StromaflowError('SLIDE_UNSUPPORTED', `${message}, and it lacks tiles`);
}

/** What is known of a file until it changes. */
type OpenNotes = {
  /** A hash of pieces of it, and how long it had stood still when it was taken. */
  sample?: string;
  sampledAt?: number;
  wholeness?: Wholeness;
};

async function wholenessAt({ source, info }: OpenedSlide, options: LiveOptions): Promise<Wholeness> {
  return source.kind !== 'tiff' || options.isKnown?.({ source, info }) ? WHOLE : wholenessOf(source as TiffDescription);
}

const WHOLE: Wholeness = { unlisted: false, absent: false, blank: false, doubtful: false };

/** A data set whose summary does not say the size of the whole is opened when it is finished: as far as its tiles reach. */
async function openNdTiff(
  index: string,
  { quiet }: CandidateFacts,
  options: LiveOptions,
): Promise<OpenedCandidate<WholeSlide | LiveSlide>> {
  const claims = dataSetFolder(index);
  const live = openGrowingNdTiff(readDataSet(index), options);
  if (live) return { value: live, until: live.closed, claims };
  if (quiet <= options.stallSeconds && !doneFolders(index).some(isMarkedDone)) return { later: true, claims };
  const whole = await WholeSlide.open([index], options, () => openSlide(index, options));
  whole.keepLooking();
  return { value: whole, until: whole.closed, claims };
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
