import type { Wanted } from './data-set.js';
import { TAG } from './tags.js';
import { asInt32, asNumbers, asText, asUint16, asUint32 } from './values.js';

/** Where a table of 64-bit numbers lies in the data set. */
export interface TableAt {
  readonly at: number;
  readonly length: number;
}

/** What is read of an instance; everything else of it, patient attributes first, is skipped unread. */
export interface Facts {
  sopClass: string;
  flavour: string;
  /** Its pixels were reduced from those of a finer level (value 4 of Image Type). */
  resampled: boolean;
  /** UIDs; they stay inside the reader. */
  series: string;
  instance: string;
  instanceNumber: number;
  scanner: string;
  objective: string;
  hasIcc: boolean;
  tiledFull: boolean;
  samplesPerPixel: number;
  photometric: string;
  planar: boolean;
  frames: number;
  rows: number;
  columns: number;
  bitsAllocated: number;
  signed: boolean;
  matrixColumns: number;
  matrixRows: number;
  /** mm: between rows, between columns. */
  spacing: number[];
  concatenation: string;
  part: number;
  parts: number;
  frameOffset: number;
  /** Column and row of each frame's first pixel in the total matrix, from 1, alternating. */
  positions: number[];
  offsetTable: TableAt | undefined;
  lengthTable: TableAt | undefined;
}

/** Frames whose positions are kept while they are read; bounds what a damaged file can make us allocate. */
export const MAX_FRAMES = 2 ** 22;

export function newFacts(): Facts {
  return {
    sopClass: '',
    flavour: '',
    resampled: false,
    series: '',
    instance: '',
    instanceNumber: 0,
    scanner: '',
    objective: '',
    hasIcc: false,
    tiledFull: false,
    samplesPerPixel: 1,
    photometric: '',
    planar: false,
    frames: 1,
    rows: 0,
    columns: 0,
    bitsAllocated: 8,
    signed: false,
    matrixColumns: 0,
    matrixRows: 0,
    spacing: [],
    concatenation: '',
    part: 0,
    parts: 0,
    frameOffset: 0,
    positions: [],
    offsetTable: undefined,
    lengthTable: undefined,
  };
}

/** Attributes of the VL Whole Slide Microscopy Image IOD (PS3.3, A.32.8). */
export function wantedFacts(facts: Facts): Wanted {
  const measures: Wanted = {
    values: {
      [TAG.pixelSpacing]: bytes => {
        if (facts.spacing.length === 0) facts.spacing = asNumbers(bytes);
      },
    },
  };
  const opticalPath: Wanted = {
    values: {
      [TAG.iccProfile]: () => {
        facts.hasIcc = true;
      },
      [TAG.objectiveLensPower]: bytes => {
        facts.objective ||= asText(bytes);
      },
    },
  };
  return {
    values: {
      [TAG.imageType]: bytes => {
        const values = asText(bytes).split('\\');
        facts.flavour = values[2] ?? '';
        facts.resampled = values[3] === 'RESAMPLED';
      },
      [TAG.sopClassUid]: bytes => {
        facts.sopClass = asText(bytes);
      },
      [TAG.manufacturerModelName]: bytes => {
        facts.scanner = asText(bytes);
      },
      [TAG.seriesInstanceUid]: bytes => {
        facts.series = asText(bytes);
      },
      [TAG.instanceNumber]: bytes => {
        facts.instanceNumber = asNumbers(bytes)[0] ?? 0;
      },
      [TAG.concatenationUid]: bytes => {
        facts.concatenation = asText(bytes);
      },
      [TAG.inConcatenationNumber]: bytes => {
        facts.part = asUint16(bytes);
      },
      [TAG.inConcatenationTotalNumber]: bytes => {
        facts.parts = asUint16(bytes);
      },
      [TAG.concatenationFrameOffsetNumber]: bytes => {
        facts.frameOffset = asUint32(bytes);
      },
      [TAG.dimensionOrganizationType]: bytes => {
        facts.tiledFull = asText(bytes) === 'TILED_FULL';
      },
      [TAG.samplesPerPixel]: bytes => {
        facts.samplesPerPixel = asUint16(bytes);
      },
      [TAG.photometricInterpretation]: bytes => {
        facts.photometric = asText(bytes);
      },
      [TAG.planarConfiguration]: bytes => {
        facts.planar = asUint16(bytes) === 1;
      },
      [TAG.numberOfFrames]: bytes => {
        facts.frames = asNumbers(bytes)[0] ?? 0;
      },
      [TAG.rows]: bytes => {
        facts.rows = asUint16(bytes);
      },
      [TAG.columns]: bytes => {
        facts.columns = asUint16(bytes);
      },
      [TAG.bitsAllocated]: bytes => {
        facts.bitsAllocated = asUint16(bytes);
      },
      [TAG.pixelRepresentation]: bytes => {
        facts.signed = asUint16(bytes) === 1;
      },
      [TAG.totalPixelMatrixColumns]: bytes => {
        facts.matrixColumns = asUint32(bytes);
      },
      [TAG.totalPixelMatrixRows]: bytes => {
        facts.matrixRows = asUint32(bytes);
      },
    },
    sequences: {
      [TAG.opticalPathSequence]: () => opticalPath,
      [TAG.sharedFunctionalGroupsSequence]: () => ({ sequences: { [TAG.pixelMeasuresSequence]: () => measures } }),
      [TAG.perFrameFunctionalGroupsSequence]: frame => ({
        sequences: {
          [TAG.pixelMeasuresSequence]: () => measures,
          [TAG.planePositionSlideSequence]: () => position(facts, frame),
        },
      }),
    },
  };
}

/** Plane Position (Slide) of one frame. */
function position({ positions }: Facts, frame: number): Wanted {
  if (frame >= MAX_FRAMES) return {};
  // A frame without a position leaves a place outside of every grid.
  while (positions.length < frame * 2 + 2) positions.push(0);
  return {
    values: {
      [TAG.columnPositionInTotalImagePixelMatrix]: bytes => {
        positions[frame * 2] = asInt32(bytes);
      },
      [TAG.rowPositionInTotalImagePixelMatrix]: bytes => {
        positions[frame * 2 + 1] = asInt32(bytes);
      },
    },
  };
}
