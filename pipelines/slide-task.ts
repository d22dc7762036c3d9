import type { ErrorCode } from '../src/errors.js';
import type { LiveSlide } from '../src/live/live-slide.js';
import type { WholeSlide } from '../src/live/whole-slide.js';
import type { PatchPlan } from '../src/read/patch.js';
import type { OpenedSlide, SlideInfo } from '../src/slide/slide.js';
import type { PatchLabels } from '../src/stage/session-parts.js';
import type { Presence } from '../src/watch/presence.js';

/** A slide that is to be segmented, not opened yet. */
export interface SlideTask {
  readonly path: string;
  /** SlideInfo.id, for reporting a slide that cannot be opened. */
  readonly id: string;
  open(signal: AbortSignal): Promise<OpenedSlide>;
  /** A slide that still grows; `open` resolves to its `opened`. */
  readonly live?: LiveSlide;
  /** A slide of a watched folder that is whole: what is written over it meanwhile ends its run. */
  readonly whole?: WholeSlide;
  /** Whether the folder that it lies in is there, of one that is watched. */
  readonly presence?: Presence;
  /** Of a slide that may be tried again: whether it failed with this code before; it is remembered. */
  hasFailedBefore?(code: ErrorCode): boolean;
  /** Done again where it was done before and its results are gone; without it they stay gone, as somebody wanted it. */
  readonly wantsResults?: boolean;
  /** It was completed since this start: as long as it holds the same, it stays as it is, whatever model is in force now. */
  readonly wasCompleted?: boolean;
  /** Gets a larger share of the graph than other slides. */
  readonly urgent?: boolean;
  /** Opens the truth, for a slide that has one. */
  openLabels?(slide: SlideInfo, plan: PatchPlan): Promise<PatchLabels>;
}
