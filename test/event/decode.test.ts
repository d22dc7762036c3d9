import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BusEvent } from '#src/event/bus.js';
import { decodeEvent } from '#src/event/decode.js';
import { SLIDE_STATES } from '#src/event/subjects.js';
import { decodeMaskPng } from '#src/mask/png.js';
import { aggregate, createSampleEvents, deadLetter, maskInput, slidePayloads, TIME } from './samples.js';

const events = createSampleEvents();
const invalid = expect.objectContaining({ code: 'EVENT_INVALID' });
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

describe('decodeEvent', () => {
  it('reads a mask: headers as numbers, pixels on demand', () => {
    const event = events.mask(maskInput());
    const decoded = decodeEvent(event);
    expect(decoded).toMatchObject({
      kind: 'mask',
      id: event.id,
      time: TIME,
      slide: 'S22-0412_A1',
      level: 1,
      col: 3,
      row: 2,
      mpp: 0.499,
      stromapixels: 1024,
      model: 'starter',
    });
    if (decoded?.kind !== 'mask') throw new Error('not a mask');
    expect(decoded.bits).toEqual(decodeMaskPng(event.data).bits);
    expect(decoded.bits).toBe(decoded.bits);
    expect(decoded).not.toHaveProperty('union');
  });

  it('reads a mask of a labelled slide', () => {
    const input = maskInput();
    const event = events.mask({ ...input, record: { ...input.record, intersection: 5, union: 9 } });
    expect(decodeEvent(event)).toMatchObject({ intersection: 5, union: 9 });
  });

  it('reads every other kind', () => {
    expect(decodeEvent(events.aggregate(aggregate, 'r1'))).toMatchObject({ kind: 'aggregate', run: 'r1', aggregate });
    expect(decodeEvent(events.dlq(deadLetter))).toMatchObject({ kind: 'dlq', letter: deadLetter });
    for (const state of SLIDE_STATES) {
      const decoded = decodeEvent(events.slide(state, slidePayloads[state]));
      expect(decoded).toMatchObject({ kind: 'slide', state, payload: slidePayloads[state] });
    }
  });

  it('knows nothing of other types', () => {
    expect(decodeEvent({ ...events.aggregate(aggregate, 'r'), type: 'stromaflow.aggregate.v2' })).toBeUndefined();
  });

  it('says what is wrong with data that breaks the contract', () => {
    const event = events.aggregate(aggregate, 'r');
    for (const data of [text('{'), text('[]'), text('null'), text('{}'), Uint8Array.of(0xff)]) {
      expect(() => decodeEvent({ ...event, data })).toThrow(invalid);
    }
    const stray = { ...aggregate, area: { ...aggregate.area, stromaMm2: 'much' } };
    expect(() => decodeEvent({ ...event, data: text(JSON.stringify(stray)) })).toThrow('area.stromaMm2: is not number');
  });

  it.each([
    ['col', ''],
    ['col', '-1'],
    ['col', '1.5'],
    ['mpp', '0'],
    ['mpp', 'NaN'],
    ['slide', 'a b'],
    ['validpixels', '1e400'],
  ])('refuses a mask with %s = %j', (name, value) => {
    const event = events.mask(maskInput());
    expect(() => decodeEvent({ ...event, extensions: { ...event.extensions, [name]: value } })).toThrow(invalid);
  });

  it('finds a broken picture when its pixels are asked for', () => {
    const decoded = decodeEvent({ ...events.mask(maskInput()), data: text('no picture') });
    expect(() => decoded?.kind === 'mask' && decoded.bits).toThrow(expect.objectContaining({ code: 'MASK_INVALID' }));
  });

  it('gives an event, nothing, or EVENT_INVALID for any bytes under any of our types', () => {
    const types = [...SLIDE_STATES.map(state => `slide.${state}`), 'mask', 'aggregate', 'dlq.read', 'other'];
    const anything: fc.Arbitrary<BusEvent> = fc.record({
      subject: fc.string(),
      id: fc.string(),
      type: fc.constantFrom(...types).map(type => `stromaflow.${type}.v1`),
      source: fc.string(),
      time: fc.string(),
      contentType: fc.string(),
      extensions: fc.dictionary(fc.constantFrom('slide', 'col', 'run', 'x', '__proto__'), fc.string()),
      data: fc.oneof(fc.uint8Array(), fc.json().map(text)),
    });
    fc.assert(
      fc.property(anything, event => {
        try {
          decodeEvent(event);
        } catch (error) {
          expect(error).toMatchObject({ code: 'EVENT_INVALID' });
        }
      }),
      { numRuns: 1000 },
    );
  });
});
