import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, type Stats, statSync } from 'node:fs';
import { basename, extname, resolve } from 'node:path';
import { StromaflowError, toStromaflowError } from '../errors.js';
import { isDicom } from './dicom/instance.js';
import { holdsDicom, readDicomFacts } from './dicom/open-dicom.js';
import { sampleFile } from './file-samples.js';
import { askOpenSlide } from './open-openslide.js';
import { ForeignTiff, readTiffFacts } from './open-tiff.js';
import type { OpenedSlide } from './slide.js';
import { type SlideFacts, withSpacing } from './slide-facts.js';
import { isTiff, unreadable } from './tiff-probe.js';
import { findTiles, readTilesFacts, splitRegion, tilesName } from './tile-folder/find-tiles.js';

export interface OpenOptions {
  /** Spacing of level 0 in µm/px, instead of what the file says. */
  readonly mpp?: number | undefined;
  /** Instead of one made from the file's name. */
  readonly id?: string | undefined;
  /** The file is still being written: tiles that lie beyond its end are no fault. */
  readonly growing?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens a slide: TIFF and DICOM (a file of a series, or its folder) by our own readers; what they cannot read by OpenSlide,
 * where it is installed. Checks everything but the pixels.
 *
 * @throws FILE_NOT_FOUND, SLIDE_UNREADABLE (no slide, or damaged), SLIDE_TRUNCATED (ends before its last tile),
 * SLIDE_UNSUPPORTED (a compression or layout that cannot be decoded), SLIDE_NO_MPP (no spacing and none given).
 */
export async function openSlide(path: string, options: OpenOptions = {}): Promise<OpenedSlide> {
  const { id, signal } = options;
  signal?.throwIfAborted();
  if (id !== undefined && !/^[A-Za-z0-9_-]{1,200}$/.test(id))
    throw new StromaflowError('CONFIG_INVALID', `slide id "${id}": only letters, digits, _ and - are allowed`);
  const fd = openFile(splitRegion(path).manifest);
  try {
    const stats = fstatSync(fd);
    const tiles = findTiles(path);
    const facts =
      tiles === undefined ? await readWhole(fd, path, stats, options) : await readTilesFacts(tiles, options.mpp);
    signal?.throwIfAborted();
    const { mpp, levels } = withSpacing(path, facts, options.mpp);
    const info = {
      id: id ?? slideIdAt(path),
      path: tiles ?? path,
      format: facts.format,
      mpp,
      levels,
      fingerprint: facts.fingerprint ?? fingerprint(fd, stats),
      properties: facts.properties,
    };
    const { stored } = facts;
    return { info, source: facts.describe(levels), ...(stored ? { stored } : {}) };
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    throw toStromaflowError(error, 'SLIDE_UNREADABLE', path);
  } finally {
    closeSync(fd);
  }
}

async function readWhole(
  fd: number,
  path: string,
  stats: Stats,
  { signal, growing }: OpenOptions,
): Promise<SlideFacts> {
  const dicom = stats.isDirectory() ? await holdsDicom(path) : isDicom(fd);
  if (dicom) return readDicomFacts(path, signal);
  if (stats.isDirectory()) throw unreadable(path, 'is a folder without a slide', FOLDERS_FIX);
  if (!stats.isFile()) throw unreadable(path, 'is not a file');
  return readFacts(fd, path, stats.size, growing ?? false);
}

const FOLDERS_FIX =
  'give a slide file, or a folder of DICOM instances, or one with manifest.json, a .dzi, ImageProperties.xml, coordinates.csv or NDTiff.index';

/** What stands for the slide at a path: what describes its tiles, else the path itself. */
export const slideAt = (path: string): string => findTilesOrNone(path) ?? path;

/** The id of the slide at a path: from the name of its file, or of the folder that holds its tiles or instances. */
export function slideIdAt(path: string): string {
  const tiles = findTilesOrNone(path);
  // Folders have no extension to drop.
  if (tiles !== undefined) return slideId(`${tilesName(tiles)}.`);
  return slideId(statSync(path, { throwIfNoEntry: false })?.isDirectory() ? `${resolve(path)}.` : path);
}

/** A name is wanted of what cannot be opened, too. */
function findTilesOrNone(path: string): string | undefined {
  try {
    return findTiles(path);
  } catch {
    return undefined;
  }
}

/**
 * A slide's name from its file's: safe in a NATS subject and a folder name. Where a character had to be replaced or the
 * name cut, eight digits of its hash keep two slides apart.
 */
export function slideId(path: string): string {
  const name = basename(path, extname(path));
  const safe = name.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 100);
  if (safe === name && safe !== '') return safe;
  return `${safe || 'slide'}-${createHash('sha256').update(basename(path)).digest('hex').slice(0, 8)}`;
}

const fingerprint = (fd: number, { size, mtimeMs }: Stats): string =>
  `${size}-${Math.trunc(mtimeMs)}-${sampleFile(fd, size)}`;

function readFacts(fd: number, path: string, size: number, growing: boolean): SlideFacts {
  try {
    return readTiffFacts(fd, path, size, growing);
  } catch (error) {
    // Damaged TIFFs are not handed to native code, which could take the whole process with it.
    const facts = error instanceof ForeignTiff || !isTiff(fd) ? askOpenSlide(path) : undefined;
    if (!facts) throw error;
    return facts;
  }
}

function openFile(path: string): number {
  try {
    // Opening a pipe would otherwise wait for its writer.
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR')
      throw new StromaflowError('FILE_NOT_FOUND', `${path}: no such file`, { cause: error });
    throw toStromaflowError(error, 'SLIDE_UNREADABLE', path);
  }
}
