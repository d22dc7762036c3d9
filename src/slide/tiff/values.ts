import {
  NUMBER_TYPES,
  type ProbedDirectory,
  type ProbedEntry,
  readBytes,
  readNumbers,
  type TiffProbe,
} from './probe.js';

type Probe = Omit<TiffProbe, 'directories'>;

const TYPE = { byte: 1, ascii: 2, long: 4, rational: 5, undefined: 7 } as const;
const BYTES_LIKE: ReadonlySet<number> = new Set([TYPE.byte, TYPE.ascii, TYPE.undefined]);

/**
 * Values of one directory's tags, read where they lie. Of a tag no more is read than is asked for, whatever its count says,
 * so that a directory costs the same in a sound file and in a hostile one. A tag of a type that does not fit, or whose values lie past the end of
 * the file, is as if absent.
 */
export class TiffValues {
  readonly #probe: Probe;
  readonly #entries: ProbedDirectory['entries'];

  constructor(probe: Probe, { entries }: ProbedDirectory) {
    this.#probe = probe;
    this.#entries = entries;
  }

  /** The first whole number of a tag, ≥ 0. */
  integer(tag: number): number | undefined {
    return this.integers(tag, 1)[0];
  }

  /** At most `most` whole numbers; none of a tag that holds other things. */
  integers(tag: number, most: number): readonly number[] {
    const entry = this.#entry(tag);
    if (!entry || !NUMBER_TYPES.has(entry.type)) return [];
    return [...readNumbers(this.#probe, { ...entry, count: Math.min(most, entry.count) })];
  }

  /** The first RATIONAL, > 0. */
  ratio(tag: number): number | undefined {
    const entry = this.#entry(tag);
    if (entry?.type !== TYPE.rational || entry.count < 1) return undefined;
    const [above, below] = readNumbers(this.#probe, { ...entry, type: TYPE.long, count: 2 });
    const ratio = above! / below!;
    return Number.isFinite(ratio) && ratio > 0 ? ratio : undefined;
  }

  /** At most `most` bytes of a BYTE, ASCII or UNDEFINED tag. */
  bytes(tag: number, most: number): Buffer | undefined {
    const entry = this.#entry(tag);
    if (!entry || !BYTES_LIKE.has(entry.type)) return undefined;
    return readBytes(this.#probe.fd, entry.offset, Math.min(most, entry.count));
  }

  /** An ASCII tag's text, UTF-8 in many files, cut after `most` bytes; empty when there is none. */
  text(tag: number, most: number): string {
    if (this.#entry(tag)?.type !== TYPE.ascii) return '';
    return this.bytes(tag, most)!.toString('utf8').replace(/\0+$/, '');
  }

  #entry(tag: number): ProbedEntry | undefined {
    const entry = this.#entries.get(tag);
    return entry?.beyond ? undefined : entry;
  }
}
