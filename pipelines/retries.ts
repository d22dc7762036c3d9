import { toStromaflowError } from '../src/errors.js';
import { type RetryRequest, readRetry, retryDurable, retryPattern } from '../src/event/retry.js';
import type { TakenEvent } from '../src/event/stream/kept-events.js';
import { Turns } from '../src/stage/turns.js';
import type { Parts } from './parts.js';

/** What came of a request. */
export type RetryResult =
  | { readonly state: 'again'; readonly slide: string; readonly patches: number }
  | { readonly state: 'unknown' | 'replaced' | 'whole'; readonly slide: string };

/**
 * Requests to try again what failed of a slide (`stromaflow dlq retry`). A slide that is under way is waited for; one that is over is taken for
 * incomplete from then on: whoever opens it next does its failed patches again, and says anew how it ended. So the slide becomes whole
 * by the way that every interrupted slide does, and nothing that was recorded is done twice.
 */
export class Retries {
  /** Whoever opens a slide does it in its turn, by its name in lower case: nothing is marked under the hands of a run. */
  readonly turns = new Turns();
  readonly #parts: Pick<Parts, 'bus' | 'ledger' | 'config'>;
  readonly #stop = new AbortController();
  #working: Promise<unknown> = Promise.resolve();
  /** Told of a slide that is to be opened once more. */
  onAgain: (slide: string) => void = () => undefined;

  constructor(parts: Pick<Parts, 'bus' | 'ledger' | 'config'>) {
    this.#parts = parts;
  }

  /**
   * Takes requests until it is closed. Resolves when those that waited before are seen to.
   *
   * @param onResult hears of each.
   */
  begin(onResult: (result: RetryResult) => void, onError: (error: Error) => void): Promise<void> {
    const { bus, config } = this.#parts;
    const { kept } = bus;
    if (!kept) return Promise.resolve();
    const { signal } = this.#stop;
    const taken = kept.take(retryPattern(config.prefix, config), retryDurable(config), signal);
    return new Promise(caughtUp => {
      const work = async (): Promise<void> => {
        const earlier: Promise<void>[] = [];
        for await (const one of taken) {
          if (one) earlier.push(this.#see(one, onResult, onError));
          else void Promise.all(earlier.splice(0)).then(() => caughtUp());
        }
      };
      this.#working = work()
        .catch(error => {
          if (!signal.aborted) onError(toStromaflowError(error, 'EVENTS_STREAM', 'requests to try again'));
        })
        .finally(caughtUp);
    });
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#working;
  }

  async #see(
    { event, done }: TakenEvent,
    onResult: (result: RetryResult) => void,
    onError: (error: Error) => void,
  ): Promise<void> {
    try {
      const request = readRetry(event);
      const result = await this.turns.take(request.slide.toLowerCase(), async () => {
        // Not acknowledged, it comes to the next start.
        return this.#stop.signal.aborted ? undefined : this.#mark(request);
      });
      if (!result) return;
      await done();
      onResult(result);
      if (result.state === 'again') this.onAgain(request.slide);
    } catch (error) {
      onError(error as Error);
    }
  }

  async #mark({ slide, run: token }: RetryRequest): Promise<RetryResult> {
    for (const { slide: name, run } of this.#parts.ledger.runs()) {
      if (name !== slide) continue;
      if (run.state.said?.run !== token) return { state: 'replaced', slide };
      let patches = 0;
      for (const { outcome } of run.records()) if (outcome === 'failed') patches += 1;
      if (patches === 0) return { state: 'whole', slide };
      if (run.state.state === 'completed') await run.update({ ...run.state, state: 'incomplete' });
      return { state: 'again', slide, patches };
    }
    return { state: 'unknown', slide };
  }
}
