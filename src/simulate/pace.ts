import { setTimeout as sleep } from 'node:timers/promises';

export interface Pace {
  /** Waits until the next tile is due. */
  next(): Promise<void>;
  /** Waits for `seconds`; what comes after is due that much later. */
  stall(seconds: number): Promise<void>;
}

export interface PaceOptions {
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds that never go back. */
  readonly now?: () => number;
  readonly wait?: (ms: number, signal: AbortSignal | undefined) => Promise<void>;
}

/** At full speed the event loop still gets a turn this often, for timers and signals of the same process. */
const TURN = 64;

/**
 * Tile i is due i / rate seconds after the first: late tiles catch up, so the rate holds over the scan whatever one write
 * took.
 *
 * @param rate tiles a second; 0 never waits.
 */
export function createPace(rate: number, options: PaceOptions = {}): Pace {
  const {
    signal,
    now = () => performance.now(),
    wait = (ms, stop) => sleep(ms, undefined, { signal: stop }),
  } = options;
  let start: number | undefined;
  let count = 0;
  const until = async (due: number): Promise<void> => {
    for (let left = due - now(); left > 0; left = due - now()) {
      // A timer may fire a fraction early; the rest is waited for again. Node warns about waits beyond 31 bits.
      await wait(Math.min(Math.ceil(left), 2 ** 31 - 1), signal).catch(error => {
        signal?.throwIfAborted();
        throw error;
      });
    }
    signal?.throwIfAborted();
  };
  return {
    next: async () => {
      start ??= now();
      const index = count++;
      if (rate > 0) await until(start + (index * 1000) / rate);
      else if (index % TURN === 0) await wait(0, signal).catch(() => undefined);
      signal?.throwIfAborted();
    },
    stall: async seconds => {
      const from = now();
      await until(from + seconds * 1000);
      start = (start ?? from) + seconds * 1000;
    },
  };
}
