import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eventFacts, timedLine } from '#src/event/describe.js';
import { aggregate, createSampleEvents, maskInput, TIME } from './samples.js';

const events = createSampleEvents();
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

describe('timedLine', () => {
  it('begins with the time of day and goes on as the description', () => {
    expect(timedLine(events.aggregate(aggregate, 'r'))).toMatch(/^09:30:00 aggregate {2}S22-0412_A1 {2}#7/);
  });

  it('keeps its columns where an event says no time', () => {
    expect(timedLine({ ...events.aggregate(aggregate, 'r'), time: '' })).toMatch(/^ {9}aggregate/);
  });

  it('lets no control character of anybody’s time steer the terminal', () => {
    const event = events.aggregate(aggregate, 'r');
    expect(timedLine({ ...event, time: `${'x'.repeat(11)}\u001b[2J` })).not.toContain('\u001b');
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 30 }), time => {
        expect(timedLine({ ...event, time })).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
      }),
    );
  });
});

describe('eventFacts', () => {
  it('are the attributes and the data of a JSON event', () => {
    const { data, ...attributes } = events.aggregate(aggregate, 'r');
    expect(eventFacts({ data, ...attributes })).toEqual({ ...attributes, data: aggregate });
    expect(attributes.time).toBe(TIME);
  });

  it.each(['application/json; charset=utf-8', 'Application/JSON', 'application/json ;x=y'])('read %s', contentType => {
    expect(eventFacts({ ...events.aggregate(aggregate, 'r'), contentType })).toMatchObject({ data: aggregate });
  });

  it.each(['application/json-seq', 'text/json', ''])('take %j for bytes', contentType => {
    const event = { ...events.aggregate(aggregate, 'r'), contentType };
    expect(eventFacts(event)).toMatchObject({ bytes: event.data.length });
  });

  it('of a picture are the attributes and its size', () => {
    const { data, ...attributes } = events.mask(maskInput());
    expect(eventFacts({ data, ...attributes })).toEqual({ ...attributes, bytes: data.length });
  });

  it('of an event that only says it is JSON are its size: one broken event does not end a listener', () => {
    const event = events.aggregate(aggregate, 'r');
    for (const data of [text('{'), text(''), Uint8Array.of(0x22, 0xff, 0x22)])
      expect(eventFacts({ ...event, data })).toMatchObject({ bytes: data.length, id: event.id });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20 }), data => {
        const facts = eventFacts({ ...event, data });
        expect('data' in facts !== 'bytes' in facts).toBe(true);
      }),
    );
  });
});
