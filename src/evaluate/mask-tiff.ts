import { type FileHandle, open } from 'node:fs/promises';
import { COMPRESSION } from '../codec/tile-coding.js';
import { StromaflowError, toStromaflowError } from '../errors.js';
import type { TiffPage } from '../slide/tiff/page.js';
import type { LabelFrame, LabelReading, LabelSource } from './label-source.js';
import { IGNORED, LABEL_MEANINGS, type LabelMap } from './labels.js';
import { alignMask } from './mask-alignment.js';
import { gridOf, type MaskLevel, type MaskPyramid, readMaskLevels } from './mask-levels.js';
import { levelAreaOf, type MaskSampling, maskIndices, samplingOf } from './mask-sampling.js';
import { MaskTiles } from './mask-tiles.js';

/** Labels are numbers: what changes a pixel's value (JPEG, JPEG 2000, WebP) cannot hold them. */
const LOSSY: readonly number[] = [
  6,
  COMPRESSION.jpeg,
  COMPRESSION.j2kYCbCr,
  COMPRESSION.j2kRgb,
  COMPRESSION.j2k,
  50001,
];
const READ: readonly number[] = [
  COMPRESSION.none,
  COMPRESSION.lzw,
  COMPRESSION.deflate,
  COMPRESSION.adobeDeflate,
  COMPRESSION.packBits,
];
const MAX_TILE_PIXELS = 1 << 26;
/** As many in RGB. */
const MAX_TILE_BYTES = 3 * MAX_TILE_PIXELS;

/**
 * Opens a whole-slide mask: tiled or striped TIFF or BigTIFF, 8 bits a sample, one sample a pixel (grey or palette: the stored
 * number is the label) or RGB with a colour table; uncompressed, LZW, deflate or PackBits. Tiles the file does not store are value
 * 0 where that is a declared class, else unlabelled. It lies on its picture by its spacing, as alignMask says. The pyramid's coarser levels are used only where a label pixel would
 * be a quarter of a patch pixel or less: tools blend labels when they shrink them.
 * @throws LABELS_INVALID when it cannot be read or does not fit its picture.
 */
export async function openMaskTiff(
  path: string,
  map: LabelMap,
  frame: LabelFrame,
  reading: LabelReading = {},
): Promise<LabelSource> {
  const { pyramid, file } = await openFile(path);
  try {
    const levels = pyramid.levels.filter(({ page }, i) => i === 0 || !unreadableMask(page, map));
    const [first] = levels;
    const problem = first ? unreadableMask(first.page, map) : 'it holds no mask';
    if (problem || !first) throw new StromaflowError('LABELS_INVALID', `${path}: ${problem ?? 'it holds no mask'}`);
    const alignment = alignMask(path, { ...gridOf(first.page), spacing: pyramid.spacing }, frame, reading);
    const sampling = samplingOf(alignment, frame);
    const covered = levelAreaOf(alignment.covered, frame);
    const tiles = new MaskTiles(path, file, map);
    return {
      facts: { classes: [], leftOut: {}, notes: [...alignment.notes, ...absentNotes(first, map)] },
      ...(covered && { covered }),
      read: async (window, into) => {
        const level = chooseLevel(levels, sampling, window.step);
        const { columns, rows } = maskIndices(window, sampling, level.page, level.factor);
        return tiles.sample(level, columns, rows, window.side, into);
      },
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Says what became of tiles that are not stored, unless they are value 0 and that takes no part. */
function absentNotes({ byteCounts, page }: MaskLevel, map: LabelMap): string[] {
  const tiles = Math.ceil(page.width / page.tileWidth) * Math.ceil(page.height / page.tileHeight);
  const absent = byteCounts.subarray(0, tiles).reduce((sum, bytes) => sum + (bytes === 0 ? 1 : 0), 0);
  if (absent === 0 || map.meanings[0] === IGNORED) return [];
  const what = `${absent} of its ${tiles} tiles ${absent === 1 ? 'is' : 'are'} not stored`;
  const { name } = map.classes.find(({ value }) => value === 0) ?? {};
  if (name !== undefined) return [`${what}: taken as value 0, ${name} (${LABEL_MEANINGS[map.meanings[0]!]})`];
  return [
    `${what}: unlabelled there; where that is how it writes value 0, declare it: list 0 and the other values in --negative`,
  ];
}

async function openFile(path: string): Promise<{ pyramid: MaskPyramid; file: FileHandle }> {
  try {
    return { pyramid: readMaskLevels(path), file: await open(path) };
  } catch (error) {
    const { message } = toStromaflowError(error);
    throw new StromaflowError('LABELS_INVALID', message.startsWith(path) ? message : `${path}: ${message}`, {
      cause: error,
    });
  }
}

function unreadableMask(page: TiffPage, map: LabelMap): string | undefined {
  const { samplesPerPixel: samples, compression } = page;
  if (page.bitsPerSample.some(bits => bits !== 8)) return `its samples have ${page.bitsPerSample[0]} bits, not 8`;
  if (LOSSY.includes(compression)) return `compression ${compression} cannot hold labels`;
  if (!READ.includes(compression))
    return `compression ${compression} is not read in masks: save it with LZW or deflate`;
  if (samples !== 1 && (samples < 3 || map.colours.size === 0)) return 'it is coloured, and no colour table is given';
  if (samples !== 1 && page.planarConfiguration !== 1) return 'separate colour planes are not supported';
  const area = page.tileWidth * page.tileHeight;
  if (area > MAX_TILE_PIXELS || area * samples > MAX_TILE_BYTES) return 'its tiles are too large to stream';
  return undefined;
}

/** The coarsest level whose pixel is at most a quarter of the window's, else the finest. */
function chooseLevel(levels: readonly MaskLevel[], { scale }: MaskSampling, step: number): MaskLevel {
  return levels.findLast(({ factor }) => (step * Math.max(scale.x, scale.y)) / factor >= 4) ?? levels[0]!;
}
