import type { Writable } from 'node:stream';
import { printable } from '../text.js';

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

/** Lines for people on a terminal, with a live status line at the bottom; JSON lines under `json`. */
export function createTerminal(
  output: Writable & { isTTY?: boolean; columns?: number },
  json: boolean,
  errors: Writable = process.stderr,
): Terminal {
  const live = output.isTTY === true && !json;
  let shown = '';
  const clear = (): void => {
    if (shown) output.write('\r\u001b[2K');
  };
  return {
    line(text) {
      if (json) return;
      clear();
      output.write(`${printable(text, asItIs)}\n`);
      if (shown) output.write(shown);
    },
    problem(text) {
      clear();
      errors.write(`stromaflow: ${printable(text, asItIs)}\n`);
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
