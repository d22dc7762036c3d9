import { headers as createHeaders, type MsgHdrs, type NatsConnection } from '@nats-io/nats-core';
import { StromaflowError } from '../errors.js';
import type { BusEvent } from './bus.js';
import { toHeaders } from './cloudevent-headers.js';

/** Most events, and bytes, sent but not yet confirmed. Bytes bound what a lost connection makes us send again. */
export const WINDOW = { events: 1024, bytes: 8 * 2 ** 20 };

/** An event on its way to a server. */
export interface Outgoing {
  readonly event: BusEvent;
  readonly headers: MsgHdrs;
  /** On the wire, headers included. */
  readonly bytes: number;
  settled: boolean;
  readonly settle: (error?: unknown) => void;
}

/** Puts an event in the hands of `enqueue`; the promise is settled with it, or rejects when the signal aborts before. */
export function sendOff(
  event: BusEvent,
  signal: AbortSignal | undefined,
  enqueue: (outgoing: Outgoing) => void,
): Promise<void> {
  if (signal?.aborted) return Promise.reject(signal.reason);
  const { headers, bytes } = encode(event);
  return new Promise((resolve, reject) => {
    const abort = () => outgoing.settle(signal?.reason);
    const outgoing: Outgoing = {
      event,
      headers,
      bytes,
      settled: false,
      settle: error => {
        if (outgoing.settled) return;
        outgoing.settled = true;
        signal?.removeEventListener('abort', abort);
        if (error === undefined) resolve();
        else reject(error);
      },
    };
    signal?.addEventListener('abort', abort, { once: true });
    enqueue(outgoing);
  });
}

/** Hands it to the connection; false when it is too large or cannot be sent, and then it is settled. */
export function send(nc: NatsConnection, { event, headers, bytes, settle }: Outgoing, reply?: string): boolean {
  const limit = nc.info?.max_payload;
  if (limit !== undefined && bytes > limit) {
    const detail = `${bytes} bytes with headers, but the server's max_payload is ${limit}`;
    settle(publishError(event, detail, undefined, 'raise max_payload on the NATS server or use smaller patches'));
    return false;
  }
  try {
    nc.publish(event.subject, event.data, { headers, ...(reply === undefined ? {} : { reply }) });
    return true;
  } catch (error) {
    settle(publishError(event, error instanceof Error ? error.message : String(error), error));
    return false;
  }
}

function encode(event: BusEvent): { headers: MsgHdrs; bytes: number } {
  const headers = createHeaders();
  // "NATS/1.0\r\n", then "name: value\r\n" each, then "\r\n": all ASCII, so a character is a byte.
  let bytes = 'NATS/1.0\r\n\r\n'.length + event.data.byteLength;
  for (const [name, value] of toHeaders(event)) {
    headers.set(name, value);
    bytes += name.length + value.length + ': \r\n'.length;
  }
  return { headers, bytes };
}

export function publishError(event: BusEvent, detail: string, cause?: unknown, fix?: string): StromaflowError {
  return new StromaflowError('BUS_PUBLISH', `${event.subject}: ${detail}`, { cause, ...(fix ? { fix } : {}) });
}
