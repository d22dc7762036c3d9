/** How many patches of a slide are inside the graph, and how many of those wait for neighbours. */
export class Presence {
  /** Resolves when none is inside but those that wait, and none will follow. */
  readonly drained: Promise<void>;
  #resolveDrained: () => void = () => undefined;
  #inside = 0;
  #waiting = 0;
  #exhausted = false;
  #change: { readonly promise: Promise<void>; resolve(): void } | undefined;

  constructor() {
    this.drained = new Promise(resolve => {
      this.#resolveDrained = resolve;
    });
  }

  /** Patches that were given out and have not left. */
  get inside(): number {
    return this.#inside;
  }

  /** All of them wait for neighbours. */
  get isStill(): boolean {
    return this.#inside === this.#waiting;
  }

  enter(patches = 1): void {
    this.#inside += patches;
  }

  leave(): void {
    this.#inside -= 1;
    this.#changed();
  }

  /** So many wait now. */
  wait(count: number): void {
    this.#waiting = count;
    this.#changed();
  }

  /** None will follow. */
  end(): void {
    this.#exhausted = true;
    this.#check();
  }

  /** Resolves when a patch has left, or how many wait has changed. */
  changed(): Promise<void> {
    if (!this.#change) {
      let resolve: () => void = () => undefined;
      const promise = new Promise<void>(done => {
        resolve = done;
      });
      this.#change = { promise, resolve };
    }
    return this.#change.promise;
  }

  #changed(): void {
    this.#check();
    this.#change?.resolve();
    this.#change = undefined;
  }

  #check(): void {
    if (this.#exhausted && this.isStill) this.#resolveDrained();
  }
}
