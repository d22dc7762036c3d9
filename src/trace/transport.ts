import { setTimeout as sleep } from 'node:timers/promises';
import type { TraceSettings } from './settings.js';

/** Collectors say so where it may be tried again. Source: opentelemetry.io/docs/specs/otlp, OTLP/HTTP response. */
const RETRYABLE = [429, 502, 503, 504];
const FIRST_PAUSE_MS = 1000;

/**
 * Posts one encoded batch of spans, again after a pause where the collector is busy or away, within the settings' time. Aborting ends it at once, pauses
 * too: the exporter of the OpenTelemetry project cannot be stopped, and a process would wait for it in the end.
 *
 * `onAway` hears that nobody is there, before it is tried again. Rejects with an Error that says what the collector answered, or why it was not reached.
 */
export async function post(
  body: Uint8Array<ArrayBuffer>,
  { url, headers, encoding, timeoutMs }: Pick<TraceSettings, 'url' | 'headers' | 'encoding' | 'timeoutMs'>,
  stop: AbortSignal,
  onAway: (problem: Error) => void = () => undefined,
): Promise<void> {
  const until = performance.now() + timeoutMs;
  const signal = AbortSignal.any([stop, AbortSignal.timeout(timeoutMs)]);
  const contentType = encoding === 'json' ? 'application/json' : 'application/x-protobuf';
  for (let pause = FIRST_PAUSE_MS; ; pause *= 2) {
    let problem: Error;
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { ...headers, 'content-type': contentType },
        body,
        signal,
        redirect: 'error',
      });
      await response.body?.cancel();
      if (response.ok) return;
      problem = new Error(`it answered ${response.status}`);
      if (!RETRYABLE.includes(response.status)) throw new Refused(problem.message);
    } catch (cause) {
      if (signal.aborted || cause instanceof Refused) throw stop.aborted ? cause : explained(cause, timeoutMs);
      problem = explained(cause, timeoutMs);
      onAway(problem);
    }
    if (performance.now() + pause > until) throw problem;
    await sleep(pause, undefined, { signal: stop, ref: false });
  }
}

class Refused extends Error {}

function explained(error: unknown, timeoutMs: number): Error {
  if (error instanceof Refused) return error;
  if (error instanceof Error && error.name === 'TimeoutError')
    return new Error(`it did not answer within ${timeoutMs} ms`);
  const { cause } = error as { cause?: { code?: string; message?: string } };
  return new Error(cause?.code ?? cause?.message ?? (error as Error).message, { cause: error });
}
