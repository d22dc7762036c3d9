import { randomBytes } from 'node:crypto';

/** Messages that are kept for readers who come back. */
const KEPT = 1024;

export interface StreamMessage {
  /** Last-Event-ID of who has read it. */
  readonly id: string;
  readonly event: string;
  /** JSON, one line. */
  readonly data: string;
}

type Listener = (message: StreamMessage) => void;

/** What one slide's viewers are told, in order, each message with an id from which reading can go on. */
export class EventStream {
  /** Another process's ids mean nothing here. */
  readonly #start = randomBytes(4).toString('hex');
  readonly #kept: StreamMessage[] = [];
  readonly #listeners = new Set<Listener>();
  #sent = 0;

  get listeners(): number {
    return this.#listeners.size;
  }

  /** Where a reader stands who knows everything until now. */
  get position(): string {
    return `${this.#start}-${this.#sent}`;
  }

  send(event: string, data: object): void {
    this.#sent += 1;
    const message = { id: this.position, event, data: JSON.stringify(data) };
    this.#kept.push(message);
    if (this.#kept.length > KEPT) this.#kept.shift();
    for (const listener of this.#listeners) listener(message);
  }

  /** What came after an id; undefined when that is not known any more, so that everything must be asked for anew. */
  since(id: string): readonly StreamMessage[] | undefined {
    const [, start, number] = /^([0-9a-f]{8})-(\d{1,12})$/.exec(id) ?? [];
    const missed = this.#sent - Number(number);
    if (start !== this.#start || !(missed >= 0) || missed > this.#kept.length) return undefined;
    return this.#kept.slice(this.#kept.length - missed);
  }

  /** @returns a function that ends it. */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}
