import type { Areas, EventError, IouSum, PatchCounts, TileCounts } from '../event/payloads.js';
import type { StageName } from '../stage/observer.js';
import type { TrainingStatus } from './training-book.js';

/** What /status answers and the page shows. Times are RFC 3339; a value that is not known yet is null. */
export interface StatusReport {
  readonly version: string;
  readonly startedAt: string;
  readonly uptimeSeconds: number;
  /** 'draining' after the first interrupt: what is inside the graph is still finished. */
  readonly state: 'running' | 'draining';
  /** The folder that is watched, and why it is away; null where none is. */
  readonly folder: { readonly path: string; readonly away: string | null } | null;
  readonly engine: EngineStatus | null;
  readonly bus: { readonly description: string; readonly connected: boolean };
  readonly rates: {
    /** Patches acknowledged a second, over the last ten seconds. */
    readonly patchesPerSecond: number;
    readonly patchesDone: number;
    readonly masksPublished: number;
  };
  readonly credits: { readonly free: number; readonly total: number };
  readonly stages: readonly StageStatus[];
  /** Open slides first, then those that ended, newest first; old ones are forgotten. */
  readonly slides: readonly SlideStatus[];
  /** The training run that this process is; null for the others. */
  readonly training: TrainingStatus | null;
  readonly lastError: (EventError & { readonly at: string }) | null;
}

export interface EngineStatus {
  readonly name: string;
  readonly version: string;
  readonly device: string;
  readonly model: string;
  readonly modelVersion: string;
  readonly batch: number;
}

export interface StageStatus {
  readonly stage: StageName;
  readonly inProgress: number;
  readonly done: number;
  readonly failed: number;
  /** Items let out a second, over the last ten seconds. */
  readonly perSecond: number;
  readonly lastSuccessAt: string | null;
}

export interface SlideStatus {
  readonly slide: string;
  readonly state: 'open' | 'completed' | 'incomplete' | 'failed';
  readonly revision: number;
  readonly patches: PatchCounts;
  /** Null where only the pixels tell, as of slides that OpenSlide reads. */
  readonly tiles: TileCounts | null;
  readonly area: Areas;
  readonly iou: IouSum | null;
  readonly patchesPerSecond: number;
  readonly etaSeconds: number | null;
  readonly startedAt: string;
  /** Of the last event that said something of it. */
  readonly updatedAt: string;
  readonly endedAt: string | null;
  readonly error: EventError | null;
}

/**
 * A slide as a picture of its grid, cols × rows bytes row by row: 0 no mask (yet), 254 failed, 255 missing, else 1 + the share of
 * stroma in the patch, scaled to 0–252.
 */
export interface SlideGrid {
  readonly cols: number;
  readonly rows: number;
  readonly cells: Uint8Array;
}

export interface Readiness {
  /** One entry a part that must work before slides can be processed; `reason` says why it does not. */
  readonly components: Readonly<Record<string, { readonly ready: boolean; readonly reason?: string }>>;
}
