import type { ServingModel } from '../engine/model-switch.js';
import type { Events } from '../event/contract.js';
import type { TileCounts } from '../event/payloads.js';
import type { OverviewCanvas } from '../read/overview.js';
import type { PatchMask, PatchPlan, PatchRecord, PatchRef } from '../read/patch.js';
import type { SlideHandle } from '../read/reader-pool.js';
import type { SlideNote } from '../slide/note.js';
import type { PixelRectangle } from '../slide/rectangles.js';
import type { RemoteTraffic, SlideInfo, TileSourceDescription } from '../slide/slide.js';
import type { RunLedger } from '../store/ledger.js';
import type { SlideOutput } from '../store/output.js';
import type { SlideTrace } from './slide-trace.js';

/** Port of the truth for a slide that has labels. */
export interface PatchLabels {
  /**
   * Pixel counts of mask ∧ label and mask ∨ label; `mask` undefined: nothing was found. Undefined where unlabelled.
   * `probabilities`: patchSize² bytes, round(255 p), where the engine was asked for them. `missing`: pixels of the core that the slide
   * does not store; they are compared with nothing.
   */
  score(
    ref: PatchRef,
    mask: PatchMask | undefined,
    probabilities?: Uint8Array,
    missing?: readonly PixelRectangle[],
  ): Promise<{ intersection: number; union: number } | undefined>;
  /** What a person who reads the score must know of the labels. */
  readonly notes?: readonly SlideNote[];
  close(): Promise<void>;
}

/** Port of the folder that a slide lies in: one on a share may be away for a while. */
export interface SourceFolder {
  isAway(): boolean;
  /** True as soon as it is there; false when the signal aborts before. */
  back(signal: AbortSignal): Promise<boolean>;
  /** Times that it was away and came back. */
  readonly outages: number;
}

/** For whoever shows a slide, besides its source. */
export interface ViewedPixels {
  /** That the source has, from the finest on: of a slide that grows it may know fewer than the slide has. */
  readonly levels: number;
  /** The picture that reader threads fill. */
  readonly overview: OverviewCanvas;
}

export interface SessionParts {
  readonly slide: SlideInfo;
  readonly plan: PatchPlan;
  readonly reader: SlideHandle;
  /** Absent: nobody can look at it. */
  readonly viewed?: ViewedPixels;
  /** What its reader threads were given. */
  readonly source?: TileSourceDescription;
  /** More tiles may come. */
  readonly grows?: boolean;
  readonly output: SlideOutput;
  readonly run: RunLedger;
  /** Names the run in events. */
  readonly runToken: string;
  readonly events: Events;
  /** Segments this slide, from its first patch to its last. */
  readonly model: ServingModel;
  readonly labels?: PatchLabels;
  /** How the slide's tiles stand. */
  readonly tiles?: () => TileCounts;
  /** What it does not store was not scanned. */
  readonly sparse?: () => boolean;
  /** Of a slide in a folder that is watched. */
  readonly folder?: SourceFolder;
  /** Of a slide at an address: what was asked of its server so far. */
  readonly traffic?: () => RemoteTraffic;
  /** Records of the ledger whose mask is gone: their patches are due again. */
  readonly lost?: readonly PatchRecord[];
  /** Probabilities are kept, and masks are cut at this, 0–1. */
  readonly keptThreshold?: number | undefined;
  /** Where what is done for it is traced. */
  readonly trace?: SlideTrace | undefined;
}
