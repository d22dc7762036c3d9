import { endsWithEoi } from '../slide/jpeg-stream.js';
import { readBmpHeader } from '../slide/tile-folder/bmp.js';

/** Bytes looked at from the end of an image whose format says nothing of its length. */
const EDGE = 64;

/**
 * True when an image file ends as its format wants: JPEG and JPEG 2000 with their markers, PNG with its last chunk, BMP, WebP
 * and TIFF not before the last byte they speak of; others when they do not end in zeros.
 */
export function isWholeImage(name: string, bytes: Buffer): boolean {
  if (/\.jpe?g$/i.test(name)) return begins(bytes, 0xd8) && endsWithEoi(bytes);
  if (/\.j2[kc]$/i.test(name)) return begins(bytes, 0x4f) && endsWithEoi(bytes);
  if (/\.png$/i.test(name)) return bytes.subarray(-8, -4).toString('latin1') === 'IEND';
  if (/\.bmp$/i.test(name)) return bytes.length >= (readBmpHeader(bytes)?.end ?? Number.POSITIVE_INFINITY);
  if (/\.webp$/i.test(name)) return bytes.length >= 12 && bytes.length >= bytes.readUInt32LE(4) + 8;
  if (/\.tiff?$/i.test(name)) return holdsItsStrips(bytes);
  return bytes.length > 0 && !bytes.subarray(-EDGE).every(byte => byte === 0);
}

const begins = (head: Buffer, marker: number): boolean => head[0] === 0xff && head[1] === marker;

/** Tags of where strips or tiles lie, and of how long they are (TIFF 6.0). */
const OFFSETS = [273, 324];
const LENGTHS = [279, 325];
const SIZES: Readonly<Record<number, number>> = { 3: 2, 4: 4, 16: 8 };

/** The first directory of a TIFF is there, and all strips or tiles it lists end inside the file. */
function holdsItsStrips(bytes: Buffer): boolean {
  if (bytes.length < 16) return false;
  const little = bytes.toString('latin1', 0, 2) === 'II';
  const big = number(bytes, 2, 2, little) === 43;
  const wide = big ? 8 : 4;
  const at = number(bytes, big ? 8 : 4, wide, little);
  const entries = at === 0 ? 0 : number(bytes, at, big ? 8 : 2, little);
  if (!(entries > 0 && entries < 4096)) return false;
  const first = at + (big ? 8 : 2);
  let offsets: number[] = [];
  let lengths: number[] = [];
  for (let entry = first; entry < first + entries * (big ? 20 : 12); entry += big ? 20 : 12) {
    const tag = number(bytes, entry, 2, little);
    if (OFFSETS.includes(tag)) offsets = values(bytes, entry, big, little);
    if (LENGTHS.includes(tag)) lengths = values(bytes, entry, big, little);
  }
  if (offsets.length === 0 || offsets.length !== lengths.length) return false;
  return offsets.every((offset, index) => offset > 0 && lengths[index]! > 0 && offset + lengths[index]! <= bytes.length);
}

/** Values of an entry; none where they lie beyond the file. */
function values(bytes: Buffer, entry: number, big: boolean, little: boolean): number[] {
  const size = SIZES[number(bytes, entry + 2, 2, little)] ?? 0;
  const wide = big ? 8 : 4;
  const count = number(bytes, entry + 4, wide, little);
  const field = entry + 4 + wide;
  const at = count * size <= wide ? field : number(bytes, field, wide, little);
  if (size === 0 || !(at + count * size <= bytes.length)) return [];
  return Array.from({ length: count }, (_, index) => number(bytes, at + index * size, size, little));
}

/** NaN beyond the end. */
function number(bytes: Buffer, at: number, size: number, little: boolean): number {
  if (!(at >= 0 && at + size <= bytes.length)) return Number.NaN;
  if (size === 8) return Number(little ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at));
  return little ? bytes.readUIntLE(at, size) : bytes.readUIntBE(at, size);
}
