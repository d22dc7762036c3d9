import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  buildSubject,
  checkPrefix,
  escapeToken,
  matchesSubject,
  parseSubject,
  subjectPattern,
  type Topic,
  unescapeToken,
} from '#src/event/subjects.js';

const anyText = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 });
const awkwardText = fc.stringMatching(/^[_A-F0-9.]{1,12}$/);
const slideId = fc.stringMatching(/^[A-Za-z0-9_-]{1,20}$/);
const index = fc.nat({ max: 999_999 });
const topic: fc.Arbitrary<Topic> = fc.oneof(
  fc.record({ kind: fc.constant('mask' as const), slide: slideId, col: index, row: index }),
  fc.record({ kind: fc.constant('aggregate' as const), slide: slideId }),
  fc.record({ kind: fc.constant('dlq' as const), stage: fc.constantFrom('read', 'infer', 'publish'), slide: slideId }),
  fc.record({
    kind: fc.constant('slide' as const),
    state: fc.constantFrom('opened', 'progress', 'completed', 'incomplete', 'failed'),
    slide: slideId,
  }),
);

describe('escapeToken', () => {
  it('leaves what is safe as it is, a single underscore too', () => {
    expect(escapeToken('scan_01-AB')).toBe('scan_01-AB');
    expect(escapeToken('_')).toBe('_');
  });

  it('escapes everything else by the bytes of its UTF-8', () => {
    expect(escapeToken('GT 450')).toBe('GT__20450');
    expect(escapeToken('a.b*c>')).toBe('a__2Eb__2Ac__3E');
    expect(escapeToken('é')).toBe('__C3__A9');
    expect(escapeToken('a__b')).toBe('a__5F_b');
  });

  it('gives a token of safe characters that is read back as it was', () => {
    fc.assert(
      fc.property(fc.oneof(anyText, awkwardText), text => {
        const token = escapeToken(text);
        expect(token).toMatch(/^[A-Za-z0-9_-]+$/);
        expect(unescapeToken(token)).toBe(text);
      }),
      { numRuns: 2000 },
    );
  });

  it('refuses an empty token', () => {
    expect(() => escapeToken('')).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  });
});

describe('unescapeToken', () => {
  it('shows bytes that are no text as U+FFFD and never throws', () => {
    expect(unescapeToken('__FF')).toBe('\uFFFD');
    fc.assert(fc.property(fc.stringMatching(/^[_A-Z0-9-]{0,20}$/), token => typeof unescapeToken(token) === 'string'));
  });
});

describe('buildSubject and parseSubject', () => {
  it('write and read every kind', () => {
    fc.assert(
      fc.property(anyText, anyText, topic, (site, scanner, about) => {
        const subject = buildSubject('stroma.v1', { site, scanner }, about);
        expect(subject.split('.').every(token => /^[A-Za-z0-9_-]+$/.test(token))).toBe(true);
        expect(parseSubject('stroma.v1', subject)).toEqual({ site, scanner, ...about });
        expect(matchesSubject(subjectPattern(about.kind, { site, scanner, slide: about.slide }), subject)).toBe(true);
        expect(matchesSubject(subjectPattern(about.kind), subject)).toBe(true);
        expect(matchesSubject(subjectPattern(), subject)).toBe(true);
      }),
    );
  });

  it('follow the contract to the letter', () => {
    const origin = { site: 'lab', scanner: 's1' };
    expect(buildSubject('stroma.v1', origin, { kind: 'mask', slide: 'A1', col: 12, row: 7 })).toBe(
      'stroma.v1.lab.s1.mask.A1.12.7',
    );
    expect(buildSubject('x', origin, { kind: 'slide', state: 'opened', slide: 'A1' })).toBe('x.lab.s1.slide.opened.A1');
    expect(buildSubject('x', origin, { kind: 'aggregate', slide: 'A1' })).toBe('x.lab.s1.aggregate.A1');
    expect(buildSubject('x', origin, { kind: 'dlq', stage: 'infer', slide: 'A1' })).toBe('x.lab.s1.dlq.infer.A1');
  });

  it('refuse a slide id that is no token', () => {
    expect(() => buildSubject('p', { site: 'a', scanner: 'b' }, { kind: 'aggregate', slide: 'a.b' })).toThrow(
      expect.objectContaining({ code: 'INTERNAL' }),
    );
  });

  it.each([
    'stroma.v1.a.b.mask.S1.1',
    'stroma.v1.a.b.mask.S1.1.x',
    'stroma.v1.a.b.mask.S1.01.1',
    'stroma.v1.a.b.mask.S1.1.1.1',
    'stroma.v1.a.b.slide.paused.S1',
    'stroma.v1.a.b.dlq.write.S1',
    'stroma.v1.a.b.aggregate',
    'stroma.v1.a..aggregate.S1',
    'stroma.v2.a.b.aggregate.S1',
    'stroma.v1',
    '',
  ])('do not read %j', subject => {
    expect(parseSubject('stroma.v1', subject)).toBeUndefined();
  });
});

describe('matchesSubject', () => {
  it.each([
    ['a.b', 'a.b', true],
    ['a.*', 'a.b', true],
    ['a.*', 'a.b.c', false],
    ['a.*.c', 'a.b.c', true],
    ['*', 'a', true],
    ['*', 'a.b', false],
    ['>', 'a.b.c', true],
    ['a.>', 'a', false],
    ['a.>', 'a.b.c', true],
    ['a.>.c', 'a.b.c', false],
    ['a.b.c', 'a.b', false],
    ['a', 'a.b', false],
  ])('%s on %s is %s', (pattern, subject, expected) => {
    expect(matchesSubject(pattern, subject)).toBe(expected);
  });
});

describe('checkPrefix', () => {
  it('takes tokens joined by dots and nothing else', () => {
    expect(checkPrefix('stroma.v1')).toBe('stroma.v1');
    for (const prefix of ['', 'a..b', 'a.*', 'a.>', 'a b', '.a']) {
      expect(() => checkPrefix(prefix)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
    }
  });
});
