import { connectNatsBus } from './nats-bus.js';
import type { NatsOptions } from './nats-options.js';
import { createClient, type StromaClient } from './subscriber.js';

export * from './subscriber.js';

/** Connects to a NATS server. Rejects with BUS_UNREACHABLE, or CONFIG_INVALID where `url` is missing or no address. */
export async function connect(options: NatsOptions): Promise<StromaClient> {
  const bus = await connectNatsBus({ name: 'stromaflow client', ...options });
  return createClient(bus, () => bus.flush());
}
