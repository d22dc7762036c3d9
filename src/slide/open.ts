import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, type Stats } from 'node:fs';
import { basename, extname } from 'node:path';
import { StromaflowError, toStromaflowError } from '../errors.js';
import type { OpenedSlide, SlideInfo } from './slide.js';
import type { TiffDescription, TiffLevel } from './tiff-description.js';
import { recogniseTiff, type TiffFormat } from './tiff-format.js';
import { readPages, readTileArrays, type TiffPage } from './tiff-page.js';
import { probeTiff, readBytes, type TiffProbe, truncated, unreadable } from './tiff-probe.js';
import { checkSupported } from './tiff-support.js';

export interface OpenOptions {
  /** Spacing of level 0 in µm/px, instead of what the file says. */
  readonly mpp?: number | undefined;
  /** Instead of one made from the file's name. */
  readonly id?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens a slide: checks the whole directory and that every tile lies inside the file, reads no pixels.
 *
 * @throws FILE_NOT_FOUND, SLIDE_UNREADABLE (no slide, or damaged), SLIDE_TRUNCATED (ends before its last tile),
 * SLIDE_UNSUPPORTED (a compression or layout that cannot be decoded), SLIDE_NO_MPP (no spacing and none given).
 */
export async function openSlide(path: string, options: OpenOptions = {}): Promise<OpenedSlide> {
  options.signal?.throwIfAborted();
  const fd = openFile(path);
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile()) throw unreadable(path, 'is not a file');
    const probe = probeTiff(fd, path, stats.size);
    const pages = await readPages(probe);
    options.signal?.throwIfAborted();
    const format = recogniseTiff(pages);
    if (!format) throw unreadable(path, 'is a TIFF without an image');
    const mpp = options.mpp ?? format.mpp;
    if (mpp === undefined) throw new StromaflowError('SLIDE_NO_MPP', `${path}: does not say how many µm a pixel spans`);
    if (!(mpp > 0 && Number.isFinite(mpp))) throw new StromaflowError('CONFIG_INVALID', `mpp ${mpp}: must be above 0`);
    const levels = format.levels.map(page => describeLevel(probe, format, page, mpp));
    const source: TiffDescription = { kind: 'tiff', path, levels };
    return { info: describe(path, probe, stats, format, levels, options.id, mpp), source };
  } catch (error) {
    if (options.signal?.aborted) throw options.signal.reason;
    throw toStromaflowError(error, 'SLIDE_UNREADABLE', path);
  } finally {
    closeSync(fd);
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

function openFile(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR')
      throw new StromaflowError('FILE_NOT_FOUND', `${path}: no such file`, { cause: error });
    throw toStromaflowError(error, 'SLIDE_UNREADABLE', path);
  }
}

function describeLevel(probe: TiffProbe, format: TiffFormat, page: TiffPage, mpp: number): TiffLevel {
  checkSupported(probe.path, page);
  const { offsets, byteCounts } = readTileArrays(probe, page);
  const cols = Math.ceil(page.width / page.tileWidth);
  const rows = Math.ceil(page.height / page.tileHeight);
  for (let i = 0; i < cols * rows; i++) {
    const end = (offsets[i] as number) + (byteCounts[i] as number);
    if (byteCounts[i] !== 0 && end > probe.size)
      throw truncated(probe.path, `tile ${i + 1} of ${cols * rows} of a level ends at byte ${end}`, probe.size);
  }
  const [first] = format.levels as readonly [TiffPage];
  const ratio = (first.width / page.width + first.height / page.height) / 2;
  const downsample = format.dyadic ? 2 ** Math.round(Math.log2(ratio)) : ratio;
  return {
    width: page.width,
    height: page.height,
    downsample,
    mpp: mpp * downsample,
    tileWidth: page.tileWidth,
    tileHeight: page.tileHeight,
    cols,
    rows,
    offsets,
    byteCounts,
    compression: page.compression,
    photometric: page.photometric,
    samplesPerPixel: page.samplesPerPixel,
    predictor: page.predictor,
    jpegTables: page.jpegTables,
  };
}

function describe(
  path: string,
  probe: TiffProbe,
  stats: Stats,
  format: TiffFormat,
  levels: readonly TiffLevel[],
  id: string | undefined,
  mpp: number,
): SlideInfo {
  if (id !== undefined && !/^[A-Za-z0-9_-]{1,200}$/.test(id))
    throw new StromaflowError('CONFIG_INVALID', `slide id "${id}": only letters, digits, _ and - are allowed`);
  const head = createHash('sha256')
    .update(readBytes(probe.fd, 0, 65_536))
    .digest('hex')
    .slice(0, 16);
  return {
    id: id ?? slideId(path),
    path,
    format: format.name,
    mpp,
    levels: levels.map(({ width, height, downsample, mpp: spacing, tileWidth, tileHeight }) => ({
      width,
      height,
      downsample,
      mpp: spacing,
      tileWidth,
      tileHeight,
    })),
    fingerprint: `${stats.size}-${Math.trunc(stats.mtimeMs)}-${head}`,
    properties: format.properties,
  };
}
