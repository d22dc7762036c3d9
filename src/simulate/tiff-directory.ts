import type { SourceLevel } from './source.js';
import type { TiffTag } from './tiff-tags.js';

const LONG = 4;
const LONG8 = 16;

/** Where a level's tiles lie; 0 and 0 for one that is not there (yet). */
export interface TileTable {
  readonly offsets: Float64Array;
  readonly byteCounts: Float64Array;
}

export function emptyTable({ cols, rows }: SourceLevel): TileTable {
  return { offsets: new Float64Array(cols * rows), byteCounts: new Float64Array(cols * rows) };
}

/** One level's directory laid out at a position of the file, its values behind it. */
export interface EncodedDirectory {
  readonly position: number;
  readonly bytes: Buffer;
  /** Position of the link to the next directory. */
  readonly linkAt: number;
  /** Position of the first tile's offset and of its byte count. */
  readonly offsetsAt: number;
  readonly byteCountsAt: number;
}

/** Bytes of the header, and of an offset in it and in directories. */
export const headerBytes = (big: boolean): number => (big ? 16 : 8);

export function encodeHeader(big: boolean, firstDirectory: number): Buffer {
  const header = Buffer.alloc(headerBytes(big));
  header.write('II', 0);
  header.writeUInt16LE(big ? 43 : 42, 2);
  if (big) header.writeUInt16LE(8, 4);
  encodeOffset(big, firstDirectory).copy(header, big ? 8 : 4);
  return header;
}

/** Position of the header's link to the first directory. */
export const headerLinkAt = (big: boolean): number => (big ? 8 : 4);

export function encodeOffset(big: boolean, offset: number): Buffer {
  const bytes = Buffer.alloc(big ? 8 : 4);
  if (big) bytes.writeBigUInt64LE(BigInt(offset));
  else bytes.writeUInt32LE(offset);
  return bytes;
}

export function encodeByteCount(count: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(count);
  return bytes;
}

/** @param next position of the next directory, 0 for none. Its length depends on the level only, not on table or next. */
export function encodeDirectory(
  big: boolean,
  position: number,
  level: SourceLevel,
  table: TileTable,
  next: number,
): EncodedDirectory {
  const [offsetsTag, byteCountsTag] = level.tiled ? [324, 325] : [273, 279];
  const tags = [
    ...level.tags,
    offsetsEntry(big, offsetsTag, table.offsets),
    { tag: byteCountsTag, type: LONG, count: table.byteCounts.length, bytes: longs(table.byteCounts) },
  ].sort((a, b) => a.tag - b.tag);
  const [countBytes, entryBytes, inline] = big ? [8, 20, 8] : [2, 12, 4];
  const linkAt = countBytes + tags.length * entryBytes;
  const head = Buffer.alloc(linkAt + (big ? 8 : 4));
  if (big) head.writeBigUInt64LE(BigInt(tags.length));
  else head.writeUInt16LE(tags.length);
  encodeOffset(big, next).copy(head, linkAt);
  const values: Uint8Array[] = [];
  const valueAt = new Map<number, number>();
  let end = head.length;
  for (const [index, { tag, type, count, bytes }] of tags.entries()) {
    const entry = countBytes + index * entryBytes;
    head.writeUInt16LE(tag, entry);
    head.writeUInt16LE(type, entry + 2);
    if (big) head.writeBigUInt64LE(BigInt(count), entry + 4);
    else head.writeUInt32LE(count, entry + 4);
    const field = entry + (big ? 12 : 8);
    if (bytes.length <= inline) {
      head.set(bytes, field);
      valueAt.set(tag, position + field);
      continue;
    }
    encodeOffset(big, position + end).copy(head, field);
    valueAt.set(tag, position + end);
    const padded = Buffer.alloc(bytes.length + (bytes.length % 2));
    padded.set(bytes);
    values.push(padded);
    end += padded.length;
  }
  return {
    position,
    bytes: Buffer.concat([head, ...values]),
    linkAt: position + linkAt,
    offsetsAt: valueAt.get(offsetsTag)!,
    byteCountsAt: valueAt.get(byteCountsTag)!,
  };
}

function offsetsEntry(big: boolean, tag: number, offsets: Float64Array): TiffTag {
  const bytes = big ? Buffer.from(BigUint64Array.from(offsets, BigInt).buffer) : longs(offsets);
  return { tag, type: big ? LONG8 : LONG, count: offsets.length, bytes };
}

const longs = (values: Float64Array): Buffer => Buffer.from(Uint32Array.from(values).buffer);

/** Directories start on a word (TIFF 6.0, p. 13). */
export const even = (position: number): number => position + (position % 2);
