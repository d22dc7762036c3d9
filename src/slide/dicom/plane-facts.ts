import type { Wanted } from './data-set.js';
import { TAG } from './tags.js';
import { asInt32, asNumbers, asText, asUint32 } from './values.js';

/** How the light went when an image was taken. */
export interface OpticalPath {
  /** Says nothing to anybody outside of the instance: it stays inside the reader. */
  readonly id: string;
  /** Light goes through the specimen; false also where nothing is said. */
  readonly brightfield: boolean;
}

/** Where the frames of an instance lie: on the slide, in depth, and by which light they were taken. */
export interface PlaneFacts {
  /** Column and row of each frame's first pixel in the total matrix, from 1, alternating. */
  positions: number[];
  /** By frame, as stated; NaN where nothing is. Empty where no frame says anything. */
  depths: number[];
  /** Of the whole instance; NaN where nothing is said. */
  depth: number;
  /** By frame: number of its path in `paths`; empty where no frame says anything. */
  framePaths: number[];
  /** As the instance lists them. */
  paths: OpticalPath[];
  /** Of one tile; 0 where nothing is said. */
  planes: number;
}

/** Frames whose positions are kept while they are read; bounds what a damaged file can make us allocate. */
export const MAX_FRAMES = 2 ** 22;

export const planeFacts = (): PlaneFacts => ({
  positions: [],
  depths: [],
  depth: Number.NaN,
  framePaths: [],
  paths: [],
  planes: 0,
});

/** What the data set itself says: how many planes there are, and where the only one is. */
export const wantedPlanes = (facts: PlaneFacts): Wanted => ({
  values: {
    [TAG.totalPixelMatrixFocalPlanes]: bytes => {
      facts.planes = asUint32(bytes);
    },
  },
  sequences: {
    [TAG.totalPixelMatrixOriginSequence]: () => ({
      values: {
        [TAG.zOffsetInSlideCoordinateSystem]: bytes => {
          facts.depth = asNumbers(bytes)[0] ?? Number.NaN;
        },
      },
    }),
  },
});

/**
 * Functional groups: measures, position, and light path.
 *
 * @param frame undefined for the groups that all frames share.
 */
export const frameGroups = (facts: PlaneFacts, frame: number | undefined, measures: Wanted): Wanted => ({
  sequences: {
    [TAG.pixelMeasuresSequence]: () => measures,
    [TAG.planePositionSlideSequence]: () => (frame === undefined ? sharedPosition(facts) : position(facts, frame)),
    [TAG.opticalPathIdentificationSequence]: () => lightPath(facts, frame),
  },
});

function sharedPosition(facts: PlaneFacts): Wanted {
  return {
    values: {
      [TAG.zOffsetInSlideCoordinateSystem]: bytes => {
        if (Number.isNaN(facts.depth)) facts.depth = asNumbers(bytes)[0] ?? Number.NaN;
      },
    },
  };
}

/** Plane Position (Slide) of one frame. */
function position({ positions, depths }: PlaneFacts, frame: number): Wanted {
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
      [TAG.zOffsetInSlideCoordinateSystem]: bytes => {
        while (depths.length < frame) depths.push(Number.NaN);
        depths[frame] = asNumbers(bytes)[0] ?? Number.NaN;
      },
    },
  };
}

function lightPath({ paths, framePaths }: PlaneFacts, frame = 0): Wanted {
  if (frame >= MAX_FRAMES) return {};
  return {
    values: {
      [TAG.opticalPathIdentifier]: bytes => {
        const id = asText(bytes);
        while (framePaths.length < frame) framePaths.push(0);
        framePaths[frame] = Math.max(
          0,
          paths.findIndex(path => path.id === id),
        );
      },
    },
  };
}
