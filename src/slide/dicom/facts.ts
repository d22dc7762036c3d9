import type { Wanted } from './data-set.js';
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
      2621488: bytes => {
        if (facts.spacing.length === 0) facts.spacing = asNumbers(bytes);
      },
    },
  };
  const opticalPath: Wanted = {
    values: {
      2629632: () => {
        facts.hasIcc = true;
      },
      4718866: bytes => {
        facts.objective ||= asText(bytes);
      },
    },
  };
  return {
    values: {
      524296: bytes => {
        facts.flavour = asText(bytes).split('\\')[2] ?? '';
      },
      524310: bytes => {
        facts.sopClass = asText(bytes);
      },
      528528: bytes => {
        facts.scanner = asText(bytes);
      },
      2097166: bytes => {
        facts.series = asText(bytes);
      },
      2097171: bytes => {
        facts.instanceNumber = asNumbers(bytes)[0] ?? 0;
      },
      2134369: bytes => {
        facts.concatenation = asText(bytes);
      },
      2134370: bytes => {
        facts.part = asUint16(bytes);
      },
      2134371: bytes => {
        facts.parts = asUint16(bytes);
      },
      2134568: bytes => {
        facts.frameOffset = asUint32(bytes);
      },
      2134801: bytes => {
        facts.tiledFull = asText(bytes) === 'TILED_FULL';
      },
      2621442: bytes => {
        facts.samplesPerPixel = asUint16(bytes);
      },
      2621444: bytes => {
        facts.photometric = asText(bytes);
      },
      2621446: bytes => {
        facts.planar = asUint16(bytes) === 1;
      },
      2621448: bytes => {
        facts.frames = asNumbers(bytes)[0] ?? 0;
      },
      2621456: bytes => {
        facts.rows = asUint16(bytes);
      },
      2621457: bytes => {
        facts.columns = asUint16(bytes);
      },
      2621696: bytes => {
        facts.bitsAllocated = asUint16(bytes);
      },
      2621699: bytes => {
        facts.signed = asUint16(bytes) === 1;
      },
      4718598: bytes => {
        facts.matrixColumns = asUint32(bytes);
      },
      4718599: bytes => {
        facts.matrixRows = asUint32(bytes);
      },
    },
    sequences: {
      4718853: () => opticalPath,
      1375769129: () => ({ sequences: { 2658576: () => measures } }),
      1375769136: frame => ({
        sequences: {
          2658576: () => measures,
          4719130: () => position(facts, frame),
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
      4719134: bytes => {
        positions[frame * 2] = asInt32(bytes);
      },
      4719135: bytes => {
        positions[frame * 2 + 1] = asInt32(bytes);
      },
    },
  };
}
