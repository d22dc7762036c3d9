import { vi } from 'vitest';
import type { Terminal } from '#src/cli/terminal.js';

/** What a command writes: lines for people, JSON values and lines on standard error. */
export interface Written {
  readonly terminal: Terminal;
  readonly lines: string[];
  readonly values: unknown[];
  readonly errors: string[];
  /** Gives standard error back. */
  readonly restore: () => void;
}

export function capture(): Written {
  const [lines, values, errors]: [string[], unknown[], string[]] = [[], [], []];
  const stderr = vi.spyOn(process.stderr, 'write').mockImplementation(text => {
    errors.push(String(text));
    return true;
  });
  const terminal: Terminal = {
    line: text => void lines.push(text),
    problem: text => void errors.push(`stromaflow: ${text}\n`),
    status: () => undefined,
    json: value => void values.push(JSON.parse(JSON.stringify(value))),
    close: () => undefined,
  };
  return { terminal, lines, values, errors, restore: () => stderr.mockRestore() };
}
