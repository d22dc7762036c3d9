import type { StromaflowError } from '../errors.js';

/** Faults of a labelled set, each said once in one line, however often the set is walked. */
export class Faults {
  readonly #strict: boolean;
  readonly #known = new Map<string, StromaflowError>();

  #held: StromaflowError[] | undefined;

  /**
   * @param strict the first fault is thrown
   * @param hold nothing is said before `say`
   */
  constructor(strict: boolean, hold = false) {
    this.#strict = strict;
    if (hold) this.#held = [];
  }

  get list(): readonly StromaflowError[] {
    return [...this.#known.values()];
  }

  readonly add = (fault: StromaflowError): void => {
    if (this.#strict) throw fault;
    if (this.#known.has(fault.message)) return;
    this.#known.set(fault.message, fault);
    if (this.#held) this.#held.push(fault);
    else process.stderr.write(`stromaflow: ${fault.line}\n`);
  };

  /** Says what was held, a line for each kind of fault, and from now on each one at once. */
  say(): void {
    const kinds = new Map<string, { readonly first: StromaflowError; count: number }>();
    for (const fault of this.#held ?? []) {
      const kind = kindOf(fault.message);
      const known = kinds.get(kind);
      if (known) known.count++;
      else kinds.set(kind, { first: fault, count: 1 });
    }
    this.#held = undefined;
    for (const { first, count } of kinds.values()) {
      const more = count > 1 ? ` (and so of ${count - 1} others)` : '';
      process.stderr.write(`stromaflow: ${first.line}${more}\n`);
    }
  }
}

/** What is said of a file, without the file. */
const kindOf = (message: string): string => message.slice(message.indexOf(': ') + 1);
