import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { escapeToken, matchesSubject, parseSubject, subjectPattern } from '#src/event/subjects.js';

/** A NATS pattern as a regular expression, from the words of its documentation. */
function regex(pattern: string): RegExp {
  const tokens = pattern.split('.').map((token, i, all) => {
    if (token === '>' && i === all.length - 1) return '[^.]+(\\.[^.]+)*';
    if (token === '*') return '[^.]+';
    return token.replace(/[>$^|()[\]{}+?\\/-]/g, '\\$&');
  });
  return new RegExp(`^${tokens.join('\\.')}$`);
}

const token = fc.constantFrom('a', 'b', 'mask', 'a-b', '_');
const patternToken = fc.oneof(token, fc.constant('*'));

describe('matching', () => {
  it('is that of a NATS server for any pattern and subject of a few tokens', () => {
    const pattern = fc
      .tuple(fc.array(patternToken, { minLength: 1, maxLength: 4 }), fc.boolean())
      .map(([tokens, rest]) => [...tokens, ...(rest ? ['>'] : [])].join('.'));
    const subject = fc.array(token, { minLength: 1, maxLength: 5 }).map(tokens => tokens.join('.'));
    fc.assert(
      fc.property(pattern, subject, (want, have) => {
        expect(matchesSubject(want, have)).toBe(regex(want).test(have));
      }),
      { numRuns: 3000 },
    );
  });
});

describe('the pattern of a filter', () => {
  const kinds = ['slide', 'mask', 'aggregate', 'dlq'] as const;
  const subjects = [
    'p.v1.a.s.slide.opened.S1',
    'p.v1.a.s.mask.S1.0.0',
    'p.v1.a.t.mask.S2.10.3',
    'p.v1.b.s.aggregate.S2',
    'p.v1.b.t.dlq.read.S1',
    'other.b.t.dlq.read.S1',
  ];

  it('matches exactly what the subject, read back, agrees with', () => {
    const maybe = <T>(...values: T[]) => fc.constantFrom(undefined, ...values);
    fc.assert(
      fc.property(
        maybe(...kinds),
        maybe('a', 'b', 'x'),
        maybe('s', 't'),
        maybe('S1', 'S2'),
        (kind, site, scanner, slide) => {
          // Without a kind there is no place where the slide's id must stand.
          fc.pre(kind !== undefined || slide === undefined);
          const pattern = subjectPattern(kind, { prefix: 'p.v1', site, scanner, slide });
          for (const subject of subjects) {
            const read = parseSubject('p.v1', subject);
            const agrees =
              read !== undefined &&
              [
                [kind, read.kind],
                [site, read.site],
                [scanner, read.scanner],
                [slide, read.slide],
              ].every(([wanted, found]) => wanted === undefined || wanted === found);
            expect(matchesSubject(pattern, subject), `${pattern} on ${subject}`).toBe(agrees);
          }
        },
      ),
    );
  });

  it('of a site with any characters matches that site alone', () => {
    const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(text, text, (one, other) => {
        const pattern = subjectPattern('aggregate', { site: one });
        const subject = `stroma.v1.${escapeToken(other)}.s.aggregate.S1`;
        expect(matchesSubject(pattern, subject)).toBe(one === other);
      }),
    );
  });
});

describe('a pattern that could match nothing', () => {
  it.each(['CMU-1 copy', 'a.b', 'CMU-1.svs/', '*', '>', ''])('is not made of the slide %j', slide => {
    expect(() => subjectPattern('mask', { slide })).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining(`'${slide}'`) }),
    );
  });

  it.each(['', 'a..b', 'a.*', 'stroma v1'])('is not made of the prefix %j', prefix => {
    expect(() => subjectPattern('mask', { prefix })).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  });
});

describe('the indices of a mask', () => {
  it.each([
    ['0', true],
    ['999999999', true],
    ['1000000000', false],
    ['-1', false],
    ['+1', false],
    ['1e3', false],
    ['٣', false],
    ['00', false],
  ])('%s: read %s', (index, read) => {
    expect(parseSubject('stroma.v1', `stroma.v1.a.b.mask.S1.${index}.0`) !== undefined).toBe(read);
    expect(parseSubject('stroma.v1', `stroma.v1.a.b.mask.S1.0.${index}`) !== undefined).toBe(read);
  });
});
