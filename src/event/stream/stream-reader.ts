import {
  type Consumer,
  type ConsumerMessages,
  DeliverPolicy,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
  type OrderedConsumerOptions,
} from '@nats-io/jetstream';
import type { Msg, MsgHdrs, NatsConnection } from '@nats-io/nats-core';
import { StromaflowError } from '../../errors.js';
import type { BusEvent } from '../bus.js';
import { fromHeaders, type HeaderEntry } from '../cloudevent-headers.js';
import { sleep } from '../sleep.js';
import { matchesSubject } from '../subjects.js';
import { streamLayouts } from './layout.js';
import type { From, Notice, ReadOptions } from './read-options.js';
import { infoOf } from './setup.js';

const LOOK_MS = 250;
const AHEAD = 256;

/** Reads events out of the streams of one prefix. */
export class StreamReader {
  readonly #nc: NatsConnection;
  readonly #prefix: string;

  constructor(nc: NatsConnection, prefix: string) {
    this.#nc = nc;
    this.#prefix = prefix;
  }

  /** Rejects with EVENTS_STREAM where the server keeps nothing. */
  async manager(): Promise<JetStreamManager> {
    if (this.#nc.info?.jetstream === true) return jetstreamManager(this.#nc, { checkAPI: false });
    throw new StromaflowError('EVENTS_STREAM', `${this.#nc.getServer()}: JetStream is not enabled: no event is kept`, {
      fix: "leave out 'from' to get events as they are published, or enable JetStream and run stromaflow events setup",
    });
  }

  /** The stream that holds the subjects of a pattern. */
  streamOf(pattern: string): string {
    const subject = pattern.replaceAll('*', 'x');
    const layout = Object.values(streamLayouts(this.#prefix)).find(({ subjects }) =>
      subjects.some(known => matchesSubject(known, subject)),
    );
    // `slide.*.S1` lies in two streams; what is not kept in `slides` is progress.
    return (layout ?? streamLayouts(this.#prefix).slides).name;
  }

  /** A filter for the server: it takes none that is wider than a subject of the stream. */
  filterOf(pattern: string): string | undefined {
    const subject = pattern.replaceAll('*', 'x');
    const isWithin = Object.values(streamLayouts(this.#prefix)).some(({ subjects }) =>
      subjects.some(known => matchesSubject(known, subject)),
    );
    return isWithin ? pattern : undefined;
  }

  /** Events as they were stored, then as they come. Begins when it is called; `ready` resolves once the server knows. */
  follow(
    pattern: string,
    options: ReadOptions,
  ): { events: AsyncGenerator<BusEvent, void, void>; ready: Promise<void> } {
    const first = this.#startWhenThere(pattern, options.from, options.signal);
    const ready = first.then(() => undefined);
    ready.catch(() => undefined);
    return { events: this.#follow(pattern, options, first), ready };
  }

  /** What is stored now, and no more. `last`: of each subject the newest alone. */
  async *stored(pattern: string, last = false): AsyncGenerator<BusEvent, void, void> {
    const stream = this.streamOf(pattern);
    await this.#infoOf(stream);
    const consumer = await this.#consumer(stream, {
      ...this.#filter(pattern),
      deliver_policy: last ? DeliverPolicy.LastPerSubject : DeliverPolicy.All,
    });
    try {
      if ((await consumer.info()).num_pending === 0) return;
      const messages = await consumer.consume({ max_messages: AHEAD });
      for await (const message of messages) {
        const event = toEvent(message);
        if (event) yield event;
        if (message.info.pending === 0) return;
      }
    } finally {
      await consumer.delete().catch(() => undefined);
    }
  }

  #filter(pattern: string): { filter_subjects?: string } {
    const filter = this.filterOf(pattern);
    return filter === undefined ? {} : { filter_subjects: filter };
  }

  async *#follow(
    pattern: string,
    { from, signal, onNotice }: ReadOptions,
    first: Promise<Started>,
  ): AsyncGenerator<BusEvent, void, void> {
    const earliest = from instanceof Date ? from.getTime() : 0;
    const link = new Link(this.#nc, onNotice);
    const stop = (): void => link.endReading();
    signal.addEventListener('abort', stop, { once: true });
    try {
      let started = await first;
      let last = started.before;
      for (;;) {
        const messages = await started.consumer.consume({ max_messages: AHEAD });
        link.reading(messages, started.outages);
        try {
          for await (const message of messages) {
            if (signal.aborted) return;
            if (message.seq <= last || message.time.getTime() < earliest) continue;
            last = message.seq;
            const event = matchesSubject(pattern, message.subject) ? toEvent(message) : undefined;
            if (event) yield event;
          }
        } finally {
          await messages.close();
        }
        // The reading is over where nobody asked for an end: it is begun anew.
        if (signal.aborted || this.#nc.isClosed()) return;
        const before = started;
        const position = last > before.before || !(from instanceof Date) ? { after: last } : from;
        started = await this.#startWhenThere(pattern, position, signal, link);
        const gap = gapBetween(before, last, started);
        if (gap === undefined) continue;
        if (!onNotice) throw new StromaflowError('EVENTS_GAP', `${pattern}: ${gap}`);
        onNotice({ kind: 'gap', message: gap });
        started = await this.#startWhenThere(pattern, 'all', signal, link);
        last = 0;
      }
    } catch (cause) {
      if (signal.aborted || this.#nc.isClosed()) return;
      if (cause instanceof StromaflowError) throw cause;
      throw new StromaflowError('BUS_SUBSCRIBE', `${pattern}: ${(cause as Error).message}`, { cause });
    } finally {
      signal.removeEventListener('abort', stop);
      link.end();
    }
  }

  /** Waits for a server that is away; and, where it was there before, for the stream. */
  async #startWhenThere(pattern: string, from: Position, signal: AbortSignal, link?: Link): Promise<Started> {
    for (;;) {
      const outages = link?.outages ?? 0;
      try {
        return { ...(await this.#start(pattern, from)), outages };
      } catch (error) {
        const isFinal = error instanceof StromaflowError && !link;
        if (isFinal || signal.aborted || this.#nc.isClosed()) throw error;
        await sleep(LOOK_MS, signal).catch(() => {
          throw error;
        });
      }
    }
  }

  async #start(pattern: string, from: Position): Promise<Omit<Started, 'outages'>> {
    const stream = this.streamOf(pattern);
    const { created, state } = await this.#infoOf(stream);
    const before = from === 'new' ? state.last_seq : typeof from === 'object' && 'after' in from ? from.after : 0;
    const consumer = await this.#consumer(stream, {
      ...this.#filter(pattern),
      // Not by the policy 'new': the client makes a consumer anew when it was lost, and would begin with the first event of all.
      ...(before > 0 ? { opt_start_seq: before + 1 } : {}),
      ...(from instanceof Date
        ? { deliver_policy: DeliverPolicy.StartTime, opt_start_time: from.toISOString() }
        : { deliver_policy: DeliverPolicy.StartSequence }),
    });
    return { consumer, created, before, firstSeq: state.first_seq, lastSeq: state.last_seq };
  }

  async #infoOf(stream: string) {
    const info = await infoOf(await this.manager(), stream);
    if (info) return info;
    throw new StromaflowError(
      'EVENTS_STREAM',
      `${this.#nc.getServer()}: there is no stream ${stream}: no event is kept`,
      {
        fix: 'run stromaflow events setup',
      },
    );
  }

  async #consumer(stream: string, options: Partial<OrderedConsumerOptions>): Promise<Consumer> {
    return jetstream(this.#nc, { checkAPI: false } as object).consumers.get(stream, options);
  }
}

/** Or with what follows a number of the stream. */
type Position = From | { readonly after: number };

interface Started {
  readonly consumer: Consumer;
  /** Of the stream. */
  readonly created: string;
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** Messages up to this one are not asked for. */
  readonly before: number;
  /** Of the connection, when it was begun. */
  readonly outages: number;
}

/** What was lost to one who read up to `last` of the stream as it was before. */
function gapBetween(before: Started, last: number, now: Started): string | undefined {
  if (now.created !== before.created) return 'the server lost the stream';
  if (now.lastSeq < last) return 'the server lost the end of the stream';
  // They may all have been of other subjects; nobody can tell any more.
  if (last > 0 && now.firstSeq > last + 1) {
    return `events ${last + 1} to ${now.firstSeq - 1} of the stream were dropped before they were read`;
  }
  return undefined;
}

/**
 * Ends the reading each time that the connection comes back, so that it is begun anew: the client by itself goes on after the last
 * number it saw, which in a stream that was lost and made again would be never, and waits half a minute after a request that a dying
 * server did not answer.
 */
class Link {
  outages = 0;
  readonly #status: ReturnType<NatsConnection['status']>;
  #messages: ConsumerMessages | undefined;

  constructor(nc: NatsConnection, onNotice: ((notice: Notice) => void) | undefined) {
    this.#status = nc.status();
    void this.#follow(onNotice);
  }

  /** What is read now, asked for after so many outages. */
  reading(messages: ConsumerMessages, outages: number): void {
    this.#messages = messages;
    if (outages !== this.outages) this.endReading();
  }

  endReading(): void {
    void this.#messages?.close();
  }

  end(): void {
    (this.#status as { stop?: () => void }).stop?.();
  }

  async #follow(onNotice: ((notice: Notice) => void) | undefined): Promise<void> {
    for await (const { type } of this.#status) {
      if (type === 'disconnect') onNotice?.({ kind: 'away' });
      if (type !== 'reconnect') continue;
      this.outages += 1;
      onNotice?.({ kind: 'back' });
      this.endReading();
    }
  }
}

export function toEvent(
  message: Pick<Msg, 'subject' | 'data'> & { readonly headers?: MsgHdrs | undefined },
): BusEvent | undefined {
  const entries: HeaderEntry[] = [];
  for (const [name, values] of message.headers ?? []) entries.push([name, values[0] ?? '']);
  return fromHeaders(message.subject, entries, new Uint8Array(message.data));
}
