import {
  AckPolicy,
  type Consumer,
  type ConsumerConfig,
  DeliverPolicy,
  type JsMsg,
  jetstream,
} from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import { StromaflowError } from '../../errors.js';
import type { BusEvent } from '../bus.js';
import { sleep } from '../sleep.js';
import { matchesSubject } from '../subjects.js';
import type { From } from './read-options.js';
import { type StreamReader, toEvent } from './stream-reader.js';

export interface ProcessOptions {
  /** Name of the place in the stream, which outlives this process: [A-Za-z0-9_-]+. */
  readonly durable: string;
  /** Where a place that is new begins. */
  readonly from: From;
  readonly signal: AbortSignal;
  /** Events handled at the same time. */
  readonly atOnce: number;
  /** Times an event is tried. One that was given out twice as often, because each time its process or the connection ended, is given up too. */
  readonly tries: number;
  /** Told of an event that was given up; what was thrown last, or EVENTS_UNHANDLED. */
  readonly onGivenUp?: ((error: unknown, event: BusEvent) => void) | undefined;
}

/** Without a sign of life for so long an event is given to another; signs are given three times as often. */
const ACK_WAIT_MS = 30_000;
/** What a server has given out as often as it may is nobody's any more, and no count shows it: whoever gives up says so himself. */
const ANY_NUMBER = -1;
const PAUSE_MS = { first: 1000, longest: 60_000 };
/** Ids of events that were handled and may come again, because the server was away when that was to be said. */
const REMEMBERED = 10_000;

/**
 * Calls `handle` for each event, and tells the server when it is done, and waits until the server knows ("double ack"). What another start or
 * another process has done does not come again.
 */
export async function processStream(
  nc: NatsConnection,
  reader: StreamReader,
  pattern: string,
  options: ProcessOptions,
  handle: (event: BusEvent) => Promise<void>,
): Promise<void> {
  const { signal, durable, atOnce, tries, onGivenUp } = options;
  const stream = reader.streamOf(pattern);
  const done = new Set<string>();
  const stopped = new AbortController();
  const stop = AbortSignal.any([signal, stopped.signal]);
  // Browsers have no such limit.
  globalThis.process?.getBuiltinModule('node:events').setMaxListeners(0, stop);
  const lane = async (): Promise<void> => {
    try {
      for await (const message of pullEach(nc, stream, durable, stop, () =>
        assertConsumer(reader, stream, pattern, options),
      )) {
        await one(message);
      }
    } catch (error) {
      stopped.abort();
      throw error;
    }
  };
  await assertConsumer(reader, stream, pattern, options);
  await Promise.all(Array.from({ length: atOnce }, lane));

  async function one(message: JsMsg): Promise<void> {
    const event = matchesSubject(pattern, message.subject) ? toEvent(message) : undefined;
    if (!event) {
      message.ack();
      return;
    }
    if (!done.has(event.id)) {
      const { deliveryCount } = message.info;
      if (deliveryCount > tries * 2) return giveUp(message, event, neverFinished(event, deliveryCount - 1));
      const alive = setInterval(() => message.working(), ACK_WAIT_MS / 3);
      try {
        await handle(event);
        remember(event.id);
      } catch (error) {
        if (deliveryCount >= tries) return giveUp(message, event, error);
        message.nak(Math.min(PAUSE_MS.longest, PAUSE_MS.first * 2 ** (deliveryCount - 1)));
        return;
      } finally {
        clearInterval(alive);
      }
    }
    // Without an answer it comes again, and is known.
    await message.ackAck().catch(() => undefined);
  }

  function giveUp(message: JsMsg, event: BusEvent, error: unknown): void {
    onGivenUp?.(error, event);
    message.term('given up');
    if (!onGivenUp) throw error;
  }

  function remember(id: string): void {
    done.add(id);
    if (done.size > REMEMBERED) done.delete(done.values().next().value as string);
  }
}

const neverFinished = ({ id }: BusEvent, times: number): StromaflowError =>
  new StromaflowError('EVENTS_UNHANDLED', `${id}: was given out ${times} times, and nobody finished it`);

/** Longest wait of the server for a message, and so of one that stops. */
const PULL_MS = 1000;

/**
 * Messages one by one, each asked for when the one before is done: nothing is held that another could have. Goes on through outages; `mend` makes a
 * consumer again that is gone; `onIdle` is called after each wait for nothing.
 */
export async function* pullEach(
  nc: NatsConnection,
  stream: string,
  durable: string,
  signal: AbortSignal,
  mend: () => Promise<void>,
  onIdle: () => Promise<void> = async () => undefined,
): AsyncGenerator<JsMsg, void, void> {
  const { consumers } = jetstream(nc, { checkAPI: false } as object);
  let consumer: Consumer | undefined;
  while (!signal.aborted && !nc.isClosed()) {
    let message: JsMsg | null;
    try {
      consumer ??= await consumers.get(stream, durable);
      message = await consumer.next({ expires: PULL_MS });
    } catch (error) {
      // The server is away, or has lost it.
      consumer = undefined;
      await sleep(PULL_MS / 4, signal).catch(() => undefined);
      if (signal.aborted || nc.isClosed()) return;
      if (isGone(error)) await mend();
      else await onIdle();
      continue;
    }
    if (!message) {
      await onIdle();
      continue;
    }
    if (signal.aborted) message.nak();
    else yield message;
  }
}

const isGone = (error: unknown): boolean =>
  [CONSUMER_NOT_FOUND, STREAM_NOT_FOUND].includes(Number((error as { code?: unknown }).code)) ||
  /not found|deleted/i.test((error as Error).message);

async function assertConsumer(
  reader: StreamReader,
  stream: string,
  pattern: string,
  { durable, from, atOnce }: ProcessOptions,
): Promise<void> {
  const manager = await reader.manager();
  const filter = reader.filterOf(pattern);
  const config: Partial<ConsumerConfig> = {
    durable_name: durable,
    ...(filter === undefined ? {} : { filter_subject: filter }),
    description: pattern,
    ack_policy: AckPolicy.Explicit,
    ack_wait: ACK_WAIT_MS * 1e6,
    max_ack_pending: Math.max(64, atOnce * 4),
    max_deliver: ANY_NUMBER,
    ...(from instanceof Date
      ? { deliver_policy: DeliverPolicy.StartTime, opt_start_time: from.toISOString() }
      : { deliver_policy: from === 'new' ? DeliverPolicy.New : DeliverPolicy.All }),
  };
  try {
    const { config: has } = await manager.consumers.info(stream, durable);
    if (has.description === pattern && has.ack_policy === AckPolicy.Explicit) {
      if (has.max_deliver !== ANY_NUMBER) await manager.consumers.update(stream, durable, { max_deliver: ANY_NUMBER });
      return;
    }
    const shown = has.description ?? has.filter_subject ?? 'everything';
    throw new StromaflowError('EVENTS_STREAM', `durable ${durable} of ${stream} reads ${shown}, not ${pattern}`, {
      fix: `choose another name, or nats consumer rm ${stream} ${durable}`,
    });
  } catch (error) {
    if ((error as { code?: unknown }).code !== CONSUMER_NOT_FOUND) throw error;
  }
  await manager.consumers.add(stream, config);
}

const CONSUMER_NOT_FOUND = 10014;
const STREAM_NOT_FOUND = 10059;
