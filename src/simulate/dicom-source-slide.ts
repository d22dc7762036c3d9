import { type FileHandle, open } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { StromaflowError } from '../errors.js';
import type { DicomDescription, DicomLevel } from '../slide/dicom/description.js';
import { joinFragments } from '../slide/dicom/frames.js';
import { readDicomFacts } from '../slide/dicom/open-dicom.js';
import { meanSpacing } from '../slide/slide-facts.js';
import type { SourceLevel, SourceSlide } from './source.js';
import type { TiffTag } from './tiff-tags.js';

const SHORT = 3;
const LONG = 4;
const RATIONAL = 5;

/**
 * A DICOM slide for its frames, as a plain TIFF would describe them.
 *
 * @param path an instance or the folder of all.
 * @throws SLIDE_UNREADABLE, SLIDE_TRUNCATED, SLIDE_UNSUPPORTED (frames that are deflated, grey or stored by plane)
 */
export async function openDicomSource(path: string, mpp?: number): Promise<SourceSlide> {
  const facts = await readDicomFacts(path);
  const spacing = mpp ?? meanSpacing(facts.mpp);
  const geometry = facts.levels.map(level => ({ ...level, mpp: (spacing ?? 1) * level.downsample }));
  const { levels, files } = facts.describe(geometry) as DicomDescription;
  const described = levels.map((level, index) => describeLevel(path, level, index, spacing));
  if (files.some(({ deflatedFrom }) => deflatedFrom !== undefined)) throw unsupported(path, 'a deflated data set');
  const handles: (FileHandle | undefined)[] = [];
  return {
    name: basename(path, extname(path)),
    extension: '.tif',
    big: false,
    mpp: spacing,
    levels: described,
    read: async (level, index) => {
      const { parts, starts, ends, encapsulated } = levels[level]!;
      const part = parts[index]!;
      handles[part] ??= await open(files[part]!.path);
      const bytes = Buffer.alloc(ends[index]! - starts[index]!);
      const { bytesRead } = await handles[part].read(bytes, 0, bytes.length, starts[index]!);
      const frame = encapsulated ? joinFragments(bytes) : bytes;
      if (bytesRead < bytes.length || !frame)
        throw new StromaflowError('SLIDE_TRUNCATED', `${path}: changed while it was read`);
      return frame;
    },
    close: async () => {
      for (const handle of handles) await handle?.close();
    },
  };
}

function describeLevel(path: string, level: DicomLevel, index: number, spacing: number | undefined): SourceLevel {
  const { width, height, tileWidth, tileHeight, cols, rows, codec, parts, starts, ends, samplesPerPixel } = level;
  if (codec === 'deflate' || level.planar || samplesPerPixel !== 3 || (codec === 'none' && level.photometric !== 'RGB'))
    throw unsupported(path, `${codec} frames of this kind`);
  const jpeg2000 = level.photometric === 'YBR_FULL' ? 33003 : 33005;
  const compression = { none: 1, jpeg: 7, jpeg2000 }[codec];
  const photometric = codec === 'jpeg' && level.photometric !== 'RGB' ? 6 : 2;
  const perCentimetre = spacing === undefined ? undefined : Math.round((10_000 / (spacing * level.downsample)) * 1000);
  return {
    width,
    height,
    tileWidth,
    tileHeight,
    tiled: true,
    cols,
    rows,
    compression,
    photometric,
    samplesPerPixel,
    predictor: 1,
    jpegTables: undefined,
    // Fragments' heads are counted too: an upper bound, as the sizes of files to come need it.
    byteCounts: Float64Array.from(starts, (start, tile) => (parts[tile]! < 0 ? 0 : ends[tile]! - start)),
    tags: [
      ...(index > 0 ? [numbers(254, LONG, [1])] : []),
      numbers(256, LONG, [width]),
      numbers(257, LONG, [height]),
      numbers(258, SHORT, [8, 8, 8]),
      numbers(259, SHORT, [compression]),
      numbers(262, SHORT, [photometric]),
      numbers(277, SHORT, [3]),
      ...(perCentimetre === undefined
        ? []
        : [282, 283].map(tag => ({ ...numbers(tag, LONG, [perCentimetre, 1000]), type: RATIONAL, count: 1 }))),
      numbers(284, SHORT, [1]),
      ...(perCentimetre === undefined ? [] : [numbers(296, SHORT, [3])]),
      numbers(322, LONG, [tileWidth]),
      numbers(323, LONG, [tileHeight]),
    ],
    stored: (col, row) => parts[row * cols + col]! >= 0,
  };
}

function numbers(tag: number, type: number, values: readonly number[]): TiffTag {
  const array = type === SHORT ? Uint16Array.from(values) : Uint32Array.from(values);
  return { tag, type, count: values.length, bytes: Buffer.from(array.buffer) };
}

const unsupported = (path: string, what: string) =>
  new StromaflowError('SLIDE_UNSUPPORTED', `${path}: ${what} cannot be played; JPEG, JPEG 2000 and plain colour can`);
