/** Items that come by themselves, for one consumer that takes them when it can. `onReturn` hears when it wants no more. */
export class ArrivalQueue<T> implements AsyncIterableIterator<T, undefined> {
  readonly #items: T[] = [];
  readonly #onReturn: () => void;
  #next = 0;
  #ended = false;
  #failure: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;

  constructor(onReturn: () => void = () => undefined) {
    this.#onReturn = onReturn;
  }

  push(item: T): void {
    if (this.#ended) return;
    this.#items.push(item);
    this.#wake?.();
  }

  /** What was pushed is still given out. */
  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  fail(error: unknown): void {
    this.#failure = { error };
    this.end();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    for (;;) {
      if (this.#next < this.#items.length) return { done: false, value: this.#take() };
      if (this.#failure) throw this.#failure.error;
      if (this.#ended) return { done: true, value: undefined };
      await new Promise<void>(resolve => {
        this.#wake = resolve;
      });
    }
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    this.#items.length = 0;
    this.#next = 0;
    this.end();
    this.#onReturn();
    return { done: true, value: undefined };
  }

  #take(): T {
    const item = this.#items[this.#next++]!;
    // A shift an item would be quadratic when a whole slide is due at once.
    if (this.#next === this.#items.length) {
      this.#items.length = 0;
      this.#next = 0;
    }
    return item;
  }
}
