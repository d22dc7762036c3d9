import { Observable } from 'rxjs';

/** Events as they come: for `for await`, and for RxJS. Of one of them it is one subscription: use it once. */
export class EventStream<T> implements AsyncIterable<T> {
  readonly #open: () => AsyncGenerator<T, void, void>;
  readonly #leave: () => void;

  /** `leave` ends a wait for the next event. */
  constructor(open: () => AsyncGenerator<T, void, void>, leave: () => void) {
    this.#open = open;
    this.#leave = leave;
  }

  [Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    return this.#open();
  }

  /** The same as an Observable, for its first subscriber. Unsubscribing ends the subscription on the server, too. */
  observable(): Observable<T> {
    return new Observable(subscriber => {
      void (async () => {
        try {
          for await (const item of this) {
            if (subscriber.closed) return;
            subscriber.next(item);
          }
          subscriber.complete();
        } catch (error) {
          subscriber.error(error);
        }
      })();
      return () => this.#leave();
    });
  }
}
