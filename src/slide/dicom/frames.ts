import { StromaflowError } from '../../errors.js';
import type { ByteReader } from './byte-reader.js';
import { damaged, type Element, readTag, UNDEFINED } from './data-set.js';
import type { TableAt } from './facts.js';
import { TAG } from './tags.js';
import type { TransferSyntax } from './transfer-syntax.js';

/**
 * Where each frame lies in the data set: from its first item's tag to the end of its last item when frames are
 * encapsulated, else its bytes alone.
 */
export interface FrameTable {
  readonly starts: Float64Array;
  readonly ends: Float64Array;
}

export interface FrameFacts {
  readonly frames: number;
  /** Bytes of a frame that is not compressed. */
  readonly frameBytes: number;
  readonly offsetTable: TableAt | undefined;
  readonly lengthTable: TableAt | undefined;
}

const ITEM_HEADER = 8;

/**
 * Finds the frames behind the pixel data element's head (PS3.5, A.4): by the extended offset table, else the basic one,
 * else by walking all fragments. The last fragment and the delimiter behind it must be there: the file is whole.
 *
 * @throws SLIDE_TRUNCATED, SLIDE_UNREADABLE
 */
export function findFrames(reader: ByteReader, pixels: Element, facts: FrameFacts, syntax: TransferSyntax): FrameTable {
  if (!syntax.encapsulated) return nativeFrames(reader, pixels, facts);
  if (pixels.length !== UNDEFINED) throw damaged(reader, 'has compressed pixels of a stated length');
  const table = readItemHead(reader);
  if (table === undefined) throw damaged(reader, 'has no offset table');
  const tableAt = reader.position;
  reader.skip(table);
  const base = reader.position;
  if (facts.offsetTable && facts.lengthTable) return byExtendedTable(reader, base, facts);
  if (table > 0) return byBasicTable(reader, tableAt, table, base, facts);
  return byFragments(reader, facts);
}

function nativeFrames(reader: ByteReader, { length }: Element, { frames, frameBytes }: FrameFacts): FrameTable {
  const needed = frames * frameBytes;
  const first = reader.position;
  if (length === UNDEFINED || length < needed)
    throw damaged(reader, `has pixels of ${length} instead of ${needed} bytes`);
  if (needed > reader.left) throw reader.truncated();
  const { starts, ends } = newTable(frames);
  for (let i = 0; i < frames; i++) {
    starts[i] = first + i * frameBytes;
    ends[i] = first + (i + 1) * frameBytes;
  }
  return { starts, ends };
}

function byExtendedTable(reader: ByteReader, base: number, facts: FrameFacts): FrameTable {
  const { frames, offsetTable, lengthTable } = facts as Required<FrameFacts>;
  if (offsetTable!.length < frames * 8 || lengthTable!.length < frames * 8)
    throw damaged(reader, 'has an extended offset table that is too short');
  const offsets = read64(reader, offsetTable!.at, frames);
  const lengths = read64(reader, lengthTable!.at, frames);
  const { starts, ends } = newTable(frames);
  for (let i = 0; i < frames; i++) {
    starts[i] = base + offsets[i]!;
    ends[i] = starts[i]! + ITEM_HEADER + lengths[i]! + (lengths[i]! % 2);
  }
  return checked(reader, base, { starts, ends }, false);
}

function byBasicTable(reader: ByteReader, at: number, length: number, base: number, facts: FrameFacts): FrameTable {
  const { frames } = facts;
  if (length !== frames * 4) throw damaged(reader, `has an offset table of ${length} bytes for ${frames} frames`);
  const { starts, ends } = newTable(frames);
  reader.position = at;
  for (let i = 0; i < frames; i++) starts[i] = base + reader.uint32();
  for (let i = 0; i + 1 < frames; i++) ends[i] = starts[i + 1]!;
  return checked(reader, base, { starts, ends }, true);
}

/** Frames must lie behind the table and inside the file; the last one is followed to its end, where the delimiter is. */
function checked(reader: ByteReader, base: number, table: FrameTable, openEnd: boolean): FrameTable {
  const { starts, ends } = table;
  const last = starts.reduce((best, start, i) => (start > starts[best]! ? i : best), 0);
  for (let i = 0; i < starts.length; i++) {
    const end = openEnd && i === starts.length - 1 ? starts[i]! + ITEM_HEADER : ends[i]!;
    if (end > reader.source.size) throw reader.truncated();
    if (!(starts[i]! >= base && end >= starts[i]! + ITEM_HEADER))
      throw damaged(reader, `has an offset table that puts frame ${i + 1} nowhere`);
  }
  reader.position = starts[last]!;
  for (let length = readItemHead(reader); length !== undefined; length = readItemHead(reader)) reader.skip(length);
  if (openEnd) ends[ends.length - 1] = reader.position - ITEM_HEADER;
  return table;
}

/** Without a table: one fragment a frame; or, where there are more, a frame starts where a fragment starts a picture. */
function byFragments(reader: ByteReader, { frames }: FrameFacts): FrameTable {
  const { starts, ends } = newTable(frames);
  const picture: number[] = [];
  let fragments = 0;
  for (;;) {
    const at = reader.position;
    const length = readItemHead(reader);
    if (length === undefined) break;
    if (fragments < frames) {
      starts[fragments] = at;
      ends[fragments] = at + ITEM_HEADER + length;
    }
    fragments++;
    if (length >= 2) {
      const head = reader.uint16();
      reader.position -= 2;
      // FF D8 and FF 4F, as little-endian words: JPEG and JPEG 2000 begin.
      if ((head === 0xd8ff || head === 0x4fff) && picture.length <= frames) picture.push(at);
    }
    reader.skip(length);
  }
  if (fragments === frames) return { starts, ends };
  if (fragments < frames || picture.length !== frames)
    throw damaged(reader, `has ${fragments} fragments for ${frames} frames`);
  const end = reader.position - ITEM_HEADER;
  for (let i = 0; i < frames; i++) {
    starts[i] = picture[i]!;
    ends[i] = picture[i + 1] ?? end;
  }
  return { starts, ends };
}

/** Length of the next fragment; undefined at the delimiter. */
function readItemHead(reader: ByteReader): number | undefined {
  const tag = readTag(reader);
  const length = reader.uint32();
  if (tag === TAG.sequenceDelimitationItem) return undefined;
  if (tag !== TAG.item || length === UNDEFINED) throw damaged(reader, 'has damaged pixels');
  if (length > reader.left) throw reader.truncated();
  return length;
}

function read64(reader: ByteReader, at: number, count: number): Float64Array {
  reader.position = at;
  const values = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const low = reader.uint32();
    values[i] = reader.uint32() * 2 ** 32 + low;
  }
  return values;
}

const newTable = (frames: number): FrameTable => ({ starts: new Float64Array(frames), ends: new Float64Array(frames) });

/**
 * The bytes of a frame out of its item(s), which `bytes` hold from the first tag on; undefined when they are damaged. A
 * frame in one fragment, as nearly all are, is a view.
 */
export function joinFragments(bytes: Buffer): Buffer | undefined {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (at + ITEM_HEADER > bytes.length || bytes.readUInt32LE(at) !== 0xe000fffe) return undefined;
    const length = bytes.readUInt32LE(at + 4);
    if (at + ITEM_HEADER + length > bytes.length) return undefined;
    parts.push(bytes.subarray(at + ITEM_HEADER, at + ITEM_HEADER + length));
    at += ITEM_HEADER + length;
  }
  return parts.length === 1 ? parts[0] : Buffer.concat(parts);
}

export function noFrames(path: string, frames: number): StromaflowError {
  return new StromaflowError('SLIDE_UNREADABLE', `${path}: claims ${frames} frames`);
}
