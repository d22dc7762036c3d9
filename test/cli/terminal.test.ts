import { Writable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createTerminal } from '#src/cli/terminal.js';

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
