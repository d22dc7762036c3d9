import { decodePercent } from '../text.js';
import type { BusEvent } from './bus.js';

/**
 * CloudEvents 1.0 over NATS, binary content mode: every attribute is a header `ce-<name>`, datacontenttype among them,
 * and the message's payload is `data`. Values are percent-encoded as the binding asks (it takes the HTTP binding's rule):
 * space, `"`, `%` and everything outside U+0021–U+007E, as the bytes of its UTF-8.
 * Source: cloudevents/spec, bindings nats-protocol-binding.md §3.1 and http-protocol-binding.md §3.1.3.2.
 */
export type HeaderEntry = readonly [name: string, value: string];

const CORE = new Set(['specversion', 'id', 'type', 'source', 'time', 'datacontenttype']);
const ATTRIBUTE = /^[a-z0-9]{1,20}$/;

export function encodeHeaderValue(value: string): string {
  if (/^[!#$&-~]*$/.test(value)) return value;
  return value.replace(/[^\x21-\x7e]|["%]/gu, char =>
    Array.from(new TextEncoder().encode(char), byte => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  );
}

/** Headers of an event, `Nats-Msg-Id` first; a `traceparent` under its own name too. Throws RangeError on an extension name CloudEvents does not allow. */
export function toHeaders(event: BusEvent): HeaderEntry[] {
  const id = encodeHeaderValue(event.id);
  const entries: HeaderEntry[] = [
    ['Nats-Msg-Id', id],
    ['ce-specversion', '1.0'],
    ['ce-id', id],
    ['ce-source', encodeHeaderValue(event.source)],
    ['ce-type', encodeHeaderValue(event.type)],
    ['ce-time', encodeHeaderValue(event.time)],
    ['ce-datacontenttype', encodeHeaderValue(event.contentType)],
  ];
  for (const [name, value] of Object.entries(event.extensions)) {
    if (!ATTRIBUTE.test(name) || CORE.has(name))
      throw new RangeError(`'${name}' is no CloudEvents extension attribute`);
    entries.push([`ce-${name}`, encodeHeaderValue(value)]);
  }
  const { traceparent } = event.extensions;
  // Where whoever traces NATS, and knows nothing of CloudEvents, looks for it.
  if (traceparent !== undefined) entries.push(['traceparent', encodeHeaderValue(traceparent)]);
  return entries;
}

/** Reads an event back, or undefined when the message is not a binary-mode CloudEvent 1.x. Header names in any case. */
export function fromHeaders(subject: string, headers: Iterable<HeaderEntry>, data: Uint8Array): BusEvent | undefined {
  const attributes = new Map<string, string>();
  for (const [name, value] of headers) {
    const lower = name.toLowerCase();
    if (lower.startsWith('ce-')) attributes.set(lower.slice(3), decodePercent(value));
  }
  const [id, type, source] = ['id', 'type', 'source'].map(name => attributes.get(name));
  if (!attributes.get('specversion')?.startsWith('1.') || !id || !type || !source) return undefined;
  return {
    subject,
    id,
    type,
    source,
    time: attributes.get('time') ?? '',
    contentType: attributes.get('datacontenttype') ?? 'application/octet-stream',
    extensions: Object.fromEntries([...attributes].filter(([name]) => !CORE.has(name))),
    data,
  };
}
