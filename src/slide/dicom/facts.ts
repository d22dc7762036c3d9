import type { Wanted } from './data-set.js';
import { frameGroups, MAX_FRAMES, type PlaneFacts, planeFacts, wantedPlanes } from './plane-facts.js';
import { TAG } from './tags.js';
import { asFloat, asNumbers, asText, asUint16, asUint32 } from './values.js';

export { MAX_FRAMES };

/** Where a table of 64-bit numbers lies in the data set. */
export interface TableAt {
  readonly at: number;
  readonly length: number;
}

/** What is read of an instance; everything else of it, patient attributes first, is skipped unread. */
export interface Facts extends PlaneFacts {
  sopClass: string;
  flavour: string;
  /** Computed from other pixels (value 1 of Image Type). */
  derived: boolean;
  /** Its pixels were reduced from those of a finer level (value 4 of Image Type). */
  resampled: boolean;
  /** UIDs; they stay inside the reader. */
  series: string;
  instance: string;
  pyramid: string;
  frameOfReference: string;
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
  /** mm: width and height of what the total matrix shows. */
  volume: [width: number, height: number];
  concatenation: string;
  part: number;
  parts: number;
  frameOffset: number;
  offsetTable: TableAt | undefined;
  lengthTable: TableAt | undefined;
}

export function newFacts(): Facts {
  return {
    ...planeFacts(),
    sopClass: '',
    flavour: '',
    derived: false,
    resampled: false,
    series: '',
    instance: '',
    pyramid: '',
    frameOfReference: '',
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
    volume: [0, 0],
    concatenation: '',
    part: 0,
    parts: 0,
    frameOffset: 0,
    offsetTable: undefined,
    lengthTable: undefined,
  };
}

type Key<T> = { [K in keyof Facts]: Facts[K] extends T ? K : never }[keyof Facts];

/** Attributes of the VL Whole Slide Microscopy Image IOD (PS3.3, A.32.8). */
export function wantedFacts(facts: Facts): Wanted {
  const text = (key: Key<string>) => (bytes: Buffer) => {
    facts[key] = asText(bytes);
  };
  const short = (key: Key<number>) => (bytes: Buffer) => {
    facts[key] = asUint16(bytes);
  };
  const long = (key: Key<number>) => (bytes: Buffer) => {
    facts[key] = asUint32(bytes);
  };
  const planes = wantedPlanes(facts);
  let isMeasured = false;
  const measures: Wanted = {
    values: {
      // That of the first frame; before one that stands where it does not belong, in the data set itself.
      [TAG.pixelSpacing]: bytes => {
        if (!isMeasured) facts.spacing = asNumbers(bytes);
        isMeasured = true;
      },
    },
  };
  return {
    values: {
      ...planes.values,
      [TAG.imageType]: bytes => {
        const values = asText(bytes).split('\\');
        facts.derived = values[0] === 'DERIVED';
        facts.flavour = values[2] ?? '';
        facts.resampled = values[3] === 'RESAMPLED';
      },
      [TAG.sopClassUid]: text('sopClass'),
      [TAG.sopInstanceUid]: text('instance'),
      [TAG.pyramidUid]: text('pyramid'),
      [TAG.manufacturerModelName]: text('scanner'),
      [TAG.seriesInstanceUid]: text('series'),
      [TAG.instanceNumber]: bytes => {
        facts.instanceNumber = asNumbers(bytes)[0] ?? 0;
      },
      [TAG.frameOfReferenceUid]: text('frameOfReference'),
      [TAG.concatenationUid]: text('concatenation'),
      [TAG.inConcatenationNumber]: short('part'),
      [TAG.inConcatenationTotalNumber]: short('parts'),
      [TAG.concatenationFrameOffsetNumber]: long('frameOffset'),
      [TAG.dimensionOrganizationType]: bytes => {
        facts.tiledFull = asText(bytes) === 'TILED_FULL';
      },
      [TAG.samplesPerPixel]: short('samplesPerPixel'),
      [TAG.photometricInterpretation]: text('photometric'),
      [TAG.planarConfiguration]: bytes => {
        facts.planar = asUint16(bytes) === 1;
      },
      [TAG.numberOfFrames]: bytes => {
        facts.frames = asNumbers(bytes)[0] ?? 0;
      },
      [TAG.rows]: short('rows'),
      [TAG.columns]: short('columns'),
      [TAG.pixelSpacing]: bytes => {
        facts.spacing = asNumbers(bytes);
      },
      [TAG.bitsAllocated]: short('bitsAllocated'),
      [TAG.pixelRepresentation]: bytes => {
        facts.signed = asUint16(bytes) === 1;
      },
      [TAG.imagedVolumeWidth]: bytes => {
        facts.volume[0] = asFloat(bytes);
      },
      [TAG.imagedVolumeHeight]: bytes => {
        facts.volume[1] = asFloat(bytes);
      },
      [TAG.totalPixelMatrixColumns]: long('matrixColumns'),
      [TAG.totalPixelMatrixRows]: long('matrixRows'),
    },
    sequences: {
      ...planes.sequences,
      [TAG.opticalPathSequence]: path => opticalPath(facts, path),
      [TAG.sharedFunctionalGroupsSequence]: () => frameGroups(facts, undefined, measures),
      [TAG.perFrameFunctionalGroupsSequence]: frame => frameGroups(facts, frame, measures),
    },
  };
}

/** DCM 111744: light goes through the specimen (PS3.16, CID 8123). */
const BRIGHTFIELD = '111744';

function opticalPath(facts: Facts, path: number): Wanted {
  const here = { id: '', brightfield: false };
  if (path < MAX_PATHS) facts.paths.push(here);
  return {
    values: {
      [TAG.iccProfile]: () => {
        facts.hasIcc = true;
      },
      [TAG.opticalPathIdentifier]: bytes => {
        here.id = asText(bytes);
      },
      [TAG.objectiveLensPower]: bytes => {
        facts.objective ||= asText(bytes);
      },
    },
    sequences: {
      [TAG.illuminationTypeCodeSequence]: () => ({
        values: {
          [TAG.codeValue]: bytes => {
            if (asText(bytes) === BRIGHTFIELD) here.brightfield = true;
          },
        },
      }),
    },
  };
}

/** More light paths than a microscope has are damage. */
const MAX_PATHS = 256;
