/** What is let go of before the process ends at once gets so long. */
const LETTING_GO_MS = 2000;

export interface Interrupt {
  /** Aborts on the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  /**
   * Has something ended before the process ends at once: threads inside a native codec, which cannot be stopped from outside
   * without taking the exit status with them. Returns a function that takes it back.
   */
  atOnce(end: () => Promise<void>): () => void;
  dispose(): void;
}

/**
 * The first SIGINT or SIGTERM aborts, so that what is under way is finished and acknowledged; the second ends the
 * process at once, with status 130.
 */
export function interruptible(onInterrupt: (signal: NodeJS.Signals) => void): Interrupt {
  const abort = new AbortController();
  const ends = new Set<() => Promise<void>>();
  const handle = (name: NodeJS.Signals): void => {
    if (!abort.signal.aborted) {
      onInterrupt(name);
      abort.abort();
    } else if (ends.size === 0) process.exit(130);
    else {
      setTimeout(() => process.exit(130), LETTING_GO_MS);
      void Promise.allSettled([...ends].map(end => end())).then(() => process.exit(130));
    }
  };
  process.on('SIGINT', handle).on('SIGTERM', handle);
  return {
    signal: abort.signal,
    atOnce: end => {
      ends.add(end);
      return () => void ends.delete(end);
    },
    dispose: () => void process.off('SIGINT', handle).off('SIGTERM', handle),
  };
}
