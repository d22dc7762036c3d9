import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseNatsUrl } from '#src/event/nats-connect.js';

const host = fc.oneof(
  fc.domain(),
  fc.ipV4(),
  fc.ipV6().map(address => `[${address}]`),
);
const port = fc.option(fc.integer({ min: 1, max: 65_535 }), { nil: undefined });
/** What a password may hold; the characters that part a URL have to be escaped by whoever writes it. */
const secret = fc.string({
  unit: fc.constantFrom(...'aZ09%&^!$*()+=~|\\"\'<>{}`;é😀 .-_'),
  minLength: 1,
  maxLength: 12,
});

const refusal = (text: string): string => {
  try {
    parseNatsUrl(text);
  } catch (error) {
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
    return (error as Error).message;
  }
  throw new Error(`${text} was taken`);
};

describe('the address of a NATS server', () => {
  it('gives host and port of each, 4222 unless it says another, and shows the scheme that will be spoken', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(host, port), { minLength: 1, maxLength: 4 }), fc.boolean(), (servers, tls) => {
        const text = servers.map(([name, number]) => (number === undefined ? name : `${name}:${number}`));
        const given = tls ? [`tls://${text[0]}`, ...text.slice(1)] : text;
        const found = parseNatsUrl(given.join(' , '));
        expect(found.tls).toBe(tls);
        expect(found.servers.map(server => Number(/:(\d+)$/.exec(server)?.[1]))).toEqual(
          servers.map(([, number]) => number ?? 4222),
        );
        expect(found.shown).toBe(found.servers.map(server => `${tls ? 'tls' : 'nats'}://${server}`).join(','));
        expect(found).not.toHaveProperty('user');
        expect(found).not.toHaveProperty('token');
      }),
    );
  });

  it('gives a password back that was escaped, whatever is in it, and shows nothing of it', () => {
    const any = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(any, any, (user, pass) => {
        const url = `nats://${encodeURIComponent(user)}:${encodeURIComponent(pass)}@lab.example:4333`;
        expect(parseNatsUrl(url)).toEqual({
          servers: ['lab.example:4333'],
          shown: 'nats://lab.example:4333',
          tls: false,
          user,
          pass,
        });
      }),
    );
  });

  it('takes a password as it is typed, a percent sign that escapes nothing included', () => {
    expect(parseNatsUrl('nats://lab:100%@h')).toMatchObject({ user: 'lab', pass: '100%' });
    expect(parseNatsUrl('nats://lab:5%^z%20@h')).toMatchObject({ pass: '5%^z ' });
    expect(parseNatsUrl('nats://50%off@h')).toMatchObject({ token: '50%off' });
    fc.assert(
      fc.property(secret, typed => {
        // Two hexadecimal digits behind a percent sign are an escape, on purpose or not.
        fc.pre(!/%[0-9A-Fa-f]{2}/.test(typed));
        const url = `nats://lab:${typed.replaceAll('\\', '%5C')}@h`;
        expect(parseNatsUrl(url)).toMatchObject({ user: 'lab', pass: typed });
      }),
    );
  });

  it('takes the credentials of the first server that has any', () => {
    expect(parseNatsUrl('a,nats://u:p@b,nats://v:q@c')).toMatchObject({ user: 'u', pass: 'p' });
    expect(parseNatsUrl('nats://token@a,nats://v:q@c')).toMatchObject({ token: 'token' });
  });

  it.each(['http://host', 'nats://host/path', 'nats://', 'nats://host:99999', '', 'a,,b', 'nats://a b'])(
    'is not %j',
    text => {
      expect(refusal(text)).toBe(`'${text}' is not the address of a NATS server`);
    },
  );

  it.each([
    ['with a slash in the password', 'nats://lab:se/cret@host'],
    ['with an at sign in the password', 'nats://lab:sec@cret@host/x'],
    ['with a comma in the password', 'nats://lab:se,cret@host'],
    ['without a scheme', 'lab:secret@host:4222/x'],
    ['behind another server', 'nats://a,nats://lab:secret@host:99999'],
    ['over two lines', 'nats://lab:se\ncret@host/x'],
  ])('that is refused never shows its password: %s', (_, text) => {
    const message = refusal(text);
    for (const part of ['lab', 'se', 'cret'])
      expect(message.replace('is not the address of a NATS server', '')).not.toContain(part);
    expect(message).toContain('…@host');
  });
});
