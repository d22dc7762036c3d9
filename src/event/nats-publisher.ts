import { setImmediate } from 'node:timers/promises';
import { headers as createHeaders, type MsgHdrs, type NatsConnection } from '@nats-io/nats-core';
import { StromaflowError } from '../errors.js';
import type { BusEvent } from './bus.js';
import { toHeaders } from './cloudevent-headers.js';

/** How a bus hands events to the server and learns that it has them. A JetStream one would wait for PubAcks instead. */
export interface Publisher {
  publish(event: BusEvent, signal?: AbortSignal): Promise<void>;
  /** Connection came back, went away. */
  setConnected(connected: boolean): void;
  /** The server refused this subject. */
  refuse(subject: string, error: Error): void;
  /** Resolves when nothing waits any more. */
  idle(): Promise<void>;
  /** Rejects everything that waits and all that is still to come. */
  fail(error: StromaflowError): void;
}

/** Most events, and bytes, sent but not yet confirmed. Bytes bound what a lost connection makes us send again. */
const WINDOW = { events: 1024, bytes: 8 * 2 ** 20 };

interface Waiting {
  readonly event: BusEvent;
  readonly headers: MsgHdrs;
  readonly bytes: number;
  settled: boolean;
  readonly settle: (error?: unknown) => void;
}

/**
 * Core NATS has no acknowledgement, but a server answers a PING only after everything before it on that connection:
 * events published in one turn of the event loop share one PING (nc.flush()), and its PONG confirms them all. When the
 * connection breaks first, they are sent again after the next one is up: at least once, with the same Nats-Msg-Id.
 */
export class CorePublisher implements Publisher {
  readonly #nc: NatsConnection;
  #queue: Waiting[] = [];
  readonly #sent = new Set<Waiting>();
  #sentBytes = 0;
  #connected = true;
  #pumping = false;
  #failure: StromaflowError | undefined;
  #idle: (() => void)[] = [];

  constructor(nc: NatsConnection) {
    this.#nc = nc;
  }

  publish(event: BusEvent, signal?: AbortSignal): Promise<void> {
    if (this.#failure) return Promise.reject(this.#failure);
    if (signal?.aborted) return Promise.reject(signal.reason);
    const { headers, bytes } = encode(event);
    return new Promise((resolve, reject) => {
      const abort = () => waiting.settle(signal?.reason);
      const waiting: Waiting = {
        event,
        headers,
        bytes,
        settled: false,
        settle: error => {
          if (waiting.settled) return;
          waiting.settled = true;
          signal?.removeEventListener('abort', abort);
          if (error === undefined) resolve();
          else reject(error);
        },
      };
      signal?.addEventListener('abort', abort, { once: true });
      this.#queue.push(waiting);
      this.#schedule();
    });
  }

  setConnected(connected: boolean): void {
    this.#connected = connected;
    if (connected) this.#schedule();
  }

  refuse(subject: string, cause: Error): void {
    for (const waiting of this.#sent) {
      if (waiting.event.subject === subject) waiting.settle(publishError(waiting.event, cause.message, cause));
    }
  }

  idle(): Promise<void> {
    return this.#sent.size + this.#queue.length === 0 ? Promise.resolve() : new Promise(done => this.#idle.push(done));
  }

  fail(error: StromaflowError): void {
    this.#failure ??= error;
    for (const waiting of [...this.#sent, ...this.#queue]) waiting.settle(this.#failure);
    this.#queue = [];
    this.#sent.clear();
    this.#sentBytes = 0;
    this.#checkIdle();
  }

  #schedule(): void {
    if (this.#pumping || !this.#connected) return;
    this.#pumping = true;
    queueMicrotask(() => {
      this.#pumping = false;
      void this.#sendWhatFits();
    });
  }

  async #sendWhatFits(): Promise<void> {
    const batch: Waiting[] = [];
    let taken = 0;
    for (const waiting of this.#queue) {
      const full = this.#sent.size >= WINDOW.events || this.#sentBytes + waiting.bytes > WINDOW.bytes;
      if (full && this.#sent.size > 0) break;
      taken += 1;
      if (waiting.settled || !this.#send(waiting)) continue;
      batch.push(waiting);
      this.#sent.add(waiting);
      this.#sentBytes += waiting.bytes;
    }
    this.#queue.splice(0, taken);
    if (batch.length > 0) await this.#confirm(batch);
    this.#checkIdle();
  }

  #send({ event, headers, bytes, settle }: Waiting): boolean {
    const limit = this.#nc.info?.max_payload;
    if (limit !== undefined && bytes > limit) {
      const detail = `${bytes} bytes with headers, but the server's max_payload is ${limit}`;
      settle(publishError(event, detail, undefined, 'raise max_payload on the NATS server or use smaller patches'));
      return false;
    }
    try {
      this.#nc.publish(event.subject, event.data, { headers });
      return true;
    } catch (error) {
      settle(publishError(event, error instanceof Error ? error.message : String(error), error));
      return false;
    }
  }

  async #confirm(batch: readonly Waiting[]): Promise<void> {
    let lost = false;
    try {
      await this.#nc.flush();
      // A refusal (-ERR) arrives before the PONG but is told through an async iterator: let that run first.
      await setImmediate();
    } catch {
      lost = true;
    }
    if (this.#failure) return;
    for (const waiting of batch) {
      this.#sent.delete(waiting);
      this.#sentBytes -= waiting.bytes;
      if (!lost) waiting.settle();
    }
    if (lost) this.#queue = [...batch.filter(waiting => !waiting.settled), ...this.#queue];
    this.#schedule();
  }

  #checkIdle(): void {
    if (this.#sent.size + this.#queue.length > 0) return;
    const done = this.#idle;
    this.#idle = [];
    for (const resolve of done) resolve();
  }
}

function encode(event: BusEvent): { headers: MsgHdrs; bytes: number } {
  const headers = createHeaders();
  // "NATS/1.0\r\n", then "name: value\r\n" each, then "\r\n": all ASCII, so a character is a byte.
  let bytes = 'NATS/1.0\r\n\r\n'.length + event.data.byteLength;
  for (const [name, value] of toHeaders(event)) {
    headers.set(name, value);
    bytes += name.length + value.length + ': \r\n'.length;
  }
  return { headers, bytes };
}

function publishError(event: BusEvent, detail: string, cause?: unknown, fix?: string): StromaflowError {
  return new StromaflowError('BUS_PUBLISH', `${event.subject}: ${detail}`, { cause, ...(fix ? { fix } : {}) });
}
