import { createHash } from 'node:crypto';
import { element, sequence } from './dicom-elements.js';
import type { TilePlace } from './scan-writer.js';
import type { SourceLevel, SourceSlide } from './source-slide.js';

const WHOLE_SLIDE = '1.2.840.10008.5.1.4.1.1.77.1.6';
const JPEG_BASELINE = '1.2.840.10008.1.2.4.50';
const JPEG_2000 = '1.2.840.10008.1.2.4.91';
const ICC_TAG = 34675;

/** One instance file of a level, or a part of it. */
export interface DicomFile {
  readonly level: number;
  /** Frames, in the order of the file. */
  readonly places: readonly TilePlace[];
  /** Of the whole level: frames come row by row and none is left out. */
  readonly full: boolean;
  /** From 1; one part is no concatenation. */
  readonly part: number;
  readonly parts: number;
  /** Frames of the level in the parts before. */
  readonly before: number;
}

/** How the frames' samples are to be read (PS3.3, C.7.6.3.1.2). */
export type DicomPhotometric = 'RGB' | 'YBR_FULL_422' | 'YBR_FULL' | 'YBR_ICT' | 'MONOCHROME2';

/** The same name and purpose, the same UID, below the root for UUIDs (PS3.5, B.2). */
function uid(slide: string, purpose: string): string {
  const hex = createHash('sha256').update(`${slide}\n${purpose}`).digest('hex').slice(0, 32);
  return `2.25.${BigInt(`0x${hex}`)}`;
}

/** Everything in front of the pixel data: preamble, meta information, and the data set of a VL whole slide (PS3.3, A.32.8). */
export function dicomHeader(
  source: SourceSlide,
  mpp: number,
  jpeg2000: boolean,
  photometric: DicomPhotometric,
  file: DicomFile,
): Buffer {
  const { level, part, parts } = file;
  const geometry = source.levels[level]!;
  const id = (purpose: string) => uid(source.name, purpose);
  const instance = id(`instance ${level} ${part}`);
  const meta = Buffer.concat([
    element(0x00020001, 'OB', Buffer.from([0, 1])),
    element(0x00020002, 'UI', WHOLE_SLIDE),
    element(0x00020003, 'UI', instance),
    element(0x00020010, 'UI', jpeg2000 ? JPEG_2000 : JPEG_BASELINE),
    element(0x00020012, 'UI', uid('stromaflow', 'implementation')),
  ]);
  const concatenation = [
    element(0x00209161, 'UI', id(`concatenation ${level}`)),
    element(0x00209162, 'US', part),
    element(0x00209163, 'US', parts),
  ];
  return Buffer.concat([
    Buffer.alloc(128),
    Buffer.from('DICM'),
    element(0x00020000, 'UL', meta.length),
    meta,
    element(
      0x00080008,
      'CS',
      `${level === 0 ? 'ORIGINAL' : 'DERIVED'}\\PRIMARY\\VOLUME\\${level === 0 ? 'NONE' : 'RESAMPLED'}`,
    ),
    element(0x00080016, 'UI', WHOLE_SLIDE),
    element(0x00080018, 'UI', instance),
    element(0x00080060, 'CS', 'SM'),
    element(0x0020000d, 'UI', id('study')),
    element(0x0020000e, 'UI', id('series')),
    element(0x00200013, 'IS', String(level + 1)),
    element(0x00200052, 'UI', id('frame of reference')),
    ...(parts > 1 ? concatenation : []),
    ...(parts > 1 ? [element(0x00209228, 'UL', file.before)] : []),
    element(0x00209311, 'CS', file.full ? 'TILED_FULL' : 'TILED_SPARSE'),
    element(0x00280002, 'US', geometry.samplesPerPixel),
    element(0x00280004, 'CS', photometric),
    ...(geometry.samplesPerPixel > 1 ? [element(0x00280006, 'US', 0)] : []),
    element(0x00280008, 'IS', String(file.places.length)),
    element(0x00280010, 'US', geometry.tileHeight),
    element(0x00280011, 'US', geometry.tileWidth),
    element(0x00280100, 'US', 8),
    element(0x00280101, 'US', 8),
    element(0x00280102, 'US', 7),
    element(0x00280103, 'US', 0),
    element(0x00282110, 'CS', '01'),
    element(0x00480001, 'FL', (geometry.width * mpp) / 1000),
    element(0x00480002, 'FL', (geometry.height * mpp) / 1000),
    element(0x00480006, 'UL', geometry.width),
    element(0x00480007, 'UL', geometry.height),
    element(0x00480102, 'DS', '0\\-1\\0\\-1\\0\\0'),
    opticalPath(geometry),
    element(0x00480302, 'UL', 1),
    element(0x00480303, 'UL', 1),
    sharedGroups(mpp),
    ...(file.full ? [] : [sequence(0x52009230, ...file.places.map(place => [positionOf(geometry, place)]))]),
  ]);
}

function opticalPath({ tags }: SourceLevel): Buffer {
  const icc = tags.find(({ tag }) => tag === ICC_TAG);
  return sequence(0x00480105, [...(icc ? [element(0x00282000, 'OB', icc.bytes)] : []), element(0x00480106, 'SH', '1')]);
}

/** @param mpp µm/px of this level; DICOM counts in mm. */
function sharedGroups(mpp: number): Buffer {
  const spacing = String(mpp / 1000).slice(0, 16);
  return sequence(0x52009229, [
    sequence(0x00289110, [element(0x00180050, 'DS', '0.001'), element(0x00280030, 'DS', `${spacing}\\${spacing}`)]),
  ]);
}

function positionOf({ tileWidth, tileHeight }: SourceLevel, { col, row }: TilePlace): Buffer {
  return sequence(0x0048021a, [
    element(0x0040072a, 'DS', '0'),
    element(0x0040073a, 'DS', '0'),
    element(0x0040074a, 'DS', '0'),
    element(0x0048021e, 'SL', col * tileWidth + 1),
    element(0x0048021f, 'SL', row * tileHeight + 1),
  ]);
}
