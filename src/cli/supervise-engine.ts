import type { Observable } from 'rxjs';
import type { EngineEvent } from '../engine/pool.js';
import type { StromaflowError } from '../errors.js';

export interface EngineSupervision {
  /** Aborts when the engine is given up: other slides would fare no better. */
  readonly signal: AbortSignal;
  /** Why it was given up. */
  readonly failure: StromaflowError | undefined;
  stop(): void;
}

/** Says what befalls the engine, and tells `hear`. */
export function superviseEngine(
  events: Observable<EngineEvent>,
  hear: (event: EngineEvent) => void,
  say: (line: string) => void,
): EngineSupervision {
  const gaveUp = new AbortController();
  let failure: StromaflowError | undefined;
  const subscription = events.subscribe(event => {
    hear(event);
    const line = describe(event);
    if (line) say(line);
    if (event.type !== 'gave-up') return;
    failure = event.error;
    gaveUp.abort();
  });
  return {
    signal: gaveUp.signal,
    get failure() {
      return failure;
    },
    stop: () => subscription.unsubscribe(),
  };
}

/** Patches that are given up are not said here but as dead letters. */
function describe(event: EngineEvent): string | undefined {
  switch (event.type) {
    case 'restarted':
      return `the engine was started again (failures in a row: ${event.failures}; the last: ${event.error.message})`;
    case 'batch-lowered':
      return `memory was short: batches of at most ${event.batch} from now on`;
    case 'gave-up':
      return event.error.line;
    case 'quarantined':
      return undefined;
  }
}
