import { errors, type NatsConnection } from '@nats-io/nats-core';
import { StromaflowError } from '../errors.js';
import type { BusEvent, EventBus } from './bus.js';
import { EventQueue, readUntilLeft } from './event-queue.js';
import { CorePublisher, type Publisher } from './nats-publisher.js';
import { type ProcessOptions, processStream } from './stream/process-stream.js';
import { StreamPublisher } from './stream/stream-publisher.js';
import { StreamReader, toEvent } from './stream/stream-reader.js';
import { Streams } from './stream/streams.js';

export interface NatsBus extends EventBus {
  /** Resolves once the server knows every subscription made so far. */
  flush(): Promise<void>;
  /** Reads what the streams of a prefix keep. */
  reader(prefix: string): StreamReader;
  /** The connection itself, for the queues of shared work. */
  readonly connection: NatsConnection;
  /** See processStream. */
  process(
    prefix: string,
    pattern: string,
    options: ProcessOptions,
    handle: (event: BusEvent) => Promise<void>,
  ): Promise<void>;
}

/** The bus over a connection, however it was made; in browsers, too. */
export class NatsConnectionBus implements NatsBus {
  readonly description: string;
  readonly kept: Streams | undefined;
  readonly #nc: NatsConnection;
  readonly #publisher: Publisher;
  readonly #queues = new Set<EventQueue>();
  readonly #readers = new Map<string, StreamReader>();
  #connected = true;
  #closing: Promise<void> | undefined;

  constructor(nc: NatsConnection, shown: string, streams: Streams | string | undefined) {
    this.#nc = nc;
    const how = streams instanceof Streams ? ', JetStream' : streams && `, core publish: ${streams}`;
    this.description = `${shown} (server ${nc.info?.version}${how ?? ''})`;
    if (streams instanceof Streams) {
      this.kept = streams;
      this.#publisher = new StreamPublisher(nc, {
        onStored: (event, at) => streams.stored(event, at),
        onDuplicate: (event, at) => streams.holds(event, at),
        onTaken: event => streams.makeRoom(event),
        onAbsent: () => streams.awaitRestored(),
      });
    } else this.#publisher = new CorePublisher(nc);
    void this.#followStatus();
    void nc.closed().then(error => this.#onClosed(error ?? undefined));
  }

  get connected(): boolean {
    return this.#connected;
  }

  async publish(event: BusEvent, signal?: AbortSignal): Promise<void> {
    if (this.#closing) throw new StromaflowError('BUS_PUBLISH', `${event.subject}: the bus is closed`);
    return this.#publisher.publish(event, signal);
  }

  subscribe(pattern: string, signal: AbortSignal): AsyncIterable<BusEvent> {
    const queue = new EventQueue();
    if (this.#closing || signal.aborted) {
      queue.end();
      return queue;
    }
    const subscription = this.#nc.subscribe(pattern, {
      callback: (error, message) => {
        if (error) {
          queue.end(new StromaflowError('BUS_SUBSCRIBE', `${pattern}: ${error.message}`, { cause: error }));
          return;
        }
        const event = toEvent(message);
        if (event) queue.push(event);
      },
    });
    const leave = () => {
      signal.removeEventListener('abort', leave);
      this.#queues.delete(queue);
      queue.cancel();
      if (!subscription.isClosed()) subscription.unsubscribe();
    };
    this.#queues.add(queue);
    signal.addEventListener('abort', leave, { once: true });
    return readUntilLeft(queue, leave);
  }

  async flush(): Promise<void> {
    await this.#nc.flush();
  }

  get connection(): NatsConnection {
    return this.#nc;
  }

  reader(prefix: string): StreamReader {
    const reader = this.#readers.get(prefix) ?? new StreamReader(this.#nc, prefix);
    this.#readers.set(prefix, reader);
    return reader;
  }

  process(
    prefix: string,
    pattern: string,
    options: ProcessOptions,
    handle: (event: BusEvent) => Promise<void>,
  ): Promise<void> {
    return processStream(this.#nc, this.reader(prefix), pattern, options, handle);
  }

  close(): Promise<void> {
    this.#closing ??= this.#drain();
    return this.#closing;
  }

  async #drain(): Promise<void> {
    const away = () => new StromaflowError('BUS_UNREACHABLE', `${this.description}: closed while the server was away`);
    if (!this.#connected) this.#publisher.fail(away());
    // Streams that are not there are waited for no longer.
    this.kept?.close();
    await this.#publisher.idle();
    for (const queue of this.#queues) queue.end();
    // drain() waits for a PONG: without a server it would wait for the next one.
    if (this.#connected) await this.#nc.drain().catch(() => this.#nc.close());
    else await this.#nc.close();
  }

  async #followStatus(): Promise<void> {
    for await (const status of this.#nc.status()) {
      if (status.type === 'disconnect') this.#setConnected(false);
      else if (status.type === 'reconnect') this.#setConnected(true);
      else if (status.type === 'error' && status.error instanceof errors.PermissionViolationError) {
        this.#publisher.refuse(status.error.subject, status.error);
      }
    }
  }

  #setConnected(connected: boolean): void {
    this.#connected = connected;
    this.#publisher.setConnected(connected);
    // What the server lost meanwhile is found out even when nothing waits to be published.
    if (connected) this.kept?.restore().catch(() => undefined);
    if (!connected && this.#closing) {
      this.#publisher.fail(new StromaflowError('BUS_UNREACHABLE', `${this.description}: lost while closing`));
    }
  }

  #onClosed(error: Error | undefined): void {
    this.#connected = false;
    this.kept?.close();
    const failure = new StromaflowError('BUS_UNREACHABLE', `${this.description}: connection closed`, { cause: error });
    this.#publisher.fail(failure);
    for (const queue of this.#queues) queue.end(this.#closing ? undefined : failure);
    this.#queues.clear();
  }
}
