/** What the stages report about themselves. Metrics, the progress bar and tests implement it; stages know no library. */

import type { PatchRef } from '../read/patch.js';

export type StageName = 'read' | 'batch' | 'segment' | 'publish' | 'store';
export type StageResult = 'ok' | 'failed';
export type FlushReason = 'full' | 'delay' | 'end';

export interface PipelineObserver {
  /** One item entered a stage. */
  entered(stage: StageName): void;
  /** One item left it; seconds spent inside. */
  left(stage: StageName, result: StageResult, seconds: number): void;
  /** A patch left the graph without a mask. */
  dropped(reason: 'empty' | 'failed' | 'missing', patch: PatchRef): void;
  /** A batch was sealed: patches in it, why, seconds since its first patch. */
  batched(size: number, reason: FlushReason, waitSeconds: number): void;
  /** The engine ran over a batch: patches in it, and its own seconds. */
  inferred(patches: number, seconds: number): void;
  /** Credits after a change; waitSeconds > 0 when the source had to wait for one. */
  credits(free: number, total: number, waitSeconds: number): void;
  /** A patch was acknowledged: seconds from the moment its pixels could be read. */
  acknowledged(seconds: number): void;
}

/** Sends every report to each of several observers. */
export function combineObservers(observers: readonly PipelineObserver[]): PipelineObserver {
  return {
    entered: stage => observers.forEach(o => void o.entered(stage)),
    left: (stage, result, seconds) => observers.forEach(o => void o.left(stage, result, seconds)),
    dropped: (reason, patch) => observers.forEach(o => void o.dropped(reason, patch)),
    batched: (size, reason, wait) => observers.forEach(o => void o.batched(size, reason, wait)),
    inferred: (patches, seconds) => observers.forEach(o => void o.inferred(patches, seconds)),
    credits: (free, total, wait) => observers.forEach(o => void o.credits(free, total, wait)),
    acknowledged: seconds => observers.forEach(o => void o.acknowledged(seconds)),
  };
}
