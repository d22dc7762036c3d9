import { StromaflowError } from '../../errors.js';
import type { ByteReader } from './byte-reader.js';
import { TAG } from './tags.js';

/** Data sets in explicit or implicit VR, little endian (DICOM PS3.5, section 7). */

/** Length of a sequence, item or pixel data that ends with a delimiter. */
export const UNDEFINED = 0xffff_ffff;

/** VRs whose length field has 32 bits, behind two reserved bytes (PS3.5, table 7.1-1). */
const LONG_LENGTH = new Set(['OB', 'OD', 'OF', 'OL', 'OV', 'OW', 'SQ', 'SV', 'UC', 'UN', 'UR', 'UT', 'UV']);

/** What stands between values and items has no VR in any syntax. */
const WITHOUT_VR: ReadonlySet<number> = new Set([TAG.item, TAG.itemDelimitationItem, TAG.sequenceDelimitationItem]);

/** Values longer than this are no fact about a slide; offset tables are read where they lie. */
const MAX_VALUE = 64 * 1024;
const MAX_DEPTH = 16;
/** Groups below are of commands, meta information and directories (PS3.5, section 7.1). */
const FIRST_TAG = 0x0008_0000;

export interface Element {
  readonly tag: number;
  readonly vr: string | undefined;
  /** Bytes, or UNDEFINED. */
  readonly length: number;
}

/**
 * What is wanted of a data set: a handler for the bytes of a value, or what is wanted of each item of a sequence. All else
 * is skipped without being read; so patient attributes are never in memory as values.
 */
export interface Wanted {
  readonly values?: Readonly<Record<number, (bytes: Buffer) => void>>;
  readonly sequences?: Readonly<Record<number, (index: number) => Wanted>>;
}

export interface DataSetOptions {
  readonly explicit: boolean;
  /** Told each element before its value is read; true ends the reading there. */
  readonly stopAt?: (element: Element) => boolean;
}

/**
 * Reads elements up to `end` (or the end of an item of undefined length).
 *
 * @throws SLIDE_TRUNCATED, SLIDE_UNREADABLE
 */
export function readDataSet(reader: ByteReader, end: number, wanted: Wanted, options: DataSetOptions): void {
  walk(reader, end, wanted, options, 0);
}

function walk(reader: ByteReader, end: number, wanted: Wanted, options: DataSetOptions, depth: number): void {
  if (depth > MAX_DEPTH) throw damaged(reader, 'nests its sequences too deep');
  while (reader.position < end) {
    const element = readElement(reader, options.explicit);
    if (element.tag === TAG.itemDelimitationItem) return;
    // A hole in a file reads as elements (0000,0000) of no length, eight bytes each, for as long as the file claims to be.
    if (element.tag < FIRST_TAG) throw damaged(reader, 'has an element that no data set has');
    if (options.stopAt && depth === 0 && options.stopAt(element)) return;
    const sequence = wanted.sequences?.[element.tag];
    const value = wanted.values?.[element.tag];
    if (sequence) readItems(reader, element, sequence, options, depth);
    else if (element.length === UNDEFINED) readItems(reader, element, () => ({}), unknownVr(element, options), depth);
    else if (value && element.length <= MAX_VALUE) value(reader.bytes(element.length));
    else reader.skip(element.length);
  }
}

/** A sequence of unknown VR is in implicit VR (PS3.5, section 6.2.2, note 4). */
const unknownVr = (element: Element, options: DataSetOptions): DataSetOptions =>
  element.vr === 'UN' ? { explicit: false } : options;

function readItems(
  reader: ByteReader,
  { length }: Element,
  wanted: (index: number) => Wanted,
  options: DataSetOptions,
  depth: number,
): void {
  const end = length === UNDEFINED ? Number.POSITIVE_INFINITY : reader.position + length;
  if (length !== UNDEFINED && length > reader.left) throw reader.truncated();
  for (let index = 0; reader.position < end; index++) {
    const tag = readTag(reader);
    const bytes = reader.uint32();
    if (tag === TAG.sequenceDelimitationItem) return;
    if (tag !== TAG.item) throw damaged(reader, 'has a sequence without items');
    if (bytes !== UNDEFINED && bytes > reader.left) throw reader.truncated();
    const itemEnd = bytes === UNDEFINED ? Number.POSITIVE_INFINITY : reader.position + bytes;
    walk(reader, itemEnd, wanted(index), options, depth + 1);
    if (bytes !== UNDEFINED && reader.position !== itemEnd) throw damaged(reader, 'has an item of the wrong length');
  }
  if (length !== UNDEFINED && reader.position !== end) throw damaged(reader, 'has a sequence of the wrong length');
}

export function readElement(reader: ByteReader, explicit: boolean): Element {
  const tag = readTag(reader);
  if (WITHOUT_VR.has(tag) || !explicit) return { tag, vr: undefined, length: reader.uint32() };
  const vr = reader.bytes(2).toString('latin1');
  if (!/^[A-Z]{2}$/.test(vr)) throw damaged(reader, 'has an element without a value representation');
  if (!LONG_LENGTH.has(vr)) return { tag, vr, length: reader.uint16() };
  reader.skip(2);
  return { tag, vr, length: reader.uint32() };
}

/** Group and element in one number: (0028,0010) is 0x00280010. */
export function readTag(reader: ByteReader): number {
  const group = reader.uint16();
  return group * 0x1_0000 + reader.uint16();
}

export function damaged(reader: ByteReader, what: string): StromaflowError {
  return new StromaflowError('SLIDE_UNREADABLE', `${reader.source.path}: ${what} at byte ${reader.position}`);
}
