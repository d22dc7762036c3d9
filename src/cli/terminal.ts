import type { Writable } from 'node:stream';

export interface Terminal {
  /** A line that stays. */
  line(text: string): void;
  /** A line that is drawn over by the next; only on a terminal. */
  status(text: string): void;
  /** A JSON value on a line of its own; the only thing printed under --json. */
  json(value: unknown): void;
  /** Takes the status line away. */
  close(): void;
}

/** Lines for people on a terminal, with a live status line at the bottom; JSON lines under `json`. */
export function createTerminal(output: Writable & { isTTY?: boolean; columns?: number }, json: boolean): Terminal {
  const live = output.isTTY === true && !json;
  let shown = '';
  const clear = (): void => {
    if (shown) output.write('\r\u001b[2K');
  };
  return {
    line(text) {
      if (json) return;
      clear();
      output.write(`${printable(text)}\n`);
      if (shown) output.write(shown);
    },
    status(text) {
      if (!live) return;
      clear();
      shown = printable(text).slice(0, (output.columns ?? 80) - 1);
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

/** Names of slides, models and sets come from anybody's files: what steers a terminal does not get out of them. */
const printable = (text: string): string =>
  text.replace(/\p{Cc}|\p{Cf}|\p{Zl}|\p{Zp}/gu, char => (char === '\n' || char === '\t' ? char : '·'));
