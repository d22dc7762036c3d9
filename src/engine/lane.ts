import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineThread, Outcome } from './engine-thread.js';

export interface LaneOptions {
  /** Starts a thread; called again after each one that is gone. */
  readonly start: (signal: AbortSignal) => Promise<EngineThread>;
  /** Milliseconds to wait before the start after this many failures in a row, from 1. */
  readonly delay: (failures: number) => number;
  /** Failures of all lanes since the last success. */
  readonly failures: () => number;
  /** A thread could not be started again; throws when it is time to give up. */
  readonly onStartFailed: (error: unknown) => void;
  readonly onRestarted: () => void;
}

/** One place where batches run: an engine's thread, and the next one when it is gone. */
export class Lane {
  readonly #options: LaneOptions;
  readonly #closing = new AbortController();
  #thread: EngineThread;
  #restart: Promise<void> | undefined;
  #waiting = 0;

  constructor(thread: EngineThread, options: LaneOptions) {
    this.#thread = thread;
    this.#options = options;
  }

  /** Batches here, running or waiting. */
  get load(): number {
    return this.#thread.load + this.#waiting;
  }

  /** Rejects only when the lane is closed or gives up. */
  async run(slots: readonly number[]): Promise<Outcome> {
    this.#waiting++;
    try {
      while (this.#thread.gone) {
        this.#restart ??= this.#startAgain().finally(() => {
          this.#restart = undefined;
        });
        await this.#restart;
      }
    } finally {
      this.#waiting--;
    }
    return this.#thread.run(slots);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#restart?.catch(() => {});
    await this.#thread.close();
  }

  async #startAgain(): Promise<void> {
    const { signal } = this.#closing;
    await sleep(this.#options.delay(this.#options.failures()), undefined, { signal });
    try {
      this.#thread = await this.#options.start(signal);
    } catch (error) {
      signal.throwIfAborted();
      this.#options.onStartFailed(error);
      return;
    }
    this.#options.onRestarted();
  }
}
