import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KnownRun, Ledger } from './ledger.js';
import { SUMMARY_FILE } from './slide-files.js';

/** A slide that wants a name: where it lies, and how it tells that results under a name are its own. */
export interface NamedSource {
  /** As sourceAt makes it. */
  readonly source: string;
  /** The name that it has by its file. */
  readonly base: string;
  /** Says whether what is known under a name is of this slide, moved or found by another way. Default: nobody knows. */
  readonly isSame?: (known: KnownRun) => boolean | Promise<boolean>;
}

/** Digits of the hash that tells slides of one name apart: more where a file is called like another one with its digits. */
const DIGITS = [8, 16, 64] as const;
/** In no path. */
const BEHIND = '\0';

/**
 * Where a slide lies, as one text.
 *
 * @param path absolute.
 * @param which tells it from others in the same file or folder.
 */
export const sourceAt = (path: string, which?: string): string =>
  which === undefined ? path : `${path}${BEHIND}${which}`;

const fileOf = (source: string): string => source.split(BEHIND, 1)[0]!;

/**
 * Gives slides their names, under which their results, runs and events stand: once, and no two the same. The first slide
 * of a name has it; another one of the same name has eight digits of the hash of its path behind it. Who had a name
 * keeps it, also when its file is written anew.
 */
export class SlideNames {
  readonly #ledger: Pick<Ledger, 'find' | 'names'>;
  readonly #out: string;
  /** Names that were given since the start, in lower case: whose files seem to be gone may be on a share that is away. */
  readonly #given = new Map<string, string>();
  #last: Promise<unknown> = Promise.resolve();

  /** @param out the folder of all results. */
  constructor(ledger: Pick<Ledger, 'find' | 'names'>, out: string) {
    this.#ledger = ledger;
    this.#out = out;
  }

  /** One after the other, in the order of the calls. */
  give(slide: NamedSource): Promise<string> {
    const given = this.#last.then(() => this.#give(slide));
    this.#last = given.catch(() => undefined);
    return given;
  }

  async #give({ source, base, isSame }: NamedSource): Promise<string> {
    const { names } = this.#ledger;
    const known = names.nameOf(source);
    const isKnown = known !== undefined && fileOf(names.sourceOf(known) ?? '') === fileOf(source);
    const isFree = !isKnown && (await this.#isFree(base, source, isSame));
    const name = isKnown ? known : isFree ? base : this.#apart(base, source);
    if (!isKnown) await names.give(name, source);
    this.#given.set(name.toLowerCase(), source);
    return name;
  }

  #apart(base: string, source: string): string {
    const digits = createHash('sha256').update(source).digest('hex');
    const all = DIGITS.map(count => `${base}-${digits.slice(0, count)}`);
    return all.find(name => [undefined, source].includes(this.#ledger.names.sourceOf(name))) ?? all.at(-1)!;
  }

  /** In a line: that a slide has another name than its file, and why; undefined of one that has not. */
  explain({ source, base }: NamedSource, name: string): string | undefined {
    if (name === base) return undefined;
    const other = this.#ledger.names.sourceOf(base);
    const why = other === undefined ? 'has results of another slide' : `is ${fileOf(other)}`;
    return `${fileOf(source)}: goes to ${join(this.#out, name)}, because ${base} ${why}`;
  }

  /** The name that a slide was given before. */
  known(source: string): string | undefined {
    return this.#ledger.names.nameOf(source);
  }

  async #isFree(name: string, source: string, isSame: NamedSource['isSame']): Promise<boolean> {
    const owner = this.#ledger.names.sourceOf(name);
    if (owner === source) return true;
    if (this.#given.has(name.toLowerCase())) return false;
    const isHere = owner !== undefined && fileOf(owner) === fileOf(source);
    // Another file has it, unless that was moved here.
    if (owner !== undefined && !isHere && existsSync(fileOf(owner))) return false;
    const run = this.#ledger.find(name) ?? summarised(join(this.#out, name));
    // Of several slides in one place each is another one, unless it is this one by another way to it.
    return run === undefined ? !isHere : (await isSame?.(run)) === true;
  }
}

/** Results of which the ledger knows nothing: it was moved away, or they came from another machine. */
function summarised(folder: string): KnownRun | undefined {
  try {
    const { source } = JSON.parse(readFileSync(join(folder, SUMMARY_FILE), 'utf8')) as {
      source?: { fingerprint?: unknown };
    };
    return { state: 'completed', fingerprint: String(source?.fingerprint) };
  } catch {
    return undefined;
  }
}
