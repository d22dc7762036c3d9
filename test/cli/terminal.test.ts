import { Writable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createTerminal, timed } from '#src/cli/terminal.js';

const sink = (isTTY: boolean, columns = 40) => {
  let text = '';
  const stream = new Writable({
    write(chunk, _encoding, done) {
      text += chunk;
      done();
    },
  });
  return { stream: Object.assign(stream, { isTTY, columns }), text: () => text };
};

/** What a terminal of one line would show in the end. */
const lastLine = (text: string): string => text.replaceAll('\r\u001b[2K', '\n').split('\n').at(-1) ?? '';

describe('createTerminal', () => {
  it('keeps the status line below the lines that stay', () => {
    const { stream, text } = sink(true);
    const terminal = createTerminal(stream, false);
    terminal.status('1/3');
    terminal.line('a line');
    terminal.status('2/3');
    expect(text()).toContain('a line\n');
    expect(lastLine(text())).toBe('2/3');
    terminal.close();
    expect(lastLine(text())).toBe('');
  });

  it('cuts the status line at the width of the terminal', () => {
    const { stream, text } = sink(true, 10);
    createTerminal(stream, false).status('x'.repeat(50));
    expect(lastLine(text())).toHaveLength(9);
  });

  it('breaks long lines between words on a terminal, under the text of their first line, and nowhere else', () => {
    const lines = [
      'model      a starter trained on few images of lung and colon',
      '  pictures and results: out/a-slide-of-a-long-name/overview.png',
      'S1: stroma 0.272 mm² of 0.593 mm² tissue (45.8 %)',
    ];
    const shown = (isTTY: boolean, columns: number) => {
      const { stream, text } = sink(isTTY, columns);
      const terminal = createTerminal(stream, false);
      for (const line of lines) terminal.line(line);
      return text();
    };
    expect(shown(true, 42)).toBe(
      [
        'model      a starter trained on few',
        '           images of lung and colon',
        '  pictures and results:',
        '  out/a-slide-of-a-long-name/overview.png',
        'S1: stroma 0.272 mm² of 0.593 mm² tissue',
        '  (45.8 %)',
        '',
      ].join('\n'),
    );
    for (const [isTTY, columns] of [
      [false, 42],
      [true, 0],
      [true, 30],
    ] as const)
      expect(shown(isTTY, columns)).toBe(`${lines.join('\n')}\n`);
  });

  it('draws no status line into a file or a pipe', () => {
    const { stream, text } = sink(false);
    const terminal = createTerminal(stream, false);
    terminal.status('1/3');
    terminal.line('a line');
    expect(text()).toBe('a line\n');
  });

  it('prints JSON lines only when asked to', () => {
    const { stream, text } = sink(true);
    const terminal = createTerminal(stream, true);
    terminal.status('1/3');
    terminal.line('for people');
    terminal.json({ slide: 'one' });
    expect(text()).toBe('{"slide":"one"}\n');
  });

  it.each(['line', 'status'] as const)('lets nothing of anybody’s text in a %s steer the terminal', kind => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 30 }),
        fc.constantFrom('\u001b]0;x\u0007', '\u202e', '\r'),
        (text, code) => {
          const { stream, text: drawn } = sink(true, 200);
          createTerminal(stream, false)[kind](`${text}${code}${text}`);
          expect(drawn().replace(/\n$/, '')).not.toMatch(/(?![\n\t])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
          expect(drawn()).toContain('·');
        },
      ),
    );
  });

  it('keeps every other character of a line, in any script, and the lines of a text of several', () => {
    const { stream, text } = sink(true);
    createTerminal(stream, false).line('µm² – Größe 組織 😀\n\tmore');
    expect(text()).toBe('µm² – Größe 組織 😀\n\tmore\n');
  });
});

describe('a terminal of no width', () => {
  it('is taken for one of 80 columns', () => {
    const { stream, text } = sink(true, 0);
    createTerminal(stream, false).status('x'.repeat(200));
    expect(lastLine(text())).toHaveLength(79);
  });
});

describe('a problem', () => {
  it('goes to standard error behind the name of the program, and the status line stays below', () => {
    const [{ stream, text }, errors] = [sink(true), sink(false)];
    const terminal = createTerminal(stream, false, errors.stream);
    terminal.status('1/3');
    terminal.problem('a.svs: damaged\u001b[31m');
    expect(errors.text()).toBe('stromaflow: a.svs: damaged·[31m\n');
    expect(lastLine(text())).toBe('1/3');
  });
});

describe('timed', () => {
  const now = () => new Date('2026-01-02T03:04:05.678Z');

  it('puts the time before every line and problem, and into every JSON value that has none', () => {
    const [out, errors] = [sink(false), sink(false)];
    const terminal = timed(createTerminal(out.stream, false, errors.stream), now);
    terminal.line('opened');
    terminal.problem('failed');
    expect(out.text()).toBe('2026-01-02T03:04:05Z opened\n');
    expect(errors.text()).toBe('stromaflow: 2026-01-02T03:04:05Z failed\n');
    const values = sink(false);
    const json = timed(createTerminal(values.stream, true), now);
    json.json({ slide: 'a' });
    json.json({ time: 'its own' });
    expect(values.text()).toBe('{"time":"2026-01-02T03:04:05Z","slide":"a"}\n{"time":"its own"}\n');
  });
});
