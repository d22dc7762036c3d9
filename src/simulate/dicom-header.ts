import { createHash } from 'node:crypto';
import { element, sequence } from '../slide/dicom/elements.js';
import { TAG } from '../slide/dicom/tags.js';
import type { TilePlace } from './scan-writer.js';
import type { SourceLevel, SourceSlide } from './source.js';

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
    element(TAG.fileMetaInformationVersion, 'OB', Buffer.from([0, 1])),
    element(TAG.mediaStorageSopClassUid, 'UI', WHOLE_SLIDE),
    element(TAG.mediaStorageSopInstanceUid, 'UI', instance),
    element(TAG.transferSyntaxUid, 'UI', jpeg2000 ? JPEG_2000 : JPEG_BASELINE),
    element(TAG.implementationClassUid, 'UI', uid('stromaflow', 'implementation')),
  ]);
  const concatenation = [
    element(TAG.sopInstanceUidOfConcatenationSource, 'UI', id(`instance ${level}`)),
    element(TAG.concatenationUid, 'UI', id(`concatenation ${level}`)),
    element(TAG.inConcatenationNumber, 'US', part),
    element(TAG.inConcatenationTotalNumber, 'US', parts),
  ];
  return Buffer.concat([
    Buffer.alloc(128),
    Buffer.from('DICM'),
    element(TAG.fileMetaInformationGroupLength, 'UL', meta.length),
    meta,
    element(
      TAG.imageType,
      'CS',
      `${level === 0 ? 'ORIGINAL' : 'DERIVED'}\\PRIMARY\\VOLUME\\${level === 0 ? 'NONE' : 'RESAMPLED'}`,
    ),
    element(TAG.sopClassUid, 'UI', WHOLE_SLIDE),
    element(TAG.sopInstanceUid, 'UI', instance),
    element(TAG.modality, 'CS', 'SM'),
    element(TAG.studyInstanceUid, 'UI', id('study')),
    element(TAG.seriesInstanceUid, 'UI', id('series')),
    element(TAG.instanceNumber, 'IS', String(level + 1)),
    element(TAG.frameOfReferenceUid, 'UI', id('frame of reference')),
    ...(parts > 1 ? concatenation : []),
    ...(parts > 1 ? [element(TAG.concatenationFrameOffsetNumber, 'UL', file.before)] : []),
    element(TAG.dimensionOrganizationType, 'CS', file.full ? 'TILED_FULL' : 'TILED_SPARSE'),
    element(TAG.samplesPerPixel, 'US', geometry.samplesPerPixel),
    element(TAG.photometricInterpretation, 'CS', photometric),
    ...(geometry.samplesPerPixel > 1 ? [element(TAG.planarConfiguration, 'US', 0)] : []),
    element(TAG.numberOfFrames, 'IS', String(file.places.length)),
    element(TAG.rows, 'US', geometry.tileHeight),
    element(TAG.columns, 'US', geometry.tileWidth),
    element(TAG.bitsAllocated, 'US', 8),
    element(TAG.bitsStored, 'US', 8),
    element(TAG.highBit, 'US', 7),
    element(TAG.pixelRepresentation, 'US', 0),
    element(TAG.lossyImageCompression, 'CS', '01'),
    element(TAG.imagedVolumeWidth, 'FL', (geometry.width * mpp) / 1000),
    element(TAG.imagedVolumeHeight, 'FL', (geometry.height * mpp) / 1000),
    element(TAG.totalPixelMatrixColumns, 'UL', geometry.width),
    element(TAG.totalPixelMatrixRows, 'UL', geometry.height),
    sequence(TAG.totalPixelMatrixOriginSequence, [
      element(TAG.xOffsetInSlideCoordinateSystem, 'DS', '0'),
      element(TAG.yOffsetInSlideCoordinateSystem, 'DS', '0'),
    ]),
    element(TAG.imageOrientationSlide, 'DS', '0\\-1\\0\\-1\\0\\0'),
    opticalPath(geometry),
    element(TAG.numberOfOpticalPaths, 'UL', 1),
    element(TAG.totalPixelMatrixFocalPlanes, 'UL', 1),
    sharedGroups(mpp),
    ...(file.full
      ? []
      : [sequence(TAG.perFrameFunctionalGroupsSequence, ...file.places.map(place => [positionOf(geometry, place)]))]),
  ]);
}

function opticalPath({ tags }: SourceLevel): Buffer {
  const icc = tags.find(({ tag }) => tag === ICC_TAG);
  return sequence(TAG.opticalPathSequence, [
    ...(icc ? [element(TAG.iccProfile, 'OB', icc.bytes)] : []),
    element(TAG.opticalPathIdentifier, 'SH', '1'),
  ]);
}

/** @param mpp µm/px of this level; DICOM counts in mm. */
function sharedGroups(mpp: number): Buffer {
  const spacing = String(mpp / 1000).slice(0, 16);
  return sequence(TAG.sharedFunctionalGroupsSequence, [
    sequence(TAG.pixelMeasuresSequence, [
      element(TAG.sliceThickness, 'DS', '0.001'),
      element(TAG.pixelSpacing, 'DS', `${spacing}\\${spacing}`),
    ]),
  ]);
}

function positionOf({ tileWidth, tileHeight }: SourceLevel, { col, row }: TilePlace): Buffer {
  return sequence(TAG.planePositionSlideSequence, [
    element(TAG.xOffsetInSlideCoordinateSystem, 'DS', '0'),
    element(TAG.yOffsetInSlideCoordinateSystem, 'DS', '0'),
    element(TAG.zOffsetInSlideCoordinateSystem, 'DS', '0'),
    element(TAG.columnPositionInTotalImagePixelMatrix, 'SL', col * tileWidth + 1),
    element(TAG.rowPositionInTotalImagePixelMatrix, 'SL', row * tileHeight + 1),
  ]);
}
