import { unreadable } from '../tiff/probe.js';
import type { ByteRange } from './blocks.js';

/** All that says where a slide's tiles lie, of one with as many as are read: more is not fetched. */
const MOST_BYTES = 256 * 2 ** 20;

/** Bytes that were fetched, for a reader that cannot wait; what is not there is noted. */
export class FetchedBytes {
  readonly #parts = new Map<string, Buffer>();
  readonly missing: ByteRange[] = [];

  /** @throws NotFetched */
  read(offset: number, length: number): Buffer {
    if (length === 0) return Buffer.alloc(0);
    const part = this.#parts.get(`${offset} ${length}`);
    if (part) return part;
    this.missing.push({ offset, length });
    throw new NotFetched();
  }

  add({ offset, length }: ByteRange, bytes: Uint8Array): void {
    this.#parts.set(`${offset} ${length}`, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  }
}

class NotFetched extends Error {}

/**
 * Runs a parser that reads synchronously over bytes that have to be fetched: as often as it misses some, each time with those. What it
 * returned or threw while bytes were missing does not count.
 *
 * @param size of the file, in bytes
 * @throws what the parser throws, what `fetch` throws, SLIDE_UNREADABLE for a parser that wants too much
 */
export async function parseFetched<T>(
  shown: string,
  size: number,
  fetch: (parts: readonly ByteRange[]) => Promise<Uint8Array[]>,
  parse: (bytes: FetchedBytes) => T,
): Promise<T> {
  const bytes = new FetchedBytes();
  let fetched = 0;
  for (;;) {
    let outcome: { readonly value: T } | { readonly error: unknown };
    try {
      outcome = { value: parse(bytes) };
    } catch (error) {
      outcome = { error };
    }
    const missing = bytes.missing.splice(0);
    if (missing.length === 0) {
      if ('error' in outcome) throw outcome.error;
      return outcome.value;
    }
    // As of a file, what lies past the end is not there.
    const inside = missing.map(({ offset, length }) => ({
      offset: Math.min(offset, size),
      length: Math.max(0, Math.min(length, size - offset)),
    }));
    fetched += inside.reduce((sum, { length }) => sum + length, 0);
    if (fetched > MOST_BYTES) throw unreadable(shown, `its directories take more than ${MOST_BYTES / 2 ** 20} MB`);
    const found = await fetch(inside.filter(({ length }) => length > 0));
    for (const [i, part] of inside.entries())
      bytes.add(missing[i]!, part.length > 0 ? found.shift()! : new Uint8Array());
  }
}
