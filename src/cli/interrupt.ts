import { exitNow } from '../process/exit-now.js';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

export interface Interrupt {
  /** Aborts on the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  dispose(): void;
}

/**
 * The first SIGINT or SIGTERM aborts, so that what is under way is finished and acknowledged; the second ends the
 * process at once, with status 130.
 */
export function interruptible(onInterrupt: (signal: NodeJS.Signals) => void): Interrupt {
  const abort = new AbortController();
  const handle = (name: NodeJS.Signals): void => {
    if (abort.signal.aborted) exitNow(130);
    onInterrupt(name);
    abort.abort();
  };
  for (const name of SIGNALS) process.on(name, handle);
  return {
    signal: abort.signal,
    dispose: () => {
      for (const name of SIGNALS) process.off(name, handle);
    },
  };
}

/**
 * Before a command listens, and after its end while threads in native code are waited for, a signal ends the process at once,
 * with the command's status where there is one.
 */
export function interruptibleOutside(): void {
  for (const name of SIGNALS) {
    // What endWithReader makes up for commands has no number.
    process.on(name, (_, number?: number) => {
      if (number !== undefined && process.listenerCount(name) === 1) exitNow(Number(process.exitCode ?? 130));
    });
  }
}
