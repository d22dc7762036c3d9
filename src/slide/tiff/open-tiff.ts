import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { basename, extname } from 'node:path';
import { adobeTransform, prepareTile } from '../../codec/jpeg/jpeg-stream.js';
import { COMPRESSION, PHOTOMETRIC } from '../../codec/tile-coding.js';
import { StromaflowError } from '../../errors.js';
import { isMarkedDone } from '../marked-done.js';
import { GREY_NOTE, type SlideNote } from '../note.js';
import { splitScene } from '../scene-path.js';
import type { LevelGeometry } from '../slide.js';
import type { SlideFacts } from '../slide-facts.js';
import { countTiles } from '../stored-tiles.js';
import type { TiffDescription, TiffLevel } from './description.js';
import { listOf, sizeOf } from './facts.js';
import { recogniseTiff } from './format.js';
import { checkTileCount, readPages, readTileArrays, type TiffPage } from './page.js';
import { type ByteReader, isTiff, probeTiff, readBytes, type TiffProbe, truncated, unreadable } from './probe.js';
import type { FittedLevel } from './pyramid.js';
import { alphaOf, checkSupported, extraSamplesOf, isGrey } from './support.js';

/** A sound TIFF of a scanner whose files only OpenSlide reads right. */
export class ForeignTiff extends StromaflowError {
  constructor(path: string, vendor: string) {
    super('SLIDE_UNSUPPORTED', `${path}: is ${vendor}, which only OpenSlide reads`);
  }
}

export interface TiffReading {
  /** The file is still being written: tiles beyond its end are no fault. */
  readonly growing?: boolean;
  /** Of several scenes the one with this number, from 1. */
  readonly scene?: number | undefined;
}

/**
 * What a TIFF says about itself: checks the whole directory and that every tile lies inside the file, reads no pixels. What is wrong
 * with a reduced level costs that level, with a note; what is wrong with images that are not read costs nothing.
 *
 * @throws SLIDE_UNREADABLE, SLIDE_TRUNCATED, SLIDE_UNSUPPORTED (ForeignTiff where OpenSlide would help).
 */
export function readTiffFacts(
  fd: number | ByteReader,
  path: string,
  size: number,
  { growing = false, scene }: TiffReading = {},
): SlideFacts {
  if (extname(path).toLowerCase() === '.vsi')
    throw new StromaflowError('SLIDE_UNSUPPORTED', `${path}: ${VSI.what}`, VSI);
  const probe = probeTiff(fd, path, size);
  const pages = readPages(probe);
  const vendor = pages.find(page => page.vendor)?.vendor;
  if (vendor) throw new ForeignTiff(path, vendor);
  const format = recogniseTiff(pages, { fileName: basename(path), scene });
  if (!format) throw unreadable(path, 'is a TIFF without an image');
  if (format.problem) {
    const { what, fix } = format.problem;
    throw new StromaflowError('SLIDE_UNSUPPORTED', `${path}: ${what}`, fix === undefined ? {} : { fix });
  }
  const { levels, notes } = describeLevels(probe, format.levels, growing);
  const [first] = format.levels;
  return {
    format: format.name,
    mpp: format.mpp,
    levels,
    properties: { ...format.properties, ...colourNote(fd, levels[0]) },
    stored: level => ({
      ...countTiles({ levels, has: (at, tile) => levels[at]!.byteCounts[tile] !== 0 }, level),
      sparse: format.sparse === true || isMarkedDone(path),
    }),
    notes: [...format.notes, ...notes, ...pixelNotes(first!.page)],
    describe: geometry => describeTiff(path, levels, geometry),
  };
}

/**
 * The slides in a file, each a path that openSlide takes: of a TIFF with several scenes of tissue each is one, named by its number
 * (`slide.ome.tif#2`).
 * @throws SLIDE_UNREADABLE, SLIDE_TRUNCATED, and the system's errors for a file that cannot be opened.
 */
export function scenesAt(path: string): readonly string[] {
  if (splitScene(path).scene !== undefined || splitScene(`${path}#1`).scene === undefined) return [path];
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile() || !isTiff(fd)) return [path];
    const scenes = readScenes(fd, path, stats.size);
    return scenes.length > 1 ? scenes.map(scene => `${path}#${scene}`) : [path];
  } finally {
    closeSync(fd);
  }
}

/** Numbers of the scenes of tissue in a TIFF, from 1; none of what has no scenes. @throws as scenesAt does */
export function readScenes(fd: number | ByteReader, path: string, size: number): readonly number[] {
  const pages = readPages(probeTiff(fd, path, size));
  return recogniseTiff(pages, { fileName: basename(path) })?.scenes ?? [];
}

const VSI = {
  what: 'is an Olympus VSI, whose pixels lie in the .ets files of the folder _name_ beside it and are not read',
  fix: 'convert the slide to OME-TIFF, such as with QuPath or bfconvert',
} as const;

/** More than any tile's headers take. */
const HEADER_BYTES = 4096;

/** Says so where the pixels contradict their tag (see adobeTransform), because the colours of all patches hang on it. */
function colourNote(fd: number | ByteReader, level: UnspacedLevel | undefined): Record<string, string> {
  if (level?.compression !== COMPRESSION.jpeg || level.photometric !== PHOTOMETRIC.rgb) return {};
  const tile = level.byteCounts.findIndex(bytes => bytes > 0);
  if (tile < 0) return {};
  const length = Math.min(HEADER_BYTES, level.byteCounts[tile] as number);
  const frame = prepareTile(readBytes(fd, level.offsets[tile] as number, length));
  return frame && adobeTransform(level.photometric, frame) === 1 ? { colour: 'YCbCr, tagged RGB' } : {};
}

type UnspacedLevel = Omit<TiffLevel, 'mpp'>;

function describeTiff(
  path: string,
  levels: readonly UnspacedLevel[],
  geometry: readonly LevelGeometry[],
): TiffDescription {
  return {
    kind: 'tiff',
    path,
    levels: levels.map((level, i) => ({ ...level, mpp: (geometry[i] as LevelGeometry).mpp })),
  };
}

/** The levels that can be read, finest first; without the finest there is no slide. */
function describeLevels(
  probe: TiffProbe,
  fitted: readonly FittedLevel[],
  growing: boolean,
): { readonly levels: UnspacedLevel[]; readonly notes: SlideNote[] } {
  const levels: UnspacedLevel[] = [];
  const leftOut: string[] = [];
  const counted: TiffPage[] = [];
  for (const level of fitted) {
    const { page } = level;
    try {
      checkTileCount(probe.path, [...counted, page]);
      levels.push(describeLevel(probe, level, growing));
      counted.push(page);
    } catch (error) {
      if (levels.length === 0 || !(error instanceof StromaflowError)) throw error;
      const what = error.code === 'SLIDE_TRUNCATED' ? 'the file ends before its last tile' : 'its directory is damaged';
      leftOut.push(`${sizeOf(page)} (${what})`);
    }
  }
  const message = `levels left out, finer ones are read instead: ${listOf(leftOut)}`;
  return { levels, notes: leftOut.length > 0 ? [{ code: 'level-left-out', message }] : [] };
}

function describeLevel(probe: TiffProbe, level: FittedLevel, growing: boolean): UnspacedLevel {
  const { page, downsample, width, height } = level;
  if (page.fault) throw page.fault;
  checkSupported(probe.path, page);
  const { offsets, byteCounts } = readTileArrays(probe, page);
  const cols = Math.ceil(page.width / page.tileWidth);
  const rows = Math.ceil(page.height / page.tileHeight);
  for (let i = 0; i < cols * rows; i++) {
    const end = (offsets[i] as number) + (byteCounts[i] as number);
    if (byteCounts[i] !== 0 && end > probe.size && !growing)
      throw truncated(probe.path, `tile ${i + 1} of ${cols * rows} of a level ends at byte ${end}`, probe.size);
  }
  const alpha = alphaOf(page);
  return {
    width,
    height,
    downsample,
    tileWidth: page.tileWidth,
    tileHeight: page.tileHeight,
    cols,
    rows,
    offsets,
    byteCounts,
    compression: page.compression,
    photometric: page.photometric,
    samplesPerPixel: page.samplesPerPixel,
    ...(level.bySize && { bySize: true }),
    ...(alpha && { alpha }),
    predictor: page.predictor,
    jpegTables: page.jpegTables,
  };
}

/** What a person must know of the pixels: there is no colour in them, or nobody says what a sample beyond the colours means. */
function pixelNotes(page: TiffPage): SlideNote[] {
  const extra = extraSamplesOf(page);
  const unnamed = extra > 0 && !alphaOf(page);
  const assumed = {
    code: 'assumed',
    message: `${extra === 1 ? 'a sample a pixel' : `${extra} samples a pixel`} beyond the colours, not said to be transparency: left out`,
  } as const;
  return [...(isGrey(page) ? [GREY_NOTE] : []), ...(unnamed ? [assumed] : [])];
}
