import { setMaxListeners } from 'node:events';

/** Longest time an orderly end waits for a bus that is away. */
export const DRAIN_SECONDS = 5;

/** Of signals that have not fired: whoever asks before shares one listener, however many slides a run of weeks has. */
const waiting = new WeakMap<AbortSignal, Map<number, AbortSignal>>();

/**
 * A signal that fires some time after another: how long a bus that is away may hold up an orderly end. What it has not
 * taken by then stays off the record and is published on the next start.
 */
export function patience(signal: AbortSignal, seconds: number): AbortSignal {
  const known = signal.aborted ? undefined : waiting.get(signal)?.get(seconds);
  if (known) return known;
  const late = new AbortController();
  // Whatever waits for a bus that is away listens: as many patches as there are credits, which is no leak.
  setMaxListeners(0, late.signal);
  const start = (): void => {
    setTimeout(() => late.abort(), seconds * 1000).unref();
  };
  if (signal.aborted) start();
  else {
    signal.addEventListener('abort', start, { once: true });
    waiting.set(signal, new Map(waiting.get(signal)).set(seconds, late.signal));
  }
  return late.signal;
}
