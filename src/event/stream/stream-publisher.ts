import { createInbox, type Msg, type NatsConnection, nuid, type Subscription, TimeoutError } from '@nats-io/nats-core';
import { StromaflowError } from '../../errors.js';
import type { BusEvent } from '../bus.js';
import { encodeHeaderValue } from '../cloudevent-headers.js';
import type { Publisher } from '../nats-publisher.js';
import { type Outgoing, publishError, send, sendOff, WINDOW } from '../outgoing.js';

/** What JetStream answers to an event it took. */
export interface StoredAt {
  readonly stream: string;
  readonly seq: number;
  /** It had it already. */
  readonly duplicate: boolean;
}

export interface StreamPublisherOptions {
  /** Told of each event that a stream took. */
  readonly onStored?: (event: BusEvent, at: StoredAt) => void;
  /** It was called a repeat of what stands there: true when that is so. What was deleted meanwhile is called one, too. */
  readonly onDuplicate: (event: BusEvent, at: StoredAt) => Promise<boolean>;
  /** Its subject holds a message already: true when that is this very event, else it is out of the way when this resolves. */
  readonly onTaken: (event: BusEvent) => Promise<boolean>;
  /** No stream has its subject: resolves when one may again, rejects when there will be none. */
  readonly onAbsent: () => Promise<void>;
  /** Milliseconds without an answer after which an event is sent again. @default 10,000 */
  readonly patienceMs?: number;
}

interface Sent {
  readonly outgoing: Outgoing;
  readonly at: number;
}

/**
 * Publishes to JetStream and waits for its PubAck, many at once. What has none when the connection breaks, or after
 * `patienceMs`, is sent again under the same Nats-Msg-Id. Of one subject one event is under way at a time: an older aggregate
 * that is sent again never comes to stand behind a newer one.
 */
export class StreamPublisher implements Publisher {
  readonly #nc: NatsConnection;
  readonly #options: StreamPublisherOptions;
  readonly #inbox: string;
  readonly #answers: Subscription;
  readonly #watch: NodeJS.Timeout;
  #queue: Outgoing[] = [];
  readonly #sent = new Map<string, Sent>();
  readonly #subjects = new Set<string>();
  /** Wait for something other than a PubAck. */
  #aside = 0;
  #sentBytes = 0;
  #count = 0;
  #connected = true;
  /** Times that the connection broke. */
  #breaks = 0;
  #pumping = false;
  #absent: Promise<void> | undefined;
  #failure: StromaflowError | undefined;
  #idle: (() => void)[] = [];

  constructor(nc: NatsConnection, options: StreamPublisherOptions) {
    this.#nc = nc;
    this.#options = options;
    this.#inbox = createInbox((nc as { options?: { inboxPrefix?: string } }).options?.inboxPrefix);
    this.#answers = nc.subscribe(`${this.#inbox}.*`, {
      callback: (error, answer) => {
        if (error)
          this.fail(new StromaflowError('BUS_SUBSCRIBE', `${this.#inbox}: ${error.message}`, { cause: error }));
        else this.#onAnswer(answer);
      },
    });
    const { patienceMs = 10_000 } = options;
    this.#watch = setInterval(() => this.#sendAgain(performance.now() - patienceMs), patienceMs / 4);
    this.#watch.unref();
  }

  publish(event: BusEvent, signal?: AbortSignal): Promise<void> {
    if (this.#failure) return Promise.reject(this.#failure);
    return sendOff(event, signal, outgoing => {
      this.#queue.push(outgoing);
      this.#schedule();
    });
  }

  setConnected(connected: boolean): void {
    this.#connected = connected;
    // An answer that was under way when the connection broke never comes.
    if (!connected) {
      this.#breaks += 1;
      this.#sendAgain(Infinity);
    } else this.#schedule();
  }

  refuse(subject: string, cause: Error): void {
    for (const [token, { outgoing }] of this.#sent) {
      if (outgoing.event.subject !== subject) continue;
      this.#forget(token);
      outgoing.settle(publishError(outgoing.event, cause.message, cause));
    }
    this.#schedule();
  }

  idle(): Promise<void> {
    return this.#isIdle() ? Promise.resolve() : new Promise(done => this.#idle.push(done));
  }

  fail(error: StromaflowError): void {
    this.#failure ??= error;
    clearInterval(this.#watch);
    if (!this.#answers.isClosed()) this.#answers.unsubscribe();
    for (const { outgoing } of this.#sent.values()) outgoing.settle(this.#failure);
    for (const outgoing of this.#queue) outgoing.settle(this.#failure);
    this.#queue = [];
    this.#sent.clear();
    this.#subjects.clear();
    this.#sentBytes = 0;
    this.#checkIdle();
  }

  #schedule(): void {
    if (this.#pumping || !this.#connected || this.#absent || this.#failure) return;
    this.#pumping = true;
    queueMicrotask(() => {
      this.#pumping = false;
      if (this.#connected && !this.#absent && !this.#failure) this.#sendWhatFits();
    });
  }

  #sendWhatFits(): void {
    const later: Outgoing[] = [];
    let looked = 0;
    for (const outgoing of this.#queue) {
      const full = this.#sent.size >= WINDOW.events || this.#sentBytes + outgoing.bytes > WINDOW.bytes;
      if (full && this.#sent.size > 0) break;
      looked += 1;
      if (outgoing.settled) continue;
      if (this.#subjects.has(outgoing.event.subject)) {
        later.push(outgoing);
        continue;
      }
      this.#count += 1;
      const token = this.#count.toString(36);
      if (!send(this.#nc, outgoing, `${this.#inbox}.${token}`)) continue;
      this.#sent.set(token, { outgoing, at: performance.now() });
      this.#subjects.add(outgoing.event.subject);
      this.#sentBytes += outgoing.bytes;
    }
    if (looked > 0) this.#queue = [...later, ...this.#queue.slice(looked)];
    this.#checkIdle();
  }

  #forget(token: string): Outgoing | undefined {
    const sent = this.#sent.get(token);
    if (!sent) return undefined;
    this.#sent.delete(token);
    this.#subjects.delete(sent.outgoing.event.subject);
    this.#sentBytes -= sent.outgoing.bytes;
    return sent.outgoing;
  }

  #onAnswer(answer: Msg): void {
    const outgoing = this.#forget(answer.subject.slice(this.#inbox.length + 1));
    // The answer to an event that was sent again meanwhile, or that nobody waits for.
    if (!outgoing) return;
    const { event } = outgoing;
    if (answer.headers?.code === NO_RESPONDERS) void this.#awaitStream(outgoing);
    else {
      const { error, stream, seq = 0, duplicate = false } = parse(answer);
      if (error?.description === TAKEN) void this.#lookAside(outgoing, () => this.#options.onTaken(event));
      else if (error || stream === undefined) outgoing.settle(refusal(event, error));
      else if (duplicate) void this.#lookAtDuplicate(outgoing, { stream, seq, duplicate });
      else {
        this.#options.onStored?.(event, { stream, seq, duplicate });
        outgoing.settle();
      }
    }
    this.#schedule();
    this.#checkIdle();
  }

  async #awaitStream(outgoing: Outgoing): Promise<void> {
    this.#queue.unshift(outgoing);
    this.#absent ??= this.#options.onAbsent();
    const { event } = outgoing;
    try {
      await this.#absent;
      this.#absent = undefined;
      this.#schedule();
    } catch (error) {
      this.#absent = undefined;
      outgoing.settle(error instanceof StromaflowError ? error : publishError(event, String(error), error));
      this.#schedule();
    }
  }

  async #lookAtDuplicate(outgoing: Outgoing, at: StoredAt): Promise<void> {
    const { event, headers } = outgoing;
    await this.#lookAside(outgoing, async () => {
      const isThere = await this.#options.onDuplicate(event, at);
      if (isThere) this.#options.onStored?.(event, at);
      // Under its own id the server would go on taking it for what is not there any more.
      else headers.setMessageId(`${encodeHeaderValue(event.id)}#${nuid.next()}`);
      return isThere;
    });
  }

  /** Settles it when `isThere` says so, else sends it again; so, too, where the server did not answer that. */
  async #lookAside(outgoing: Outgoing, isThere: () => Promise<boolean>): Promise<void> {
    const { event } = outgoing;
    this.#aside += 1;
    this.#subjects.add(event.subject);
    const breaks = this.#breaks;
    let again = false;
    try {
      again = !(await isThere());
      if (!again) outgoing.settle();
    } catch (error) {
      // The connection may be there again by the time a question that was lost with it is given up.
      again = !this.#connected || breaks !== this.#breaks || error instanceof TimeoutError;
      if (!again) outgoing.settle(publishError(event, (error as Error).message, error));
    }
    this.#aside -= 1;
    this.#subjects.delete(event.subject);
    if (again && !this.#failure) this.#queue.unshift(outgoing);
    this.#schedule();
    this.#checkIdle();
  }

  #sendAgain(before: number): void {
    const again: Outgoing[] = [];
    for (const [token, { outgoing, at }] of this.#sent) {
      if (at > before) continue;
      this.#forget(token);
      if (!outgoing.settled) again.push(outgoing);
    }
    this.#queue = [...again, ...this.#queue];
    this.#schedule();
    this.#checkIdle();
  }

  #isIdle(): boolean {
    return this.#sent.size + this.#queue.length + this.#aside === 0;
  }

  #checkIdle(): void {
    if (!this.#isIdle()) return;
    const done = this.#idle;
    this.#idle = [];
    for (const resolve of done) resolve();
  }
}

const NO_RESPONDERS = 503;
/** Of error 10077, which stands for whatever the store refused. */
const TAKEN = 'maximum messages per subject exceeded';

interface ApiError {
  readonly code: number;
  readonly err_code?: number;
  readonly description: string;
}
/** A refusal has a stream and a sequence number, too: what tells is `error`. */
interface Reply {
  readonly error?: ApiError;
  readonly stream?: string;
  readonly seq?: number;
  readonly duplicate?: boolean;
}

function parse(answer: Msg): Reply {
  try {
    return answer.json<Reply>();
  } catch {
    return {};
  }
}

/** Storage, memory, the account's share of them, the stream's own limits. */
const FULL = [10002, 10023, 10028, 10047];

function refusal(event: BusEvent, error: ApiError | undefined): StromaflowError {
  const detail = error?.description ?? 'an answer that is no PubAck';
  const isFull = FULL.includes(error?.err_code ?? 0) || /^maximum (bytes|messages) exceeded/.test(detail);
  if (!isFull) return publishError(event, `the stream refused it: ${detail}`);
  return new StromaflowError('EVENTS_FULL', `${event.subject}: the stream is full: ${detail}`);
}
