import type { BusEvent } from './bus-event.js';
import type { KeptEvents } from './stream/kept-events.js';

/** Port of the event bus. The event contract (subjects, types, payloads) stands above it, in contract.ts. */

export type { BusEvent } from './bus-event.js';

/**
 * The event as part of a trace, by CloudEvents' extension for distributed tracing; `traceparent` absent: as it is.
 * Source: cloudevents/spec, extensions/distributed-tracing.md.
 */
export function traced(event: BusEvent, traceparent: string | undefined): BusEvent {
  return traceparent === undefined ? event : { ...event, extensions: { ...event.extensions, traceparent } };
}

export interface EventBus {
  /** For people: 'nats://127.0.0.1:4222 (server 2.9.10)' or 'in process'. */
  readonly description: string;
  readonly connected: boolean;
  /** What is kept of what is published here; undefined: whoever is not there misses it. */
  readonly kept?: KeptEvents | undefined;
  /** Resolves once the bus has taken the event (on NATS: the server has). Rejects with BUS_PUBLISH or BUS_UNREACHABLE. */
  publish(event: BusEvent, signal?: AbortSignal): Promise<void>;
  /** Events whose subject matches the NATS pattern (`*` one token, `>` the rest), until the signal aborts. */
  subscribe(pattern: string, signal: AbortSignal): AsyncIterable<BusEvent>;
  /** Drains, then closes. */
  close(): Promise<void>;
}
