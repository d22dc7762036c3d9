import { setTimeout as sleep } from 'node:timers/promises';
import {
  AckPolicy,
  type Consumer,
  type ConsumerMessages,
  type JsMsg,
  jetstream,
  jetstreamManager,
} from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import type { EventBus } from '../event/bus.js';
import { workLayouts } from '../event/stream/layout.js';
import type { WorkSubjects } from './task.js';

export interface OutcomeQueue {
  readonly bus: EventBus;
  readonly connection: NatsConnection;
  readonly prefix: string;
  readonly subjects: WorkSubjects;
}

/** Milliseconds between a connection that broke off and the next. */
const AGAIN_MS = 200;

/**
 * Gives every outcome that workers leave for this ingest, until the signal aborts; an outage is waited out. Who gets a message settles it
 * (ack, nak, term); one that is not settled within a minute comes again.
 */
export async function readOutcomes(
  queue: OutcomeQueue,
  onOutcome: (message: JsMsg) => void,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    let messages: ConsumerMessages | undefined;
    try {
      const consumer = await openConsumer(queue);
      messages = await consumer.consume({ max_messages: 64, abort_on_missing_resource: true });
      const close = (): void => void messages?.close();
      signal.addEventListener('abort', close, { once: true });
      // What the client asked for before an outage is not always answered after it.
      const forget = queue.bus.kept?.onRestored(close);
      try {
        for await (const message of messages) onOutcome(message);
      } finally {
        forget?.();
        signal.removeEventListener('abort', close);
      }
    } catch {
      // The server is away, or the stream: both come back, or the bus says otherwise.
    } finally {
      await messages?.close().catch(() => undefined);
    }
    await sleep(AGAIN_MS, undefined, { signal }).catch(() => undefined);
  }
}

async function openConsumer({ connection, prefix, subjects }: OutcomeQueue): Promise<Consumer> {
  const { name } = workLayouts(prefix).outcomes;
  const manager = await jetstreamManager(connection, { checkAPI: false });
  const durable = `ingest_${subjects.outcomes.split('.').slice(-4, -2).join('_')}`;
  // What was given to an ingest that died, or over a connection that broke, would come again after a minute: to a consumer that is made anew it
  // comes at once. There is one ingest a scanner, and what it has in hand may come twice.
  await manager.consumers.delete(name, durable).catch(() => undefined);
  await manager.consumers.add(name, {
    durable_name: durable,
    filter_subject: subjects.outcomes,
    ack_policy: AckPolicy.Explicit,
    ack_wait: 60e9,
    max_ack_pending: 1000,
  });
  return jetstream(connection, { checkAPI: false } as object).consumers.get(name, durable);
}

/** True when neither a task nor an outcome is on its way: what is out then is lost. Rejects while the server is away. */
export async function areQueuesEmpty({ connection, prefix }: OutcomeQueue): Promise<boolean> {
  const manager = await jetstreamManager(connection, { checkAPI: false });
  const { tasks, outcomes } = workLayouts(prefix);
  const isEmpty = async (name: string) => (await manager.streams.info(name)).state.messages === 0;
  return (await isEmpty(tasks.name)) && (await isEmpty(outcomes.name));
}
