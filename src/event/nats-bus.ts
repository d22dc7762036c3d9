import type { NatsConnection } from '@nats-io/nats-core';
import { StromaflowError } from '../errors.js';
import { type NatsBus, NatsConnectionBus } from './connection-bus.js';
import { openConnection, parseNatsUrl } from './nats-connect.js';
import type { NatsOptions } from './nats-options.js';
import { findStreams, NoJetStream, openManager } from './stream/setup.js';
import { Streams } from './stream/streams.js';
import { DEFAULT_PREFIX } from './subjects.js';

export type { NatsBus } from './connection-bus.js';

/**
 * The bus over NATS (nats-server 2.2 or newer). While the server is away, publishes wait and are sent when it is back;
 * how many wait is bounded by the caller's credits. Rejects with BUS_UNREACHABLE when the first connection fails.
 */
export async function connectNatsBus(options: NatsOptions): Promise<NatsBus> {
  const nc = await openConnection(options);
  if (!nc.info?.headers) {
    await nc.close();
    throw new StromaflowError('BUS_UNREACHABLE', `${nc.getServer()}: nats-server ${nc.info?.version} has no headers`, {
      fix: 'update nats-server to 2.2 or newer',
    });
  }
  try {
    return new NatsConnectionBus(nc, parseNatsUrl(options.url).shown, await openStreams(nc, options));
  } catch (error) {
    await nc.close();
    throw error;
  }
}

/** The streams to publish to, or why there are none: undefined where core publish was asked for. */
async function openStreams(
  nc: NatsConnection,
  { publish = 'core', prefix = DEFAULT_PREFIX, work = false }: NatsOptions,
): Promise<Streams | string | undefined> {
  if (publish === 'core') return undefined;
  let why: string;
  try {
    const manager = await openManager(nc);
    const infos = await findStreams(manager, prefix, work);
    if (infos) return new Streams(nc, manager, prefix, infos);
    why = 'no streams';
  } catch (error) {
    if (!(error instanceof NoJetStream)) throw error;
    why = 'no JetStream';
  }
  if (publish === 'auto') return why;
  throw new StromaflowError('EVENTS_STREAM', `${nc.getServer()}: ${why} for events`, {
    fix: work
      ? 'enable JetStream (nats-server -js) and run stromaflow events setup --for-workers'
      : 'enable JetStream (nats-server -js) and run stromaflow events setup, or publish with --publish core',
  });
}
