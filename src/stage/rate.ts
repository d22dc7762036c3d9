/**
 * Events a second over the last `window` seconds, in bins of one second. Whatever shows a pace (progress events, the terminal, the
 * page) counts by this, so that no two figures on a screen disagree.
 */
export class RateMeter {
  readonly #now: () => number;
  readonly #bins: number[];
  readonly #startedAt: number;
  #second: number;

  /** `now` in seconds, monotonic. */
  constructor(now: () => number = () => performance.now() / 1000, window = 10) {
    this.#now = now;
    // One more than the window: the newest bin is still filling.
    this.#bins = new Array<number>(window + 1).fill(0);
    this.#startedAt = now();
    this.#second = Math.floor(this.#startedAt);
  }

  add(count = 1): void {
    this.#advance();
    const bin = this.#second % this.#bins.length;
    this.#bins[bin] = this.#bins[bin]! + count;
  }

  get perSecond(): number {
    const now = this.#advance();
    // Less than a window after the start, and never a whole window: the oldest bin ended this long ago.
    const covered = Math.min(now - this.#startedAt, this.#bins.length - 1 + (now - Math.floor(now)));
    const sum = this.#bins.reduce((total, count) => total + count, 0);
    return sum === 0 ? 0 : sum / Math.max(covered, 1);
  }

  #advance(): number {
    const now = this.#now();
    const second = Math.floor(now);
    const steps = Math.min(second - this.#second, this.#bins.length);
    for (let step = 1; step <= steps; step++) this.#bins[(this.#second + step) % this.#bins.length] = 0;
    this.#second = second;
    return now;
  }
}
