import type { LevelGeometry } from '../slide.js';
import type { FrameCodec } from './transfer-syntax.js';

export const DICOM_KIND = 'dicom';

/** One file of a slide as reader threads need it. */
export interface DicomPart {
  readonly path: string;
  /** Where a deflated data set starts; frames are then counted in what comes out of it. */
  readonly deflatedFrom: number | undefined;
}

/** The frames of one level: where each one lies, and how it is stored. */
export interface DicomGrid {
  readonly cols: number;
  readonly rows: number;
  /** By tile, row by row, on shared memory: which part holds it (−1: none), and the bytes of its frame there. */
  readonly parts: Int32Array;
  readonly starts: Float64Array;
  readonly ends: Float64Array;
  readonly codec: FrameCodec;
  /** Frames lie in items. */
  readonly encapsulated: boolean;
  readonly samplesPerPixel: number;
  readonly planar: boolean;
  readonly photometric: string;
}

/** One level as a reader thread needs it. */
export interface DicomLevel extends LevelGeometry, DicomGrid {}

/** The files of a slide by number; of one that grows they become more. An array is one. */
export interface PartList {
  at(part: number): DicomPart | undefined;
}

/** What a reader thread reads frames by. */
export interface DicomFrames {
  readonly levels: readonly DicomLevel[];
  readonly files: PartList;
}

/** Description of a DICOM slide for the reader threads. A type, so that it fits TileSourceDescription. */
export type DicomDescription = {
  readonly kind: typeof DICOM_KIND;
  readonly path: string;
  readonly files: readonly DicomPart[];
  /** Ties the slide to the run that began while it grew (docs/decisions/0007-growing-identity.md). */
  readonly identity: string;
  readonly levels: readonly DicomLevel[];
};
