import type { NatsConnection } from '@nats-io/nats-core';
import type { StromaflowError } from '../errors.js';
import type { BusEvent } from './bus.js';
import { type Outgoing, publishError, send, sendOff, WINDOW } from './outgoing.js';

/** How a bus hands events to the server and learns that it has them. StreamPublisher waits for JetStream's instead. */
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

/**
 * Core NATS has no acknowledgement, but a server answers a PING only after everything before it on that connection:
 * events published in one turn of the event loop share one PING (nc.flush()), and its PONG confirms them all. When the
 * connection breaks first, they are sent again after the next one is up: at least once, with the same Nats-Msg-Id.
 */
export class CorePublisher implements Publisher {
  readonly #nc: NatsConnection;
  #queue: Outgoing[] = [];
  readonly #sent = new Set<Outgoing>();
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
    return sendOff(event, signal, outgoing => {
      this.#queue.push(outgoing);
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
    const batch: Outgoing[] = [];
    let taken = 0;
    for (const waiting of this.#queue) {
      const full = this.#sent.size >= WINDOW.events || this.#sentBytes + waiting.bytes > WINDOW.bytes;
      if (full && this.#sent.size > 0) break;
      taken += 1;
      if (waiting.settled || !send(this.#nc, waiting)) continue;
      batch.push(waiting);
      this.#sent.add(waiting);
      this.#sentBytes += waiting.bytes;
    }
    this.#queue.splice(0, taken);
    if (batch.length > 0) await this.#confirm(batch);
    this.#checkIdle();
  }

  async #confirm(batch: readonly Outgoing[]): Promise<void> {
    let lost = false;
    try {
      await this.#nc.flush();
      // A refusal (-ERR) arrives before the PONG but is told through an async iterator: let that run first.
      await new Promise<void>(resolve => (globalThis.setImmediate ?? setTimeout)(() => resolve()));
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
