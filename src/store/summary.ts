import type { Aggregate } from '../event/payloads.js';
import type { SeamCounts } from '../mask/seams.js';
import type { Padding } from '../read/patch.js';
import type { SlideNote } from '../slide/note.js';
import type { AxisSpacing, RemoteTraffic, SlideBounds } from '../slide/slide.js';

/** summary.json: what a slide's run found, and everything needed to say how. */
export interface SlideSummary extends Aggregate {
  /** Identifies this layout; a change that breaks readers changes the number. */
  readonly schema: 'stromaflow.summary.v1';
  /** 'incomplete': none of its patches was read, or most of the tiles it lists are not stored. */
  readonly state: 'completed' | 'incomplete' | 'failed';
  readonly source: {
    /** The slide's file name, without its folder; of one that is stored as tiles in a folder, the folder's name. */
    readonly file: string;
    readonly format: string;
    /** Spacing of level 0 in µm per pixel. */
    readonly mpp: number;
    /** Where `mpp` comes from; a summary of an earlier version does not say. */
    readonly mppFrom?: 'the slide' | 'given with --mpp';
    /** Along each axis, where they differ; `mpp` is their geometric mean. */
    readonly axes?: AxisSpacing;
    /** Level-0 pixels. */
    readonly width: number;
    readonly height: number;
    /** The scanned part of the frame, where the format states one; mask.geojson has its corner as origin. */
    readonly bounds?: SlideBounds;
    readonly fingerprint: string;
    /** Of a slide at an address: what was asked of its server in the start that finished the slide. */
    readonly http?: RemoteTraffic;
    /** Acquisition facts; never patient data. */
    readonly properties: Readonly<Record<string, string>>;
  };
  readonly plan: {
    readonly level: number;
    /** Sides in mask pixels. */
    readonly patchSize: number;
    readonly margin: number;
    /** Pixels by which patches overlap and are blended; absent: margins are cropped. */
    readonly overlap?: number;
    /** µm²: regions below were taken out, holes below filled; absent: none. */
    readonly openArea?: number;
    readonly closeArea?: number;
    readonly padding: Padding;
    readonly cols: number;
    readonly rows: number;
    /** Level-0 pixels per mask pixel. */
    readonly downsample: number;
  };
  /** A pixel is stroma where its probability is above this; a summary of an earlier version does not say. */
  readonly threshold?: number;
  /** Of an ensemble, whose probabilities' mean decides. */
  readonly members?: readonly { readonly name: string; readonly version: string; readonly threshold: number }[];
  /** Views of each patch whose mean decides; absent: the patch alone. */
  readonly tta?: 'flips' | 'd4';
  readonly engine: {
    readonly name: string;
    readonly version: string;
    readonly device: string;
    readonly batch: number;
  };
  /** What the tissue filter did; `rule` null: it was off. */
  readonly filter: {
    readonly kept: number;
    readonly dropped: number;
    readonly rule: unknown;
  };
  /** Seconds, and patches per second, of the start that finished the slide; `seconds` include `finishSeconds`, what the final files took. */
  readonly timings: Readonly<Record<string, number>>;
  /** Of Stromaflow, Node and what matters besides. */
  readonly versions: Readonly<Record<string, string>>;
  /** Options in force that change results. */
  readonly options: Readonly<Record<string, unknown>>;
  /** What a person must know to read the result right: what was left out, what had to be assumed. */
  readonly notes: readonly SlideNote[];
  /** Patches that failed. */
  readonly errors: readonly PatchFailure[];
  /** Whether the mask shows where its patches end; filled in when the files are written. */
  readonly seams?: SeamCounts;
  /** Filled in when the files are written. */
  readonly outputs?: SlideFilesSummary;
}

export interface PatchFailure {
  readonly level: number;
  readonly col: number;
  readonly row: number;
  /** A code of src/errors.ts. */
  readonly code: string;
}

/** What is in the mask and, being too small, not in its polygons; and holes of the mask that they have not. */
export interface SievedPolygons {
  readonly dropped: number;
  readonly droppedMm2: number;
  readonly filled: number;
  readonly filledMm2: number;
}

/** The files next to summary.json. */
export interface SlideFilesSummary {
  readonly mask: { readonly file: string; readonly levels: number; readonly omeZarr?: '0.4' | '0.5' };
  readonly polygons: SievedPolygons & {
    readonly file: string;
    readonly polygons: number;
    readonly holes: number;
    /** mm²: the mask's − droppedMm2 + filledMm2. */
    readonly areaMm2: number;
    /** µm²; 0: none was left out or filled. */
    readonly minArea: number;
    readonly minHole: number;
    /** Along the pixels' edges, or smoothed within half a pixel: see docs/outputs.md. */
    readonly outlines?: 'edges' | 'smooth';
    /** Regions are cut along every so many lines between patches; absent: none is. */
    readonly cutPatches?: number;
    /** All files, where one would be too large; the first is `file`. */
    readonly parts?: readonly string[];
  };
  readonly overview: { readonly file: string; readonly width: number; readonly height: number };
  readonly patches: { readonly file: string; readonly lines: number };
}
