import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { PatchPlan } from '../read/patch.js';
import { decimal, element, nativeHead, sequence } from '../slide/dicom/elements.js';
import type { SegmentedSeries } from '../slide/dicom/segmented-series.js';
import { TAG } from '../slide/dicom/tags.js';
import { VERSION } from '../version.js';
import { PARTIAL, withOutputErrors, writeFinal } from './final-file.js';
import type { SlideSummary } from './summary.js';
import type { StoredMask } from './zarr.js';
import type { StoredLevel } from './zarr-metadata.js';

export type { SegmentedSeries } from '../slide/dicom/segmented-series.js';

/** Folder of the segmentation's instances, one a resolution. */
export const DICOM_SEG = 'mask.dicom';

const SEGMENTATION = '1.2.840.10008.5.1.4.1.1.66.4';
const WHOLE_SLIDE = '1.2.840.10008.5.1.4.1.1.77.1.6';
const EXPLICIT_LITTLE_ENDIAN = '1.2.840.10008.1.2.1';

/** Above this share of patches with stroma all frames are written, in order, and none states its place. */
const DENSE_SHARE = 0.5;
/** A level of the slide that a resolution of the mask is of: their sizes may differ by this. */
const SAME_LEVEL = 0.02;

/** One resolution, and the slide's level that it has the spacing of. */
interface Resolution {
  readonly level: StoredLevel;
  readonly sources: readonly string[];
}

/** Whether the masks' spacing is that of a level of the slide: viewers show any other shifted, or not at all. */
export const isSegmentable = ({ scale, downsample }: PatchPlan, { levels }: SegmentedSeries): boolean =>
  scale === 1 && levels.some(level => Math.abs(level.downsample / downsample - 1) <= SAME_LEVEL);

/** Resolutions of the mask that are of a level of the slide, the finest first. */
function segmentedLevels(plan: PatchPlan, mask: StoredMask, source: SegmentedSeries): Resolution[] {
  const found = mask.levels.flatMap(level => {
    const wanted = plan.downsample * level.factor;
    const same = source.levels.find(({ downsample }) => Math.abs(downsample / wanted - 1) <= SAME_LEVEL);
    return same ? [{ level, sources: same.instances }] : [];
  });
  return isSegmentable(plan, source) ? found : [];
}

/**
 * Writes the mask as DICOM segmentations (PS3.3, A.51): BINARY, one segment, an instance for each resolution that is one of the
 * slide's levels. TILED_FULL where at least half of the patches have stroma, else TILED_SPARSE with those that have. The patient's module is empty: whoever
 * stores them fills it in from the slide's.
 *
 * @returns instances written.
 * @throws OUTPUT_FULL, OUTPUT_FAILED
 */
export function writeDicomSeg(
  folder: string,
  plan: PatchPlan,
  mask: StoredMask,
  source: SegmentedSeries,
  summary: Pick<SlideSummary, 'slide' | 'model' | 'updatedAt'>,
): number {
  const resolutions = segmentedLevels(plan, mask, source);
  const into = join(folder, DICOM_SEG);
  if (resolutions.length > 0) withOutputErrors(into, () => mkdirSync(into, { recursive: true }));
  for (const [number, resolution] of resolutions.entries())
    writeFinal(
      into,
      `level-${number}.dcm`,
      put => writeInstance(put, { plan, mask, source, summary, number, ...resolution }),
      join(folder, PARTIAL),
    );
  return resolutions.length;
}

interface Instance extends Resolution {
  readonly plan: PatchPlan;
  readonly mask: StoredMask;
  readonly source: SegmentedSeries;
  readonly summary: Pick<SlideSummary, 'slide' | 'model' | 'updatedAt'>;
  readonly number: number;
}

function writeInstance(put: (data: Uint8Array) => void, instance: Instance): void {
  const { mask, level } = instance;
  const [cols, rows] = [Math.ceil(level.width / level.chunk), Math.ceil(level.height / level.chunk)];
  const all = Array.from({ length: cols * rows }, (_, at) => [at % cols, Math.floor(at / cols)] as const);
  const masked = all.filter(([col, row]) => mask.has(level, col, row));
  const full = masked.length >= DENSE_SHARE * all.length;
  // An object without a frame is none: the first patch stands for a mask that is clear.
  const frames = full ? all : masked.length > 0 ? masked : all.slice(0, 1);
  const bytes = (level.chunk ** 2 / 8) * frames.length;
  put(header(instance, frames, full));
  put(nativeHead(bytes + (bytes % 2)));
  for (const [col, row] of frames) put(packed(mask.raster(level, col, row), level.chunk));
  if (bytes % 2 === 1) put(Buffer.alloc(1));
}

/** Least significant bit first, frame after frame (PS3.5, 8.1.1); a frame of our masks is whole bytes. */
function packed(raster: Uint8Array | undefined, side: number): Uint8Array {
  const out = new Uint8Array(side ** 2 / 8);
  if (raster) for (let i = 0; i < raster.length; i++) if (raster[i] === 1) out[i >> 3]! |= 1 << (i & 7);
  return out;
}

type Place = readonly [col: number, row: number];

function header(instance: Instance, frames: readonly Place[], full: boolean): Buffer {
  const { plan, source, summary, level, sources, number } = instance;
  const id = (purpose: string): string => uid(`${source.series}\n${summary.model}\n${summary.updatedAt}\n${purpose}`);
  const sop = id(`instance ${number}`);
  const organization = id('dimensions');
  const [date, time] = stamp(summary.updatedAt);
  const spacing = { x: (plan.axes?.x ?? plan.mpp) * level.factor, y: (plan.axes?.y ?? plan.mpp) * level.factor };
  const meta = Buffer.concat([
    element(TAG.fileMetaInformationVersion, 'OB', Buffer.from([0, 1])),
    element(TAG.mediaStorageSopClassUid, 'UI', SEGMENTATION),
    element(TAG.mediaStorageSopInstanceUid, 'UI', sop),
    element(TAG.transferSyntaxUid, 'UI', EXPLICIT_LITTLE_ENDIAN),
    element(TAG.implementationClassUid, 'UI', uid('stromaflow implementation')),
  ]);
  const dataSet = [
    element(TAG.imageType, 'CS', 'DERIVED\\PRIMARY'),
    element(TAG.sopClassUid, 'UI', SEGMENTATION),
    element(TAG.sopInstanceUid, 'UI', sop),
    element(TAG.pyramidUid, 'UI', id('pyramid')),
    element(TAG.studyDate, 'DA', ''),
    element(TAG.contentDate, 'DA', date),
    element(TAG.studyTime, 'TM', ''),
    element(TAG.contentTime, 'TM', time),
    element(TAG.accessionNumber, 'SH', ''),
    element(TAG.modality, 'CS', 'SEG'),
    element(TAG.manufacturer, 'LO', 'Stromaflow'),
    element(TAG.referringPhysicianName, 'PN', ''),
    element(TAG.seriesDescription, 'LO', 'Tumor-associated stroma'),
    element(TAG.manufacturerModelName, 'LO', summary.model.slice(0, 64)),
    sequence(TAG.referencedSeriesSequence, [
      sequence(
        TAG.referencedInstanceSequence,
        ...sources.map(of => [
          element(TAG.referencedSopClassUid, 'UI', WHOLE_SLIDE),
          element(TAG.referencedSopInstanceUid, 'UI', of),
        ]),
      ),
      element(TAG.seriesInstanceUid, 'UI', source.series),
    ]),
    element(TAG.patientName, 'PN', ''),
    element(TAG.patientId, 'LO', ''),
    element(TAG.patientBirthDate, 'DA', ''),
    element(TAG.patientSex, 'CS', ''),
    element(TAG.sliceThickness, 'DS', '0.001'),
    element(TAG.deviceSerialNumber, 'LO', '0'),
    element(TAG.softwareVersions, 'LO', VERSION),
    element(TAG.studyInstanceUid, 'UI', source.study),
    element(TAG.seriesInstanceUid, 'UI', id('series')),
    element(TAG.studyId, 'SH', ''),
    element(TAG.seriesNumber, 'IS', '1'),
    element(TAG.instanceNumber, 'IS', String(number + 1)),
    element(TAG.frameOfReferenceUid, 'UI', source.frameOfReference),
    element(TAG.positionReferenceIndicator, 'LO', 'SLIDE_CORNER'),
    sequence(TAG.dimensionOrganizationSequence, [element(TAG.dimensionOrganizationUid, 'UI', organization)]),
    ...(full ? [] : [dimensions(organization)]),
    element(TAG.dimensionOrganizationType, 'CS', full ? 'TILED_FULL' : 'TILED_SPARSE'),
    element(TAG.samplesPerPixel, 'US', 1),
    element(TAG.photometricInterpretation, 'CS', 'MONOCHROME2'),
    element(TAG.numberOfFrames, 'IS', String(frames.length)),
    element(TAG.rows, 'US', level.chunk),
    element(TAG.columns, 'US', level.chunk),
    element(TAG.bitsAllocated, 'US', 1),
    element(TAG.bitsStored, 'US', 1),
    element(TAG.highBit, 'US', 0),
    element(TAG.pixelRepresentation, 'US', 0),
    element(TAG.lossyImageCompression, 'CS', '00'),
    element(TAG.imagedVolumeWidth, 'FL', (level.width * spacing.x) / 1000),
    element(TAG.imagedVolumeHeight, 'FL', (level.height * spacing.y) / 1000),
    element(TAG.totalPixelMatrixColumns, 'UL', level.width),
    element(TAG.totalPixelMatrixRows, 'UL', level.height),
    sequence(TAG.totalPixelMatrixOriginSequence, [
      element(TAG.xOffsetInSlideCoordinateSystem, 'DS', decimal(source.origin.x)),
      element(TAG.yOffsetInSlideCoordinateSystem, 'DS', decimal(source.origin.y)),
    ]),
    element(TAG.imageOrientationSlide, 'DS', source.orientation.map(decimal).join('\\')),
    element(TAG.totalPixelMatrixFocalPlanes, 'UL', 1),
    element(TAG.segmentationType, 'CS', 'BINARY'),
    sequence(TAG.segmentSequence, [
      sequence(TAG.segmentedPropertyCategoryCodeSequence, code('85756007', 'Tissue')),
      element(TAG.segmentNumber, 'US', 1),
      element(TAG.segmentLabel, 'LO', 'Tumor-associated stroma'),
      element(TAG.segmentAlgorithmType, 'CS', 'AUTOMATIC'),
      element(TAG.segmentAlgorithmName, 'LO', summary.model.slice(0, 64)),
      // Stroma has no code in DICOM's lists; it is connective tissue, and the label says of what.
      sequence(TAG.segmentedPropertyTypeCodeSequence, code('21793004', 'Connective tissue')),
    ]),
    element(TAG.segmentsOverlap, 'CS', 'NO'),
    element(TAG.contentLabel, 'CS', 'STROMA'),
    element(TAG.contentDescription, 'LO', 'Tumor-associated stroma'),
    element(TAG.contentCreatorName, 'PN', ''),
    sequence(TAG.sharedFunctionalGroupsSequence, [
      sequence(TAG.pixelMeasuresSequence, [
        element(TAG.sliceThickness, 'DS', '0.001'),
        element(TAG.pixelSpacing, 'DS', `${decimal(spacing.y / 1000)}\\${decimal(spacing.x / 1000)}`),
      ]),
      sequence(TAG.segmentIdentificationSequence, [element(TAG.referencedSegmentNumber, 'US', 1)]),
    ]),
    ...(full ? [] : [places(frames, level.chunk, source, spacing)]),
  ];
  return Buffer.concat([
    Buffer.alloc(128),
    Buffer.from('DICM', 'latin1'),
    element(TAG.fileMetaInformationGroupLength, 'UL', meta.length),
    meta,
    ...dataSet.toSorted((a, b) => order(a) - order(b)),
  ]);
}

/** Elements lie in the order of their tags. */
const order = (bytes: Buffer): number => bytes.readUInt16LE(0) * 2 ** 16 + bytes.readUInt16LE(2);

function dimensions(organization: string): Buffer {
  const index = (pointer: number, group: number): Buffer[] => [
    element(TAG.dimensionOrganizationUid, 'UI', organization),
    element(TAG.dimensionIndexPointer, 'AT', pointer),
    element(TAG.functionalGroupPointer, 'AT', group),
  ];
  return sequence(
    TAG.dimensionIndexSequence,
    index(TAG.referencedSegmentNumber, TAG.segmentIdentificationSequence),
    index(TAG.rowPositionInTotalImagePixelMatrix, TAG.planePositionSlideSequence),
    index(TAG.columnPositionInTotalImagePixelMatrix, TAG.planePositionSlideSequence),
  );
}

/** Where each frame lies: in the matrix, and on the glass (PS3.3, C.8.12.6.1 and C.7.6.16.2.1). */
function places(
  frames: readonly Place[],
  side: number,
  { origin, orientation }: SegmentedSeries,
  spacing: { readonly x: number; readonly y: number },
): Buffer {
  const [cols, rows] = [0, 1].map(axis => [...new Set(frames.map(place => place[axis]!))].sort((a, b) => a - b)) as [
    number[],
    number[],
  ];
  const [acrossX, acrossY, , downX, downY] = orientation as [number, number, number, number, number, number];
  return sequence(
    TAG.perFrameFunctionalGroupsSequence,
    ...frames.map(([col, row]) => {
      const [across, down] = [(col * side * spacing.x) / 1000, (row * side * spacing.y) / 1000];
      return [
        sequence(TAG.frameContentSequence, [
          element(TAG.dimensionIndexValues, 'UL', [1, rows.indexOf(row) + 1, cols.indexOf(col) + 1]),
        ]),
        sequence(TAG.planePositionSlideSequence, [
          element(TAG.xOffsetInSlideCoordinateSystem, 'DS', decimal(origin.x + across * acrossX + down * downX)),
          element(TAG.yOffsetInSlideCoordinateSystem, 'DS', decimal(origin.y + across * acrossY + down * downY)),
          element(TAG.zOffsetInSlideCoordinateSystem, 'DS', '0'),
          element(TAG.columnPositionInTotalImagePixelMatrix, 'SL', col * side + 1),
          element(TAG.rowPositionInTotalImagePixelMatrix, 'SL', row * side + 1),
        ]),
      ];
    }),
  );
}

const code = (value: string, meaning: string): Buffer[] => [
  element(TAG.codeValue, 'SH', value),
  element(TAG.codingSchemeDesignator, 'SH', 'SCT'),
  element(TAG.codeMeaning, 'LO', meaning),
];

/** The same text, the same UID, below the root for UUIDs (PS3.5, B.2). */
function uid(text: string): string {
  return `2.25.${BigInt(`0x${createHash('sha256').update(text).digest('hex').slice(0, 32)}`)}`;
}

/** DA and TM of an RFC 3339 time. */
function stamp(time: string): readonly [date: string, time: string] {
  const digits = time.replace(/\D/g, '');
  return [digits.slice(0, 8), digits.slice(8, 14)];
}
