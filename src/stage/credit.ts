import { Observable } from 'rxjs';
import type { PipelineObserver } from './observer.js';

/**
 * The credits of the graph: the free slots of the arena. RxJS has no backpressure, so nothing enters the graph without
 * one, and every buffer between the stages is bounded by their number.
 */
export class CreditPool {
  readonly total: number;
  readonly #free: number[];
  readonly #out: Set<number> = new Set();
  readonly #waiting: ((slot: number) => void)[] = [];
  #coming = 0;

  constructor(total: number) {
    if (!Number.isInteger(total) || total < 1) throw new RangeError(`a credit pool of ${total}`);
    this.total = total;
    this.#free = Array.from({ length: total }, (_, index) => total - 1 - index);
  }

  get free(): number {
    return this.#free.length;
  }

  /** Slots without an item: those that are free, and those that were taken for an item that has not come yet. */
  get empty(): number {
    return this.#free.length + this.#coming;
  }

  /** Resolves as the item of a slot that was taken does; until then the slot counts as empty. */
  async itemOf<T>(coming: Promise<T>): Promise<T> {
    this.#coming += 1;
    try {
      return await coming;
    } finally {
      this.#coming -= 1;
    }
  }

  /** A free slot, as soon as there is one, first come first served; undefined once the signal aborts. */
  acquire(signal: AbortSignal): Promise<number | undefined> {
    if (signal.aborted) return Promise.resolve(undefined);
    const slot = this.#free.pop();
    if (slot !== undefined) return Promise.resolve(this.#take(slot));
    return new Promise(resolve => {
      const granted = (granted: number): void => {
        signal.removeEventListener('abort', aborted);
        resolve(this.#take(granted));
      };
      const aborted = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(granted), 1);
        resolve(undefined);
      };
      signal.addEventListener('abort', aborted, { once: true });
      this.#waiting.push(granted);
    });
  }

  /** Gives a slot back. Throws when it was not out: a slot in two hands would mix two patches' pixels. */
  release(slot: number): void {
    if (!this.#out.delete(slot)) throw new RangeError(`slot ${slot} was released twice`);
    const next = this.#waiting.shift();
    if (next) next(slot);
    else this.#free.push(slot);
  }

  #take(slot: number): number {
    this.#out.add(slot);
    return slot;
  }
}

export interface Credited<T> {
  readonly item: T;
  readonly slot: number;
}

/**
 * Pulls the next item only once a credit is in hand: the one place where the graph's speed is set. Completes when the
 * items end or the signal aborts; what is already inside goes on. The items must end by themselves when the signal
 * aborts, so that none is pulled and then lost.
 */
export function credit<T>(
  items: AsyncIterable<T>,
  pool: CreditPool,
  observer: PipelineObserver,
  signal: AbortSignal,
): Observable<Credited<T>> {
  return new Observable(subscriber => {
    const unsubscribed = new AbortController();
    const stopped = AbortSignal.any([signal, unsubscribed.signal]);
    const iterator = items[Symbol.asyncIterator]();

    const pull = async (): Promise<void> => {
      while (!stopped.aborted) {
        const waitedFrom = performance.now();
        const slot = await pool.acquire(stopped);
        if (slot === undefined) break;
        const waited = (performance.now() - waitedFrom) / 1000;
        const coming = pool.itemOf(iterator.next());
        observer.credits(pool.empty, pool.total, waited);
        const next = await coming.catch(error => {
          pool.release(slot);
          throw error;
        });
        if (next.done || unsubscribed.signal.aborted) {
          pool.release(slot);
          break;
        }
        observer.credits(pool.empty, pool.total, 0);
        subscriber.next({ item: next.value, slot });
      }
      await iterator.return?.();
      subscriber.complete();
    };
    pull().catch(error => subscriber.error(error));
    return () => unsubscribed.abort();
  });
}
