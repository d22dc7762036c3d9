import { from, Observable, type ObservableInput } from 'rxjs';

/**
 * mergeMap over a source that is pulled: the next item is asked for only once fewer than `concurrency` projections run,
 * so that a large source is never held as a whole (mergeMap over an async iterable drains it at once). Items are asked for
 * one at a time. When the subscriber leaves, or a projection fails, the source is closed and no further item is asked for.
 */
export function pull<T, R>(
  items: AsyncIterable<T>,
  project: (item: T) => ObservableInput<R>,
  concurrency: number,
): Observable<R> {
  if (!(concurrency >= 1)) throw new RangeError(`${concurrency} projections at once`);
  return new Observable(subscriber => {
    const iterator = items[Symbol.asyncIterator]();
    let running = 0;
    let asking = false;
    let ended = false;

    const ask = async (): Promise<void> => {
      if (asking) return;
      asking = true;
      while (!ended && !subscriber.closed && running < concurrency) {
        const next = await iterator.next();
        if (subscriber.closed) return;
        if (next.done) ended = true;
        else start(next.value);
      }
      asking = false;
      if (ended && running === 0) subscriber.complete();
    };
    const askOn = (): void => {
      ask().catch(error => {
        ended = true;
        subscriber.error(error);
      });
    };
    const start = (item: T): void => {
      running += 1;
      subscriber.add(
        from(project(item)).subscribe({
          next: value => subscriber.next(value),
          error: error => subscriber.error(error),
          complete: () => {
            running -= 1;
            askOn();
          },
        }),
      );
    };

    askOn();
    return () => {
      if (!ended) void iterator.return?.()?.catch(() => undefined);
    };
  });
}
