/** One thing `stromaflow doctor` looked at; only 'bad' makes the command fail. */
export interface Finding {
  readonly what: string;
  readonly state: 'good' | 'absent' | 'bad';
  /** For people, a line each. */
  readonly lines: readonly string[];
  /** The same for programs. */
  readonly facts?: object;
}

const MARKS = { good: '✓', absent: '–', bad: '✗' } as const;
/** Columns of the mark, the name and the gaps behind both. */
const INDENT = 23;

/** A finding as lines of at most `width` columns; words longer than that are left whole, so that they can be copied. */
export function writeFinding({ state, what, lines }: Finding, width: number): string[] {
  const head = `${MARKS[state]} ${what}`.padEnd(INDENT);
  const wrapped = lines.flatMap(line => wrap(line, Math.max(30, width - INDENT)));
  return wrapped.map((text, i) => (i === 0 ? head : ' '.repeat(INDENT)) + text);
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

export const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
