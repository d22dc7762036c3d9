import type { StromaflowError } from '../src/errors.js';
import type { Lack } from '../src/stage/lack.js';
import type { SlideSummary } from '../src/store/summary.js';

/** Why a growing slide ended before it was complete. */
export type LiveReason = 'stalled' | 'replaced' | 'gone';

/** What became of a slide. */
export type SlideResult = { readonly path: string; readonly id: string } & (
  | { readonly state: 'completed'; readonly summary: SlideSummary; readonly folder: string }
  /** The ledger says it was completed by an earlier start. */
  | { readonly state: 'done-before'; readonly folder: string }
  | { readonly state: 'interrupted'; readonly done: number; readonly expected: number }
  /** A slide that grew ended early, or one lacks too much of what it lists; it is taken up again when its file changes. */
  | {
      readonly state: 'incomplete';
      readonly reason: LiveReason | Lack;
      readonly done: number;
      readonly expected: number;
      /** For people: what it waits for. */
      readonly lacks?: string;
      /** Where every patch has an outcome: what was found so far, and its files. */
      readonly summary?: SlideSummary;
      readonly folder?: string;
    }
  | {
      readonly state: 'failed';
      readonly error: StromaflowError;
      /** It failed like this before, and nobody was told again. */
      readonly repeated?: true;
    }
);
