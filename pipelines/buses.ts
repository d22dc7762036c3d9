import type { Config } from '../src/config/options.js';
import type { EventBus } from '../src/event/bus.js';
import { createMemoryBus } from '../src/event/memory-bus.js';
import { connectNatsBus } from '../src/event/nats-bus.js';
import type { NatsOptions } from '../src/event/nats-options.js';

/** The bus a configuration names: NATS, or the one in this process. `role`: what this process does besides listening. */
export async function openBus(config: Config, role: 'publisher' | 'listener' = 'listener'): Promise<EventBus> {
  const options = natsOptions(config);
  if (!options) return createMemoryBus();
  const publish = role === 'publisher' ? (config.publish as NatsOptions['publish'] & string) : 'core';
  return connectNatsBus({ ...options, publish, prefix: config.prefix });
}

/** How a configuration reaches NATS; undefined where it names no server. */
export function natsOptions(config: Config): NatsOptions | undefined {
  const { nats: url, 'nats-creds': credsFile, 'nats-nkey': nkeyFile } = config;
  const { 'nats-ca': caFile, 'nats-cert': certFile, 'nats-key': keyFile } = config;
  if (url === undefined) return undefined;
  const tls = { ...(caFile && { caFile }), ...(certFile && { certFile }), ...(keyFile && { keyFile }) };
  const secured = Object.keys(tls).length > 0;
  return { url, ...(credsFile && { credsFile }), ...(nkeyFile && { nkeyFile }), ...(secured && { tls }) };
}
