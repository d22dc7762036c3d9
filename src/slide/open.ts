import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, type Stats, statSync } from 'node:fs';
import { basename, extname, resolve } from 'node:path';
import { StromaflowError, toStromaflowError } from '../errors.js';
import { isDicom } from './dicom/instance.js';
import { holdsDicom, readDicomFacts } from './dicom/open-dicom.js';
import { sampleFile } from './file-samples.js';
import { MAGIC_BYTES, openSlideFormat, openSlideInstead } from './openslide/instead.js';
import { whoeverReads, withoutDoubted } from './readable.js';
import { fileNameAt, isAddress, parseAddress } from './remote/address.js';
import { openRemoteSlide, remoteScenes } from './remote/open-remote.js';
import type { RangeOptions } from './remote/ranges.js';
import { splitScene } from './scene-path.js';
import type { OpenedSlide, RemoteTraffic, SlideInfo } from './slide.js';
import { type SlideFacts, withSpacing } from './slide-facts.js';
import { readTiffFacts, type TiffReading } from './tiff/open-tiff.js';
import { isTiff, readBytes, unreadable } from './tiff/probe.js';
import { findTiles, readTilesFacts, splitRegion, tilesName } from './tile-folder/find-tiles.js';

export interface OpenOptions {
  /** Spacing of level 0 in µm/px, instead of what the file says. */
  readonly mpp?: number | undefined;
  /** Instead of one made from the file's name. */
  readonly id?: string | undefined;
  /** The file is still being written: tiles that lie beyond its end are no fault. */
  readonly growing?: boolean | undefined;
  /** Tries tiles, so that whoever reads them opens the slide; of a growing file not unless given. */
  readonly tried?: boolean | undefined;
  /** How a server is asked, for a slide at an address. */
  readonly remote?: RangeOptions | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens a slide: TIFF and DICOM (a file of a series, or its folder) by our own readers; what they cannot read by OpenSlide,
 * where it is installed; TIFF at an address, http:// or https://. Checks everything but the pixels; of those a few tiles are tried, unless the file is growing.
 *
 * @throws FILE_NOT_FOUND, SLIDE_UNREADABLE (no slide, or damaged), SLIDE_TRUNCATED (ends before its last tile),
 * SLIDE_UNSUPPORTED (a compression, layout or kind of tile that cannot be decoded), SLIDE_NO_MPP (no spacing and none given), OPENSLIDE_FAILED;
 * of an address SLIDE_REMOTE, SLIDE_CHANGED, CONFIG_INVALID.
 */
export async function openSlide(path: string, options: OpenOptions = {}): Promise<OpenedSlide> {
  const { id, signal } = options;
  signal?.throwIfAborted();
  if (id !== undefined && !/^[A-Za-z0-9_-]{1,200}$/.test(id))
    throw new StromaflowError('CONFIG_INVALID', `slide id "${id}": only letters, digits, _ and - are allowed`);
  if (isAddress(path))
    return openRemoteSlide(parseAddress(path), id ?? slideIdAt(path), { ...options.remote, mpp: options.mpp, signal });
  const fd = openFile(fileAt(path));
  try {
    const stats = fstatSync(fd);
    const tiles = findTiles(path);
    const facts =
      tiles === undefined ? await readWhole(fd, path, stats, options) : await readTilesFacts(tiles, options.mpp);
    signal?.throwIfAborted();
    const settled = {
      id: id ?? slideIdAt(path),
      path: tiles ?? path,
      fingerprint: `${facts.fingerprint ?? fingerprint(fd, stats)}${sceneSuffix(path)}`,
    };
    const settle = (given: SlideFacts) => describe(settled, given, options.mpp);
    const opened = settle(facts);
    return (options.tried ?? !options.growing)
      ? await whoeverReads(opened, facts, settle, signal)
      : withoutDoubted(opened);
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    throw toStromaflowError(error, 'SLIDE_UNREADABLE', path);
  } finally {
    closeSync(fd);
  }
}

function describe(
  settled: Pick<SlideInfo, 'id' | 'path' | 'fingerprint'>,
  facts: SlideFacts,
  mpp: number | undefined,
): OpenedSlide {
  const { format, properties, stored, bounds } = facts;
  const spaced = withSpacing(settled.path, facts, mpp);
  const info: SlideInfo = { ...settled, format, ...spaced, properties, ...(bounds ? { bounds } : {}) };
  return { info, source: facts.describe(spaced.levels), ...(stored ? { stored } : {}) };
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
  const { file, scene } = splitScene(path);
  return readFacts(fd, file, stats.size, { growing: growing ?? false, scene }, signal);
}

const FOLDERS_FIX =
  'give a slide file, or a folder of DICOM instances, or one with manifest.json, a .dzi, ImageProperties.xml, coordinates.csv or NDTiff.index';

/** What stands for the slide at a path: what describes its tiles, else the path itself. */
export const slideAt = (path: string): string => findTilesOrNone(path) ?? path;

/** The id of the slide at a path: from the name of its file, or of the folder that holds its tiles or instances. */
export function slideIdAt(path: string): string {
  if (isAddress(path)) {
    const { shown, scene } = parseAddress(path);
    return `${slideId(fileNameAt(shown))}${scene === undefined ? '' : `-scene${scene}`}`;
  }
  const tiles = findTilesOrNone(path);
  // Folders have no extension to drop.
  if (tiles !== undefined) return slideId(`${tilesName(tiles)}.`);
  const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  return isFolder ? slideId(`${resolve(path)}.`) : `${slideId(splitScene(path).file)}${sceneSuffix(path)}`;
}

/** The slides in a TIFF at an address, as scenesAt tells them of a file, and what was asked to know them. @throws as openSlide does */
export async function scenesAtAddress(
  text: string,
  options: Pick<OpenOptions, 'remote' | 'signal'> = {},
): Promise<{ readonly slides: readonly string[]; readonly traffic?: RemoteTraffic }> {
  const address = parseAddress(text);
  // As of files, by their names.
  if (address.scene !== undefined || splitScene(`${address.shown}#1`).scene === undefined) return { slides: [text] };
  const { scenes, traffic } = await remoteScenes(address, { ...options.remote, signal: options.signal });
  const slides = scenes.length > 1 ? scenes.map(scene => `${text.replace(/#.*$/, '')}#${scene}`) : [text];
  return { slides, traffic };
}

/** Scenes of one file are slides of their own. */
function sceneSuffix(path: string): string {
  const { scene } = splitScene(path);
  return scene === undefined ? '' : `-scene${scene}`;
}

/** The file or folder of a slide's path, which may name a region of a table or a scene of a TIFF. */
export const fileAt = (path: string): string => splitScene(splitRegion(path).manifest).file;

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

async function readFacts(
  fd: number,
  path: string,
  size: number,
  reading: TiffReading,
  signal: AbortSignal | undefined,
): Promise<SlideFacts> {
  try {
    return readTiffFacts(fd, path, size, reading);
  } catch (error) {
    if (!(error instanceof StromaflowError)) throw error;
    const format = isTiff(fd) ? undefined : openSlideFormat(path, readBytes(fd, 0, MAGIC_BYTES));
    // OpenSlide reads over damage without a word.
    if (format === undefined && error.code !== 'SLIDE_UNSUPPORTED') throw error;
    return openSlideInstead(path, error, format, signal);
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
