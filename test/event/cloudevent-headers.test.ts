import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeHeaderValue, fromHeaders, toHeaders } from '#src/event/cloudevent-headers.js';
import { decodePercent } from '#src/text.js';
import { createSampleEvents, maskInput, TIME } from './samples.js';

const text = fc.string({ unit: 'binary', maxLength: 60 });

describe('header values', () => {
  it('follow the example of the CloudEvents HTTP binding, §3.1.3.2', () => {
    expect(encodeHeaderValue('Euro € 😀')).toBe('Euro%20%E2%82%AC%20%F0%9F%98%80');
    expect(decodePercent('Euro%20%E2%82%AC%20%F0%9F%98%80')).toBe('Euro € 😀');
  });

  it('encode quote, percent, space and control characters, and nothing else of ASCII', () => {
    const ascii = String.fromCharCode(...Array.from({ length: 128 }, (_, code) => code));
    const kept = encodeHeaderValue(ascii).replace(/%[0-9A-F]{2}/g, '');
    expect(kept).toBe(ascii.slice(0x21, 0x7f).replace(/["%]/g, ''));
  });

  it('come back as they were, and are always safe in a header', () => {
    fc.assert(
      fc.property(text, value => {
        expect(encodeHeaderValue(value)).toMatch(/^[\x21-\x7e]*$/);
        expect(decodePercent(encodeHeaderValue(value))).toBe(value);
      }),
      { numRuns: 1000 },
    );
  });

  it('are read in any case and without complaint', () => {
    expect(decodePercent('a%c3%A9b%')).toBe('aéb%');
    expect(decodePercent('%zz %FF')).toBe('%zz \uFFFD');
  });
});

describe('toHeaders', () => {
  const event = createSampleEvents().mask(maskInput());

  it('gives the attributes and the id for duplicate detection', () => {
    const headers = new Map(toHeaders(event));
    expect(headers.get('Nats-Msg-Id')).toBe('S22-0412_A1/0.1.0+1a2b3c4d/1/3/2@a1b2c3d4e5f6');
    expect(headers.get('ce-id')).toBe(headers.get('Nats-Msg-Id'));
    expect(headers.get('ce-specversion')).toBe('1.0');
    expect(headers.get('ce-type')).toBe('stromaflow.mask.v1');
    expect(headers.get('ce-source')).toBe('/stromaflow/Sint-Jan/GT%2520450%2520%25E2%2584%25962');
    expect(headers.get('ce-time')).toBe(TIME);
    expect(headers.get('ce-datacontenttype')).toBe('image/png');
    expect(headers.get('ce-stromapixels')).toBe('1024');
  });

  it('refuses an extension name that CloudEvents does not allow', () => {
    for (const name of ['Slide', 'model_version', '', 'id', 'a'.repeat(21)]) {
      expect(() => toHeaders({ ...event, extensions: { [name]: 'x' } })).toThrow(RangeError);
    }
  });

  it('is undone by fromHeaders, whatever the values', () => {
    const name = fc.stringMatching(/^[a-z0-9]{1,20}$/).map(key => `x${key}`.slice(0, 20));
    fc.assert(
      fc.property(fc.dictionary(name, text), text.filter(Boolean), (extensions, id) => {
        const sent = { ...event, id, extensions: { ...extensions } };
        expect(fromHeaders(sent.subject, toHeaders(sent), sent.data)).toEqual(sent);
      }),
    );
  });
});

describe('fromHeaders', () => {
  const headers = toHeaders(createSampleEvents().mask(maskInput()));

  it('takes names in any case, as other clients canonicalise them', () => {
    const shouted = headers.map(([name, value]): [string, string] => [name.toUpperCase(), value]);
    expect(fromHeaders('s', shouted, new Uint8Array())).toEqual(fromHeaders('s', headers, new Uint8Array()));
  });

  it('knows no CloudEvent without its required attributes, nor a later major version', () => {
    for (const required of ['ce-specversion', 'ce-id', 'ce-type', 'ce-source']) {
      const lacking = headers.filter(([name]) => name !== required);
      expect(fromHeaders('s', lacking, new Uint8Array())).toBeUndefined();
    }
    const later = headers.map(([name, value]): [string, string] => [name, name === 'ce-specversion' ? '2.0' : value]);
    expect(fromHeaders('s', later, new Uint8Array())).toBeUndefined();
  });
});
