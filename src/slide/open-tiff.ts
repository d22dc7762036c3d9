import { StromaflowError } from '../errors.js';
import { adobeTransform, prepareTile } from './jpeg-stream.js';
import { isMarkedDone } from './marked-done.js';
import type { LevelGeometry } from './slide.js';
import type { SlideFacts } from './slide-facts.js';
import { countTiles } from './stored-tiles.js';
import type { TiffDescription, TiffLevel } from './tiff-description.js';
import { recogniseTiff, type TiffFormat } from './tiff-format.js';
import { checkTileCount, readPages, readTileArrays, type TiffPage } from './tiff-page.js';
import { probeTiff, readBytes, type TiffProbe, truncated, unreadable } from './tiff-probe.js';
import { COMPRESSION, checkSupported, PHOTOMETRIC } from './tiff-support.js';

/** A sound TIFF of a scanner whose files only OpenSlide reads right. */
export class ForeignTiff extends StromaflowError {
  constructor(path: string, vendor: string) {
    super('SLIDE_UNSUPPORTED', `${path}: is ${vendor}, which only OpenSlide reads`);
  }
}

/**
 * What a TIFF says about itself: checks the whole directory and that every tile lies inside the file, reads no pixels.
 *
 * @param growing the file is still being written: tiles beyond its end are no fault.
 * @throws SLIDE_UNREADABLE, SLIDE_TRUNCATED, SLIDE_UNSUPPORTED (ForeignTiff where OpenSlide would help).
 */
export function readTiffFacts(fd: number, path: string, size: number, growing: boolean): SlideFacts {
  const probe = probeTiff(fd, path, size);
  const pages = readPages(probe);
  const vendor = pages.find(page => page.vendor)?.vendor;
  if (vendor) throw new ForeignTiff(path, vendor);
  const format = recogniseTiff(pages);
  if (!format) throw unreadable(path, 'is a TIFF without an image');
  if (format.problem) throw new StromaflowError('SLIDE_UNSUPPORTED', `${path}: ${format.problem}`);
  checkTileCount(path, format.levels);
  const levels = format.levels.map(page => describeLevel(probe, format, page, growing));
  return {
    format: format.name,
    mpp: format.mpp,
    levels,
    properties: { ...format.properties, ...colourNote(fd, levels[0]) },
    stored: level => ({
      ...countTiles({ levels, has: (at, tile) => levels[at]!.byteCounts[tile] !== 0 }, level),
      sparse: format.sparse === true || isMarkedDone(path),
    }),
    describe: geometry => describeTiff(path, levels, geometry),
  };
}

/** More than any tile's headers take. */
const HEADER_BYTES = 4096;

/** Says so where the pixels contradict their tag (see adobeTransform), because the colours of all patches hang on it. */
function colourNote(fd: number, level: UnspacedLevel | undefined): Record<string, string> {
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

function describeLevel(probe: TiffProbe, format: TiffFormat, page: TiffPage, growing: boolean): UnspacedLevel {
  checkSupported(probe.path, page);
  const { offsets, byteCounts } = readTileArrays(probe, page);
  const cols = Math.ceil(page.width / page.tileWidth);
  const rows = Math.ceil(page.height / page.tileHeight);
  for (let i = 0; i < cols * rows; i++) {
    const end = (offsets[i] as number) + (byteCounts[i] as number);
    if (byteCounts[i] !== 0 && end > probe.size && !growing)
      throw truncated(probe.path, `tile ${i + 1} of ${cols * rows} of a level ends at byte ${end}`, probe.size);
  }
  const [first] = format.levels as readonly [TiffPage];
  const ratio = (first.width / page.width + first.height / page.height) / 2;
  return {
    width: page.width,
    height: page.height,
    downsample: format.dyadic ? 2 ** Math.round(Math.log2(ratio)) : ratio,
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
