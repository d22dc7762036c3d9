import { StromaflowError } from '../errors.js';
import type { BusEvent } from './bus.js';

/**
 * What stands between a bus and one subscriber's `for await`. Bounded: a bus cannot slow its publishers down for one
 * subscriber, and dropping events unseen would make areas wrong, so a subscriber that falls too far behind is told.
 */
export class EventQueue {
  readonly #limitBytes: number;
  readonly #events: (BusEvent | undefined)[] = [];
  #head = 0;
  #bytes = 0;
  #ended = false;
  #failure: StromaflowError | undefined;
  #wake: (() => void) | undefined;

  constructor(limitBytes = 256 * 2 ** 20) {
    this.#limitBytes = limitBytes;
  }

  push(event: BusEvent): void {
    if (this.#ended) return;
    this.#bytes += event.data.byteLength + EVENT_OVERHEAD;
    this.#events.push(event);
    if (this.#bytes > this.#limitBytes) {
      this.#discard();
      this.end(new StromaflowError('BUS_SLOW_SUBSCRIBER', `more than ${this.#limitBytes} bytes of events wait unread`));
    }
    this.#wake?.();
  }

  /** What is queued is still delivered; then the iteration returns, or throws `failure`. */
  end(failure?: StromaflowError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = failure;
    this.#wake?.();
  }

  /** For an aborted subscriber: nothing more is delivered. */
  cancel(): void {
    this.#discard();
    this.end();
  }

  /** One reader only. */
  async *[Symbol.asyncIterator](): AsyncGenerator<BusEvent, void, void> {
    while (true) {
      const event = this.#shift();
      if (event) yield event;
      else if (this.#failure) throw this.#failure;
      else if (this.#ended) return;
      else {
        await new Promise<void>(resolve => {
          this.#wake = resolve;
        });
        this.#wake = undefined;
      }
    }
  }

  #shift(): BusEvent | undefined {
    const event = this.#events[this.#head];
    if (!event) return undefined;
    // A moving head keeps a long queue O(1) a read; the array is cut when half of it has been read.
    this.#events[this.#head] = undefined;
    this.#head += 1;
    if (this.#head * 2 > this.#events.length) {
      this.#events.splice(0, this.#head);
      this.#head = 0;
    }
    this.#bytes -= event.data.byteLength + EVENT_OVERHEAD;
    return event;
  }

  #discard(): void {
    this.#events.length = 0;
    this.#head = 0;
    this.#bytes = 0;
  }
}

/** Headers, strings and object of an event without its data, roughly, in bytes. */
const EVENT_OVERHEAD = 1024;

/** Reads a queue; leaving the loop (break, return, throw) ends the subscription too. */
export async function* readUntilLeft(queue: EventQueue, leave: () => void): AsyncGenerator<BusEvent, void, void> {
  try {
    yield* queue;
  } finally {
    leave();
  }
}
