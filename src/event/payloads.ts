import type { DeathKind } from './dead-letter-kind.js';
import type { DlqStage } from './subjects.js';

/** What the events say. JSON numbers are finite; a value that does not exist yet is null, never NaN or a guess. */

/** Patches of a run by outcome; segmented + empty + missing + failed = expected once the slide is completed. */
export interface PatchCounts {
  readonly expected: number;
  readonly segmented: number;
  /** Dropped by the tissue filter: no tissue, so no stroma. */
  readonly empty: number;
  /** The slide stores no pixels there, or only of a part that has no tissue, or they had not arrived when it was closed. */
  readonly missing: number;
  readonly failed: number;
}

/** Tiles of the level that is read, by what the slide lists; seen + drawn + missing = expected when it is complete. */
export interface TileCounts {
  readonly expected: number;
  /** On disk and read, or ready to be. */
  readonly seen: number;
  /** Not there although the slide is complete, nor in finer levels. */
  readonly missing: number;
  /** Not there, and drawn from finer levels; absent: none. */
  readonly drawn?: number;
  /** Of those seen: came after the slide had been declared incomplete. */
  readonly late: number;
  /** Written again with the same pixels. Other pixels start the slide anew. */
  readonly overwritten: number;
}

export interface Areas {
  /** mm², ≥ 0. */
  readonly stromaMm2: number;
  /** mm², ≥ 0; tissue in segmented patches. */
  readonly tissueMm2: number;
  /** stromaMm2 ÷ tissueMm2, in [0, 1]; 0 where there is no tissue. */
  readonly stromaFraction: number;
  /** mm² of the slide that it does not store; absent: none. */
  readonly missingMm2?: number;
  /** mm² that the model took for stroma outside the filter's tissue: in no mask and no other area; absent: none. */
  readonly outsideMm2?: number;
}

/** Intersection over union of the positive class, micro-averaged over pixels: exact integer counts. */
export interface IouSum {
  /** intersection ÷ union in [0, 1]; null while the union is empty. */
  readonly value: number | null;
  readonly intersection: number;
  readonly union: number;
  readonly labelledPatches: number;
}

/** Running sums of one slide. A higher revision replaces a lower one; provisional until the slide is completed. */
export interface Aggregate {
  readonly slide: string;
  readonly revision: number;
  readonly provisional: boolean;
  readonly patches: PatchCounts;
  readonly area: Areas;
  /** Absent where only the pixels tell, as of slides that OpenSlide reads. */
  readonly tiles?: TileCounts;
  /** Only where the slide has labels. */
  readonly iou?: IouSum;
  /** `name@version` of the model bundle. */
  readonly model: string;
  /** Spacing of the mask in µm per pixel. */
  readonly mpp: number;
  /** RFC 3339. */
  readonly updatedAt: string;
}

/** Names one run: a slide's content under one model and one plan. */
interface RunHead {
  readonly slide: string;
  /** Short hash of the slide's fingerprint, the model version and the plan: differs after a re-scan. */
  readonly run: string;
  /** Revision of the newest aggregate when the event was made. */
  readonly revision: number;
}

export interface SlideOpened extends RunHead {
  /** True when earlier starts already finished some of its patches. */
  readonly resumed: boolean;
  readonly format: string;
  /** Level-0 pixels. */
  readonly width: number;
  readonly height: number;
  /** Spacing of level 0 in µm per pixel. */
  readonly mpp: number;
  /** The grid the masks come on; `mpp` is a mask pixel's. */
  readonly grid: {
    readonly cols: number;
    readonly rows: number;
    /** Side of a mask in mask pixels. */
    readonly side: number;
    readonly mpp: number;
    /** Level-0 pixels per mask pixel. */
    readonly downsample: number;
    /** Size of the whole mask in mask pixels; absent before 0.2. */
    readonly width?: number;
    readonly height?: number;
  };
  readonly model: string;
  /** `name@version` of the models whose probabilities' mean decides; absent: one model. */
  readonly members?: readonly string[];
  /** Views of each patch whose mean decides; absent: the patch alone. */
  readonly tta?: 'flips' | 'd4';
  /** Spacing of level 0 along each axis in µm per pixel, where they differ; `mpp` is their geometric mean. */
  readonly axes?: { readonly x: number; readonly y: number };
  /** The scanned part of the frame in level-0 pixels, where the format states one. QuPath's origin is its corner. */
  readonly bounds?: { readonly x: number; readonly y: number; readonly width: number; readonly height: number };
  /** What a person must know to read the result right; absent: nothing. */
  readonly notes?: readonly Note[];
}

/** What was left out of a result, or had to be assumed. */
export interface Note {
  /** Stable. */
  readonly code: string;
  /** One line for people. */
  readonly message: string;
}

export interface SlideProgress extends RunHead {
  readonly patches: PatchCounts;
  /** Done ÷ expected patches, in [0, 1]. */
  readonly fraction: number;
  readonly patchesPerSecond: number;
  /** Seconds still to go at this rate; null while it is not known. */
  readonly etaSeconds: number | null;
}

export interface SlideFinished extends RunHead {
  readonly patches: PatchCounts;
  readonly tiles?: TileCounts;
  readonly area: Areas;
  readonly iou?: IouSum;
  /** Agreement of neighbouring pixels across patch borders ÷ inside patches: 1 is a mask without seams; absent without a border. */
  readonly seamScore?: number;
  /** What a person must know to read the result right, also what only the end told; absent: nothing, or not all of it was read. */
  readonly notes?: readonly Note[];
  readonly model: string;
  /** From opening to here, in seconds. */
  readonly seconds: number;
}

export interface EventError {
  /** A code of src/errors.ts. */
  readonly code: string;
  readonly message: string;
  /** What to do next. */
  readonly fix: string;
}

export interface SlideIncomplete extends SlideFinished {
  /** Why it is not completed: 'stalled', 'replaced', 'gone', 'interrupted', 'tiles-missing', 'patches-failed', … */
  readonly reason: string;
}

export interface SlideFailed {
  readonly slide: string;
  /** Absent when the slide could not even be opened. */
  readonly run?: string;
  readonly error: EventError;
}

export interface SlidePayloads {
  readonly opened: SlideOpened;
  readonly progress: SlideProgress;
  readonly completed: SlideFinished;
  readonly incomplete: SlideIncomplete;
  readonly failed: SlideFailed;
}

/** What was given up on, so that somebody can look at it and run it again. */
export interface DeadLetter {
  readonly slide: string;
  readonly run: string;
  readonly stage: DlqStage;
  /** Absent when the whole slide was given up on. Level-0 pixels. */
  readonly patch?: {
    readonly level: number;
    readonly col: number;
    readonly row: number;
    readonly x: number;
    readonly y: number;
    readonly width: number;
    readonly height: number;
  };
  /** Attempts made, ≥ 1. */
  readonly attempts: number;
  /** What trying again can do for it; absent before 0.2. */
  readonly kind?: DeathKind;
  readonly error: EventError;
}

/**
 * Facts of a mask, carried as CloudEvents extension attributes (headers `ce-…`); its data is a 1-bit PNG, 1 = stroma.
 * x, y, width and height are the mask's place in level-0 pixels, clipped to the slide; the PNG is always side × side, and
 * what lies past the slide's edge is 0.
 */
export interface MaskHeaders {
  readonly slide: string;
  readonly run: string;
  readonly level: number;
  readonly col: number;
  readonly row: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** Side of the PNG in mask pixels. */
  readonly side: number;
  /** µm per mask pixel. */
  readonly mpp: number;
  /** Level-0 pixels per mask pixel. */
  readonly downsample: number;
  /** Corner of the scanned part in level-0 pixels, where the slide states one: subtract it from x and y for QuPath's. */
  readonly boundsx?: number;
  readonly boundsy?: number;
  readonly model: string;
  readonly modelversion: string;
  readonly stromapixels: number;
  /** Taken for stroma outside the filter's tissue: clear in the mask; absent: none. */
  readonly outsidepixels?: number;
  readonly tissuepixels: number;
  /** Mask pixels inside the slide. */
  readonly validpixels: number;
  /** Of those, the ones that the slide does not store; absent: none. */
  readonly missingpixels?: number;
  /** Only where the slide has labels: pixels of mask ∧ label and of mask ∨ label. */
  readonly intersection?: number;
  readonly union?: number;
}
