import { EventEmitter, once } from 'node:events';
import type { JsMsg } from '@nats-io/jetstream';

/** Milliseconds after which an outcome of a slide that is not open yet is looked at again. */
export const LATER_MS = 2000;

/** Outcomes of runs whose slides are not open yet, by their places in the stream: put back, they come once more. */
export class Postponed {
  readonly #places = new Map<string, Set<number>>();
  /** Tells a run of which all came once more. */
  readonly #back = new EventEmitter();
  readonly #laterMs: number;

  constructor(laterMs = LATER_MS) {
    this.#laterMs = laterMs;
  }

  add(run: string, message: Pick<JsMsg, 'seq' | 'nak'>): void {
    const places = this.#places.get(run) ?? new Set();
    this.#places.set(run, places.add(message.seq));
    message.nak(this.#laterMs);
  }

  /** An outcome came, perhaps once more. */
  meet(run: string, place: number): void {
    const places = this.#places.get(run);
    if (!places?.delete(place) || places.size > 0) return;
    this.#places.delete(run);
    this.#back.emit(run);
  }

  /** Resolves when what was put back of a run has come once more and is let go of; without a server not much later than it should. */
  async of(run: string, stop: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([AbortSignal.timeout(2 * this.#laterMs), stop]);
    if (this.#places.has(run)) await once(this.#back, run, { signal }).catch(() => undefined);
    this.#places.delete(run);
  }
}
