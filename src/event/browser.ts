import { type NatsConnection, wsconnect } from '@nats-io/nats-core';
import { StromaflowError } from '../errors.js';
import { NatsConnectionBus } from './connection-bus.js';
import { createClient, type StromaClient } from './subscriber.js';

/** How a browser reaches NATS. */
export interface BrowserOptions {
  /** The server's websocket port: `wss://host:443`, or `ws://127.0.0.1:8080` without TLS. */
  readonly url: string;
  /** Name of this client on the server's monitoring pages. @default 'stromaflow browser' */
  readonly name?: string;
  readonly user?: string;
  readonly pass?: string;
  readonly token?: string;
  /** Seconds to wait for the first connection. @default 5 */
  readonly timeoutSeconds?: number;
}

/**
 * The subscriber's client in a browser, over the WebSocket port of nats-server. It has what `connect` of Node has, and comes back by itself after an
 * outage. Rejects with BUS_UNREACHABLE, or CONFIG_INVALID where `url` is no address of a websocket.
 */
export async function connect(options: BrowserOptions): Promise<StromaClient> {
  const { url, name = 'stromaflow browser', timeoutSeconds = 5, ...login } = options;
  if (!/^wss?:\/\/[^/]/.test(url))
    throw new StromaflowError('CONFIG_INVALID', 'a browser reaches NATS over a websocket', {
      fix: "give its address: connect({ url: 'wss://nats.example.org' }), the port of `websocket` in nats-server's configuration",
    });
  let nc: NatsConnection;
  try {
    nc = await wsconnect({
      ...{ servers: url, name, timeout: timeoutSeconds * 1000, ...login },
      ...{ maxReconnectAttempts: -1, ignoreAuthErrorAbort: true, pingInterval: 10_000 },
    });
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new StromaflowError('BUS_UNREACHABLE', `NATS server ${url}: ${detail.toLowerCase()}`, { cause });
  }
  const bus = new NatsConnectionBus(nc, url, undefined);
  return createClient(bus, () => bus.flush());
}
