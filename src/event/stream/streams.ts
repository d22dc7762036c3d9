import {
  AckPolicy,
  type Consumer,
  type JetStreamManager,
  jetstream,
  type StoredMsg,
  type StreamInfo,
} from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import { StromaflowError, toStromaflowError } from '../../errors.js';
import { decodePercent } from '../../text.js';
import type { BusEvent } from '../bus.js';
import { sleep } from '../sleep.js';
import { matchesSubject } from '../subjects.js';
import type { KeptEvents, StreamFill, StreamMark, TakenEvent } from './kept-events.js';
import { STREAM_KINDS, type StreamKind, type WorkKind } from './layout.js';
import { pullEach } from './process-stream.js';
import { checkStreams, describeFinding, infoOf, type StreamInfos } from './setup.js';
import type { StoredAt } from './stream-publisher.js';
import { toEvent } from './stream-reader.js';

/** Pause between two looks at a server whose JetStream is not up yet. */
const LOOK_MS = 200;
const NO_MESSAGE = 10037;
/** What was taken and got no sign of life for so long comes to another. */
const TAKEN_MS = 30_000;
const noop = (): void => undefined;

/**
 * The streams that a bus publishes to: what is stored in them, and that they are there. One that the server lost is made again
 * as it was.
 */
export class Streams implements KeptEvents {
  readonly #nc: NatsConnection;
  readonly #manager: JetStreamManager;
  readonly #prefix: string;
  readonly #closed = new AbortController();
  readonly #marks = new Map<string, StreamMark>();
  readonly #listeners = new Set<() => void>();
  #infos: StreamInfos;
  #restoring: Promise<void> | undefined;

  constructor(nc: NatsConnection, manager: JetStreamManager, prefix: string, infos: StreamInfos) {
    this.#nc = nc;
    this.#manager = manager;
    this.#prefix = prefix;
    this.#infos = infos;
  }

  get keepsMs(): number {
    const { max_age } = this.#infos.masks.config;
    return max_age > 0 ? max_age / 1e6 : Infinity;
  }

  /** An event was stored. */
  stored({ id }: BusEvent, { stream, seq }: StoredAt): void {
    const known = this.#marks.get(stream);
    const created = this.#info(stream)?.created;
    if (created === undefined || (known?.created === created && known.seq >= seq)) return;
    this.#marks.set(stream, { stream, created, seq, id });
  }

  marks(): readonly StreamMark[] {
    return [...this.#marks.values()];
  }

  async standing({ stream, created, seq, id }: StreamMark): Promise<'there' | 'dropped' | 'lost'> {
    const info = await infoOf(this.#manager, stream);
    if (!info || info.created !== created || info.state.last_seq < seq) return 'lost';
    if (info.state.first_seq > seq) return 'dropped';
    const message = await this.#message(stream, { seq });
    return message && idOf(message) === id ? 'there' : 'lost';
  }

  async ids(pattern: string): Promise<Set<string>> {
    const ids = new Set<string>();
    const stream = this.#streamOf(pattern);
    const consumer = await this.#consumer(stream, pattern);
    if ((await consumer.info()).num_pending === 0) return ids;
    const messages = await consumer.consume({ max_messages: 1000 });
    for await (const message of messages) {
      ids.add(decodePercent(message.headers?.get('ce-id') ?? ''));
      if (message.info.pending === 0) break;
    }
    await consumer.delete().catch(() => undefined);
    return ids;
  }

  async *take(
    pattern: string,
    durable: string,
    signal: AbortSignal,
  ): AsyncGenerator<TakenEvent | undefined, void, void> {
    const stream = this.#streamOf(pattern);
    const mend = async (): Promise<number> => {
      const info = await this.#manager.consumers.add(stream, {
        ...{ durable_name: durable, filter_subject: pattern, description: pattern },
        ...{ ack_policy: AckPolicy.Explicit, ack_wait: TAKEN_MS * 1e6, max_deliver: -1 },
      });
      return info.num_pending;
    };
    let waiting = await mend();
    if (waiting === 0) yield undefined;
    const mendAgain = () => mend().then(noop, noop);
    for await (const message of pullEach(this.#nc, stream, durable, signal, mendAgain)) {
      const event = toEvent(message);
      const alive = setInterval(() => message.working(), TAKEN_MS / 3);
      signal.addEventListener('abort', () => clearInterval(alive), { once: true });
      const done = async (): Promise<void> => {
        clearInterval(alive);
        // Without an answer it comes again, and is seen to again.
        await message.ackAck().then(noop, noop);
      };
      if (event) yield { event, done };
      else await done();
      waiting -= 1;
      if (waiting === 0) yield undefined;
    }
  }

  async fill(): Promise<readonly StreamFill[]> {
    const known = Object.entries(this.#infos) as [StreamKind | WorkKind, StreamInfo][];
    const found = await Promise.all(
      known.map(async ([kind, { config }]): Promise<StreamFill[]> => {
        const info = await infoOf(this.#manager, config.name);
        if (!info) return [];
        const { messages, bytes } = info.state;
        const limit = info.config.max_bytes;
        return [{ kind, messages, bytes, limitBytes: limit > 0 ? limit : undefined }];
      }),
    );
    return found.flat();
  }

  /** When a stream of the work was made. */
  createdOf(kind: WorkKind): string | undefined {
    return this.#infos[kind]?.created;
  }

  async lastId(subject: string): Promise<string | undefined> {
    const message = await this.#message(this.#streamOf(subject), { last_by_subj: subject });
    return message && idOf(message);
  }

  onRestored(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Whether an event stands where it was stored. */
  async holds(event: BusEvent, { stream, seq }: StoredAt): Promise<boolean> {
    const message = await this.#message(stream, { seq });
    return message !== undefined && idOf(message) === event.id;
  }

  /**
   * What stands under the subject of an event that a stream refused: true when it is that event. A mask of another run of the
   * slide is deleted, to make room for the one that is true now.
   */
  async makeRoom(event: BusEvent): Promise<boolean> {
    const stream = this.#streamOf(event.subject);
    const message = await this.#message(stream, { last_by_subj: event.subject });
    if (!message) return false;
    if (idOf(message) === event.id) {
      this.stored(event, { stream, seq: message.seq, duplicate: true });
      return true;
    }
    await this.#manager.streams.deleteMessage(stream, message.seq, false);
    return false;
  }

  /** Resolves once the streams are there; tells listeners. Rejects with EVENTS_STREAM where they cannot be. */
  restore(): Promise<void> {
    this.#restoring ??= this.#restore().finally(() => {
      this.#restoring = undefined;
    });
    return this.#restoring;
  }

  /** The same after a while, for one who was just told that a stream is not there. */
  async awaitRestored(): Promise<void> {
    const { signal } = this.#closed;
    await sleep(LOOK_MS, signal).catch(() => {
      throw signal.reason;
    });
    await this.restore();
  }

  close(): void {
    this.#closed.abort(new StromaflowError('BUS_UNREACHABLE', 'the bus is closed'));
    this.#listeners.clear();
  }

  async #restore(): Promise<void> {
    const { signal } = this.#closed;
    for (;;) {
      try {
        await this.#verify();
        break;
      } catch (error) {
        if (error instanceof StromaflowError) throw error;
        await sleep(LOOK_MS, signal).catch(() => {
          throw signal.reason;
        });
      }
    }
    for (const listener of this.#listeners) listener();
  }

  async #verify(): Promise<void> {
    const infos: Partial<Record<string, StreamInfo>> = {};
    for (const { layout, state, info, ...finding } of await checkStreams(
      this.#manager,
      this.#prefix,
      undefined,
      this.#infos.tasks !== undefined,
    )) {
      if (state === 'equal' && info) infos[layout.kind] = info;
      else if (state === 'absent') {
        const { config } = this.#infos[layout.kind]!;
        infos[layout.kind] = await this.#manager.streams.add(config).catch((cause: unknown) => {
          const refused = toStromaflowError(
            cause,
            'EVENTS_STREAM',
            `stream ${layout.name} was lost and cannot be made`,
          );
          // Without an answer it is only not up yet.
          throw (cause as { code?: unknown }).code === undefined ? cause : refused;
        });
      } else {
        const lines = describeFinding({ layout, state, ...finding });
        throw new StromaflowError('EVENTS_STREAM', lines.join('; '));
      }
    }
    this.#infos = infos as StreamInfos;
  }

  #info(stream: string): StreamInfo | undefined {
    return Object.values(this.#infos).find(({ config }) => config.name === stream);
  }

  /** Of a subject, or of a pattern that lies in one stream. */
  #streamOf(pattern: string): string {
    const subject = pattern.replaceAll('*', 'x');
    const info = STREAM_KINDS.map(kind => this.#infos[kind]).find(({ config }) =>
      config.subjects.some(known => matchesSubject(known, subject)),
    );
    if (!info) throw new StromaflowError('INTERNAL', `${pattern}: no stream has it`);
    return info.config.name;
  }

  async #message(stream: string, query: { seq: number } | { last_by_subj: string }): Promise<StoredMsg | undefined> {
    try {
      return (await this.#manager.streams.getMessage(stream, query)) ?? undefined;
    } catch (error) {
      if ((error as { code?: unknown }).code === NO_MESSAGE) return undefined;
      throw error;
    }
  }

  #consumer(stream: string, pattern: string): Promise<Consumer> {
    const js = jetstream(this.#nc, { checkAPI: false } as object);
    return js.consumers.get(stream, { filter_subjects: pattern, headers_only: true });
  }
}

const idOf = ({ header }: StoredMsg): string => decodePercent(header.get('ce-id'));
