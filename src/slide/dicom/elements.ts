/** Writes DICOM elements in explicit VR, little endian (DICOM PS3.5, section 7.1). */

import { TAG } from './tags.js';

export type Vr = 'AT' | 'CS' | 'DA' | 'DS' | 'FL' | 'IS' | 'LO' | 'OB' | 'PN' | 'SH' | 'SL' | 'TM' | 'UI' | 'UL' | 'US';

const LONG_LENGTH = new Set(['OB', 'SQ']);

/** One element; text of several values has them apart by backslashes. */
export function element(tag: number, vr: Vr, value: string | number | readonly number[] | Uint8Array): Buffer {
  return withHead(tag, vr, encode(vr, value));
}

/** Head of pixels as they are, of so many bytes, an even number. */
export function nativeHead(length: number): Buffer {
  const size = Buffer.alloc(4);
  size.writeUInt32LE(length);
  return Buffer.concat([tagBytes(TAG.pixelData), Buffer.from('OB\0\0', 'latin1'), size]);
}

/** A number as text of 16 characters at most (PS3.5, table 6.2-1): as many digits as fit, its exponent never cut. */
export function decimal(value: number): string {
  for (let digits = 15; digits > 0; digits--) {
    const text = String(Number(value.toPrecision(digits)));
    if (text.length <= 16) return text;
  }
  return value.toExponential(8);
}

export function sequence(tag: number, ...items: readonly (readonly Buffer[])[]): Buffer {
  return withHead(
    tag,
    'SQ',
    Buffer.concat(
      items.flatMap(parts => {
        const item = Buffer.concat(parts);
        return [itemHead(item.length), item];
      }),
    ),
  );
}

/** Head of an item of a sequence, or of a fragment of pixels. */
export function itemHead(length: number): Buffer {
  return tagAndLength(TAG.item, length);
}

/** Head of pixel data whose frames are fragments, up to `sequenceEnd`. */
export function encapsulatedHead(): Buffer {
  return Buffer.concat([tagBytes(TAG.pixelData), Buffer.from('OB\0\0', 'latin1'), Buffer.alloc(4, 0xff)]);
}

export const sequenceEnd = (): Buffer => tagAndLength(TAG.sequenceDelimitationItem, 0);

function withHead(tag: number, vr: Vr | 'SQ', value: Buffer): Buffer {
  const long = LONG_LENGTH.has(vr);
  const length = Buffer.alloc(long ? 6 : 2);
  if (long) length.writeUInt32LE(value.length, 2);
  else length.writeUInt16LE(value.length);
  return Buffer.concat([tagBytes(tag), Buffer.from(vr, 'latin1'), length, value]);
}

function encode(vr: Vr, value: string | number | readonly number[] | Uint8Array): Buffer {
  if (typeof value === 'string') return padded(Buffer.from(value, 'latin1'), vr === 'UI' ? 0 : 0x20);
  if (value instanceof Uint8Array) return padded(Buffer.from(value), 0);
  const numbers = typeof value === 'number' ? [value] : value;
  const width = vr === 'US' ? 2 : 4;
  const bytes = Buffer.alloc(numbers.length * width);
  for (const [index, number] of numbers.entries()) {
    const at = index * width;
    if (vr === 'US') bytes.writeUInt16LE(number, at);
    else if (vr === 'AT') tagBytes(number).copy(bytes, at);
    else if (vr === 'SL') bytes.writeInt32LE(number, at);
    else if (vr === 'FL') bytes.writeFloatLE(number, at);
    else bytes.writeUInt32LE(number, at);
  }
  return bytes;
}

const padded = (bytes: Buffer, pad: number): Buffer =>
  bytes.length % 2 === 0 ? bytes : Buffer.concat([bytes, Buffer.from([pad])]);

function tagBytes(tag: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt16LE(tag >>> 16, 0);
  bytes.writeUInt16LE(tag & 0xffff, 2);
  return bytes;
}

function tagAndLength(tag: number, length: number): Buffer {
  const size = Buffer.alloc(4);
  size.writeUInt32LE(length);
  return Buffer.concat([tagBytes(tag), size]);
}
