import { readBmpHeader } from '../codec/image/bmp.js';
import { endsWithEoi } from '../codec/jpeg/jpeg-stream.js';
import { TYPE_BYTES } from '../slide/tiff/probe.js';

/** Bytes looked at from the end of an image whose format has no mark there. */
const EDGE = 64;

/**
 * True when an image file ends as its format wants: JPEG and JPEG 2000 with their markers, PNG with its last chunk, BMP, WebP
 * and TIFF not before the last byte they speak of, and not in zeros.
 */
export function isWholeImage(name: string, bytes: Buffer): boolean {
  if (/\.jpe?g$/i.test(name)) return begins(bytes, 0xd8) && endsWithEoi(bytes);
  if (/\.j2[kc]$/i.test(name)) return begins(bytes, 0x4f) && endsWithEoi(bytes);
  if (/\.png$/i.test(name)) return bytes.subarray(-8, -4).toString('latin1') === 'IEND';
  if (/\.bmp$/i.test(name)) return isWritten(bytes, readBmpHeader(bytes)?.end);
  if (/\.webp$/i.test(name)) return isWritten(bytes, bytes.length < 12 ? undefined : bytes.readUInt32LE(4) + 8);
  if (/\.tiff?$/i.test(name)) return holdsItsStrips(bytes);
  return isWritten(bytes, bytes.length);
}

/** All bytes up to `end` are there, and the last of them are no zeros: room that was reserved reads as such. */
function isWritten(bytes: Buffer, end: number | undefined): boolean {
  if (end === undefined || !(end > 0 && end <= bytes.length)) return false;
  return !bytes.subarray(Math.max(0, end - EDGE), end).every(byte => byte === 0);
}

const begins = (head: Buffer, marker: number): boolean => head[0] === 0xff && head[1] === marker;

/** Tags of where strips or tiles lie, and of how long they are (TIFF 6.0). */
const OFFSETS = [273, 324];
const LENGTHS = [279, 325];

/** The first directory of a TIFF is there with all its values, and the strips or tiles it lists end inside the file. */
function holdsItsStrips(bytes: Buffer): boolean {
  if (bytes.length < 16) return false;
  const little = bytes.toString('latin1', 0, 2) === 'II';
  const big = number(bytes, 2, 2, little) === 43;
  const wide = big ? 8 : 4;
  const at = number(bytes, wide, wide, little);
  const entries = at === 0 ? 0 : number(bytes, at, big ? 8 : 2, little);
  const first = at + (big ? 8 : 2);
  const step = big ? 20 : 12;
  if (!(entries > 0 && entries < 4096 && first + entries * step + wide <= bytes.length)) return false;
  let offsets: number[] = [];
  let lengths: number[] = [];
  for (let entry = first; entry < first + entries * step; entry += step) {
    const tag = number(bytes, entry, 2, little);
    const size = TYPE_BYTES[number(bytes, entry + 2, 2, little)] ?? 1;
    const count = number(bytes, entry + 4, wide, little);
    const field = entry + 4 + wide;
    const values = count * size <= wide ? field : number(bytes, field, wide, little);
    if (!(values + count * size <= bytes.length)) return false;
    if (!OFFSETS.includes(tag) && !LENGTHS.includes(tag)) continue;
    const list = Array.from({ length: count }, (_, index) => number(bytes, values + index * size, size, little));
    if (OFFSETS.includes(tag)) offsets = list;
    else lengths = list;
  }
  if (offsets.length === 0 || offsets.length !== lengths.length) return false;
  return offsets.every(
    (offset, index) => offset > 0 && lengths[index]! > 0 && offset + lengths[index]! <= bytes.length,
  );
}

/** NaN beyond the end. */
function number(bytes: Buffer, at: number, size: number, little: boolean): number {
  if (!(at >= 0 && at + size <= bytes.length)) return Number.NaN;
  if (size === 8) return Number(little ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at));
  return little ? bytes.readUIntLE(at, size) : bytes.readUIntBE(at, size);
}
