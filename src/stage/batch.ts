import { Observable, type OperatorFunction } from 'rxjs';
import type { FlushReason, PipelineObserver } from './observer.js';

export interface BatchOptions {
  /** Patches a batch, ≥ 1. */
  readonly size: number;
  /** Milliseconds a patch may wait for others, counted from the first of its batch, ≥ 0. */
  readonly delayMs: number;
  /** While it says no, a part-filled batch goes on filling although its delay is over. */
  readonly gate: EngineGate;
  readonly observer: PipelineObserver;
}

/**
 * Size-or-delay batching: a batch leaves when it is full, when its first item has waited `delayMs` and the engine is
 * free to take it, or when the source ends. Never emits an empty batch; keeps the order.
 */
export function batch<T>({ size, delayMs, gate, observer }: BatchOptions): OperatorFunction<T, readonly T[]> {
  return source =>
    new Observable(subscriber => {
      let open: T[] = [];
      let firstAt = 0;
      let due = false;
      let timer: NodeJS.Timeout | undefined;

      const flush = (reason: FlushReason): void => {
        if (timer) clearTimeout(timer);
        timer = undefined;
        due = false;
        if (open.length === 0) return;
        const sealed = open;
        open = [];
        const waited = (performance.now() - firstAt) / 1000;
        observer.batched(sealed.length, reason, waited);
        for (const _ of sealed) observer.left('batch', 'ok', waited);
        subscriber.next(sealed);
      };
      const flushIfDue = (): void => {
        if (due && gate.free) flush('delay');
      };
      const stopListening = gate.onFree(flushIfDue);
      const subscription = source.subscribe({
        next: item => {
          if (open.length === 0) {
            firstAt = performance.now();
            timer = setTimeout(() => {
              due = true;
              flushIfDue();
            }, delayMs);
          }
          observer.entered('batch');
          open.push(item);
          if (open.length >= size) flush('full');
        },
        error: error => {
          if (timer) clearTimeout(timer);
          subscriber.error(error);
        },
        complete: () => {
          flush('end');
          subscriber.complete();
        },
      });
      return () => {
        if (timer) clearTimeout(timer);
        stopListening();
        subscription.unsubscribe();
      };
    });
}

/** Says whether the engine could start another batch now; the segment stage keeps it, the batch stage reads it. */
export class EngineGate {
  readonly #capacity: number;
  readonly #listeners = new Set<() => void>();
  #running = 0;

  /** `capacity`: batches the engine runs at once. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get free(): boolean {
    return this.#running < this.#capacity;
  }

  enter(): void {
    this.#running += 1;
  }

  leave(): void {
    this.#running -= 1;
    if (this.free) for (const listener of this.#listeners) listener();
  }

  /** Calls back whenever the engine becomes free; returns the function that stops it. */
  onFree(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
