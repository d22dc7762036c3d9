/**
 * The first SIGINT or SIGTERM aborts, so that what is under way is finished and acknowledged; the second ends the
 * process at once.
 */
export function interruptible(onInterrupt: (signal: NodeJS.Signals) => void): { signal: AbortSignal; dispose(): void } {
  const abort = new AbortController();
  const handle = (name: NodeJS.Signals): void => {
    if (abort.signal.aborted) process.exit(130);
    onInterrupt(name);
    abort.abort();
  };
  process.on('SIGINT', handle).on('SIGTERM', handle);
  return {
    signal: abort.signal,
    dispose: () => void process.off('SIGINT', handle).off('SIGTERM', handle),
  };
}
