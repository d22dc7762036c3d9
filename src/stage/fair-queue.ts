/**
 * Many sources, one consumer: takes an item from each source in turn, so that a large slide cannot hold up a small one.
 * A source that has nothing yet is passed over; one with priority n is asked n times a round. When the signal aborts it
 * ends at once, and `dropped` hears of every item that was taken from a source but not handed on.
 */
export class FairQueue<T> implements AsyncIterable<T>, AsyncIterator<T, undefined> {
  readonly #sources: Source<T>[] = [];
  #turn = 0;
  #closed = false;
  #wake: (() => void) | undefined;
  readonly #dropped: (item: T) => void;

  constructor(options: { readonly signal?: AbortSignal; readonly dropped?: (item: T) => void } = {}) {
    this.#dropped = options.dropped ?? (() => undefined);
    options.signal?.addEventListener('abort', () => void this.return(), { once: true });
    if (options.signal?.aborted) this.#closed = true;
  }

  /** Adds a source; `priority` is its share, a whole number ≥ 1. */
  add(items: Iterable<T> | AsyncIterable<T>, priority = 1): void {
    const iterator =
      Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : (items[Symbol.iterator]() as Iterator<T>);
    if (this.#closed) {
      void iterator.return?.();
      return;
    }
    const source: Source<T> = {
      iterator,
      priority,
      served: 0,
      ready: undefined,
      failure: undefined,
      ended: false,
      abandoned: false,
    };
    this.#sources.push(source);
    this.#refill(source);
  }

  /** No source will follow; iteration ends when those added are used up. */
  close(): void {
    this.#closed = true;
    this.#wake?.();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** One consumer: call again only after the last call resolved. */
  async next(): Promise<IteratorResult<T, undefined>> {
    for (;;) {
      const taken = this.#take();
      if (taken) return { done: false, value: taken.value };
      if (this.#closed && this.#sources.length === 0) return { done: true, value: undefined };
      await new Promise<void>(resolve => {
        this.#wake = resolve;
      });
    }
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    const sources = this.#sources.splice(0);
    this.#closed = true;
    for (const source of sources) {
      source.abandoned = true;
      if (source.ready) this.#dropped(source.ready.value);
    }
    this.#wake?.();
    await Promise.all(sources.map(source => source.iterator.return?.()));
    return { done: true, value: undefined };
  }

  #take(): { value: T } | undefined {
    for (let tried = 0; tried < this.#sources.length; ) {
      this.#turn %= this.#sources.length;
      const source = this.#sources[this.#turn]!;
      if (source.failure !== undefined) {
        this.#sources.splice(this.#turn, 1);
        throw source.failure.error;
      }
      if (source.ended) {
        this.#sources.splice(this.#turn, 1);
        continue;
      }
      const { ready } = source;
      if (ready) {
        source.ready = undefined;
        source.served += 1;
        if (source.served >= source.priority) this.#pass(source);
        this.#refill(source);
        return ready;
      }
      this.#pass(source);
      tried += 1;
    }
    return undefined;
  }

  #pass(source: Source<T>): void {
    source.served = 0;
    this.#turn += 1;
  }

  #refill(source: Source<T>): void {
    const settle = (result: IteratorResult<T>): void => {
      if (source.abandoned) {
        if (!result.done) this.#dropped(result.value);
        return;
      }
      if (result.done) source.ended = true;
      else source.ready = { value: result.value };
      this.#wake?.();
    };
    const fail = (error: unknown): void => {
      source.failure = { error };
      this.#wake?.();
    };
    try {
      const result = source.iterator.next();
      if (result instanceof Promise) result.then(settle, fail);
      else settle(result);
    } catch (error) {
      fail(error);
    }
  }
}

interface Source<T> {
  readonly iterator: Iterator<T> | AsyncIterator<T>;
  readonly priority: number;
  served: number;
  ready: { value: T } | undefined;
  failure: { error: unknown } | undefined;
  ended: boolean;
  /** The queue ended before the source did. */
  abandoned: boolean;
}
