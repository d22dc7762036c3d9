import { headers } from '@nats-io/nats-core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { encodeHeaderValue, toHeaders } from '#src/event/cloudevent-headers.js';
import { WireHeaders } from '#src/event/outgoing.js';
import { createSampleEvents, maskInput } from './samples.js';

/** What nats-core makes of the same entries. */
function theirs(entries: readonly (readonly [string, string])[]): string {
  const made = headers();
  for (const [name, value] of entries) made.set(name, value);
  return Buffer.from((made as unknown as { encode(): Uint8Array }).encode()).toString();
}

const text = (own: WireHeaders): string => Buffer.from(own.encode()).toString();

it('headers go on the wire as nats-core writes them, whatever stands in them', () => {
  const event = createSampleEvents().mask(maskInput());
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme', minLength: 1 }),
      fc.string({ unit: 'binary', minLength: 1 }),
      (id, time) => {
        const entries = toHeaders({ ...event, id, time });
        const own = new WireHeaders(entries);
        expect(text(own)).toBe(theirs(entries));
        expect(own.length).toBe(own.encode().length);
      },
    ),
  );
});

it('another message id changes nothing else', () => {
  const [first, ...rest] = toHeaders({ ...createSampleEvents().mask(maskInput()), id: 'a$1/b' });
  const own = new WireHeaders([first!, ...rest]);
  for (const id of ['a$1/b#x', encodeHeaderValue('é$&')]) {
    own.setMessageId(id);
    expect(text(own)).toBe(theirs([['Nats-Msg-Id', id], ...rest]));
  }
});
