import type { OperatorFunction } from 'rxjs';
import type { CreditedPatch, SettledPatch } from '../stage/item.js';
import type { SlideSession } from '../stage/session.js';

/** Port of those who read and segment patches elsewhere. */
export interface Workers {
  /** Patches that are out. */
  readonly backlog: number;
  /** Bytes of tiles that were shipped since the start; 0 where workers have the slides' folder. */
  readonly shippedBytes: number;
  /** Told when tasks that got lost were handed out again. */
  onAgain: (tasks: number) => void;
  /** Told of each task, and before it is handed out. */
  onTask: (patches: readonly CreditedPatch[]) => void;
  /** The operator; of one object one may be in use. `signal`: what is out is waited for no longer. */
  stage(signal: AbortSignal): OperatorFunction<CreditedPatch, SettledPatch>;
  /** The patch has left the graph, on record or not. */
  left(patch: SettledPatch): void;
  /** Nobody will ask for its patches before it is opened again: what is kept for workers of a run that is over is let go of. Never rejects. */
  over(session: SlideSession): Promise<void>;
}
