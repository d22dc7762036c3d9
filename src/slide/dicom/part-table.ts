import { join } from 'node:path';
import { StromaflowError } from '../../errors.js';
import type { DicomPart, PartList } from './description.js';

/** Longest name of a file (NAME_MAX), and its length in front of it. */
const SLOT = 256;
/** InConcatenationNumber has 16 bits. */
const MOST = 65_536;

/** The table as threads share it: plain data on shared memory. A type, so that it fits TileSourceDescription. */
export type SharedPartTable = {
  readonly folder: string;
  readonly names: Uint8Array;
  /** By part: where its deflated data set starts; 0 when it is not deflated. */
  readonly deflatedFrom: Float64Array;
};

/** The files of a level while they come: what the main thread adds, reader threads find. */
export class PartTable implements PartList {
  readonly shared: SharedPartTable;
  #parts = 0;

  constructor(shared: SharedPartTable) {
    this.shared = shared;
  }

  /** @param parts how many are announced. */
  static create(folder: string, parts: number): PartTable {
    const slots = Math.min(MOST, Math.max(parts * 2, 4096));
    const names = new Uint8Array(new SharedArrayBuffer(slots * SLOT));
    const deflatedFrom = new Float64Array(new SharedArrayBuffer(slots * 8));
    return new PartTable({ folder, names, deflatedFrom });
  }

  /** The part's number. @throws SLIDE_UNSUPPORTED when there are more than a level can have. */
  add(name: string, deflatedFrom: number | undefined): number {
    const { folder, names, deflatedFrom: starts } = this.shared;
    const bytes = Buffer.from(name);
    if (this.#parts === starts.length || bytes.length >= SLOT)
      throw new StromaflowError('SLIDE_UNSUPPORTED', `${folder}: has more than ${starts.length} parts a level`);
    names.set(bytes, this.#parts * SLOT + 1);
    names[this.#parts * SLOT] = bytes.length;
    starts[this.#parts] = deflatedFrom ?? 0;
    return this.#parts++;
  }

  at(part: number): DicomPart | undefined {
    const { folder, names, deflatedFrom } = this.shared;
    const from = part * SLOT;
    const length = names[from];
    if (!length) return undefined;
    // Text of shared memory cannot be decoded in place.
    const name = Buffer.from(names.slice(from + 1, from + 1 + length)).toString();
    return { path: join(folder, name), deflatedFrom: deflatedFrom[part] || undefined };
  }
}
