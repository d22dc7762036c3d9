import type { StromaflowError } from '../errors.js';

/** Faults of a labelled set, each said once in one line, however often the set is walked. */
export class Faults {
  readonly #strict: boolean;
  readonly #known = new Map<string, StromaflowError>();

  /** @param strict the first fault is thrown */
  constructor(strict: boolean) {
    this.#strict = strict;
  }

  get list(): readonly StromaflowError[] {
    return [...this.#known.values()];
  }

  readonly add = (fault: StromaflowError): void => {
    if (this.#strict) throw fault;
    if (this.#known.has(fault.message)) return;
    this.#known.set(fault.message, fault);
    process.stderr.write(`stromaflow: ${fault.line}\n`);
  };
}
