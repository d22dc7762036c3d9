import type { Writable } from 'node:stream';
import { printable, wrapped } from '../text.js';

export interface Terminal {
  /** A line that stays. */
  line(text: string): void;
  /** What went wrong, on standard error; the text stands behind the program's name. */
  problem(text: string): void;
  /** A line that is drawn over by the next; only on a terminal. */
  status(text: string): void;
  /** A JSON value on a line of its own; the only thing printed under --json. */
  json(value: unknown): void;
  /** Takes the status line away. */
  close(): void;
}

type Output = Writable & { readonly isTTY?: boolean; readonly columns?: number };

/** Lines for people on a terminal, with a live status line at the bottom; JSON lines under `json`. */
export function createTerminal(output: Output, json: boolean, errors: Output = process.stderr): Terminal {
  const live = output.isTTY === true && !json;
  let shown = '';
  const clear = (): void => {
    if (shown) output.write('\r\u001b[2K');
  };
  return {
    line(text) {
      if (json) return;
      clear();
      output.write(`${broken(printable(text, asItIs), output)}\n`);
      if (shown) output.write(shown);
    },
    problem(text) {
      clear();
      errors.write(`${broken(`stromaflow: ${printable(text, asItIs)}`, errors)}\n`);
      if (shown) output.write(shown);
    },
    status(text) {
      if (!live) return;
      clear();
      shown = printable(text, asItIs).slice(0, (output.columns || 80) - 1);
      output.write(shown);
    },
    json(value) {
      if (json) output.write(`${JSON.stringify(value)}\n`);
    },
    close() {
      clear();
      shown = '';
    },
  };
}

/** Lines of at most so many columns, also where they go to a file or pipe: for what is read, and never searched. */
export const narrow = (terminal: Terminal, columns: number): Terminal => ({
  ...terminal,
  line: text => terminal.line(inColumns(text, columns)),
});

/** On a terminal long lines are broken between words, what follows under the text behind the line's first column. */
function broken(text: string, { isTTY = false, columns = 0 }: Output): string {
  return isTTY && columns >= LEAST_COLUMNS ? inColumns(text, columns) : text;
}

const inColumns = (text: string, columns: number): string =>
  text
    .split('\n')
    .flatMap(line => brokenLine(line, columns - 1))
    .join('\n');

/** In less nobody can read columns. */
const LEAST_COLUMNS = 40;

function brokenLine(line: string, width: number): string[] {
  const lead = /^ */.exec(line)![0];
  const column = /^\S+ {2,}/.exec(line)?.[0].length ?? (lead === '' ? 2 : 0);
  return wrapped(line.slice(lead.length), width - lead.length, column).map(part => `${lead}${part}`);
}

/** A text may have several lines. */
const asItIs = (blank: string): string => blank;

/**
 * What a service prints: every line and problem behind its time (RFC 3339, UTC, whole seconds), every JSON value that says no time of its
 * own with one.
 */
export function timed(terminal: Terminal, now: () => Date = () => new Date()): Terminal {
  const time = (): string => `${now().toISOString().slice(0, 19)}Z`;
  return {
    ...terminal,
    line: text => terminal.line(`${time()} ${text}`),
    problem: text => terminal.problem(`${time()} ${text}`),
    json: value => terminal.json(typeof value === 'object' ? { time: time(), ...value } : value),
  };
}
