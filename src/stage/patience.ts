/** Longest time an orderly end waits for a bus that is away. */
export const DRAIN_SECONDS = 5;

/**
 * A signal that fires some time after another: how long a bus that is away may hold up an orderly end. What it has not
 * taken by then stays off the record and is published on the next start.
 */
export function patience(signal: AbortSignal, seconds: number): AbortSignal {
  const late = new AbortController();
  const start = (): void => {
    setTimeout(() => late.abort(), seconds * 1000).unref();
  };
  if (signal.aborted) start();
  else signal.addEventListener('abort', start, { once: true });
  return late.signal;
}
