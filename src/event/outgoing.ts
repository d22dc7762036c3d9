import type { MsgHdrs, NatsConnection } from '@nats-io/nats-core';
import { StromaflowError } from '../errors.js';
import type { BusEvent } from './bus.js';
import { type HeaderEntry, toHeaders } from './cloudevent-headers.js';

/** Most events, and bytes, sent but not yet confirmed. Bytes bound what a lost connection makes us send again. */
export const WINDOW = { events: 1024, bytes: 8 * 2 ** 20 };

/**
 * An event's headers as they go on the wire. nats-core writes the same text out of a map, whose names it checks and whose values it collects one by
 * one: a third of what publishing takes. It asks its own kind of headers for nothing but this.
 */
export class WireHeaders {
  #text: string;

  /** @param entries of printable ASCII, `Nats-Msg-Id` first. */
  constructor(entries: readonly HeaderEntry[]) {
    let text = 'NATS/1.0\r\n';
    for (const [name, value] of entries) text += `${name}: ${value}\r\n`;
    this.#text = `${text}\r\n`;
  }

  /** Bytes, a character each. */
  get length(): number {
    return this.#text.length;
  }

  /** The server then takes it for another message. */
  setMessageId(id: string): void {
    this.#text = this.#text.replace(/^(NATS\/1\.0\r\nNats-Msg-Id: )[^\r]*/, (_, before) => `${before}${id}`);
  }

  encode(): Uint8Array {
    return Buffer.from(this.#text, 'latin1');
  }
}

/** An event on its way to a server. */
export interface Outgoing {
  readonly event: BusEvent;
  readonly headers: WireHeaders;
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
    const options = { headers: headers as unknown as MsgHdrs };
    nc.publish(event.subject, event.data, reply === undefined ? options : { ...options, reply });
    return true;
  } catch (error) {
    settle(publishError(event, error instanceof Error ? error.message : String(error), error));
    return false;
  }
}

function encode(event: BusEvent): { headers: WireHeaders; bytes: number } {
  const headers = new WireHeaders(toHeaders(event));
  return { headers, bytes: headers.length + event.data.byteLength };
}

export function publishError(event: BusEvent, detail: string, cause?: unknown, fix?: string): StromaflowError {
  return new StromaflowError('BUS_PUBLISH', `${event.subject}: ${detail}`, { cause, ...(fix ? { fix } : {}) });
}
