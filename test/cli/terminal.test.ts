import { Writable } from 'node:stream';
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
});
