/** What PNG needs of zlib, where there is none: for browsers, whose own decompression is not synchronous. */

import { CODE_LENGTH_ORDER, LENGTH_BASE, LENGTH_BITS } from './deflate-tables.js';

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte;
  for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ 0xedb88320 : rest >>> 1;
  return rest;
});

/** CRC-32 as in PNG (3rd ed., annex D). */
export function crc32(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of data) crc = TABLE[(crc ^ byte) & 0xff]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

function adler32(data: Uint8Array): number {
  let [a, b] = [1, 0];
  for (const byte of data) {
    a = (a + byte) % 65_521;
    b = (b + a) % 65_521;
  }
  return ((b << 16) | a) >>> 0;
}

/** Codes by their lengths (RFC 1951, 3.2.2): how many there are of each length, and symbols in their order. */
interface Codes {
  readonly counts: Uint16Array;
  readonly symbols: Uint16Array;
}

function codesOf(lengths: readonly number[]): Codes {
  const counts = new Uint16Array(16);
  for (const length of lengths) counts[length]! += 1;
  counts[0] = 0;
  const at = new Uint16Array(16);
  for (let length = 1; length < 15; length++) at[length + 1] = at[length]! + counts[length]!;
  const symbols = new Uint16Array(lengths.length);
  lengths.forEach((length, symbol) => {
    if (length > 0) symbols[at[length]!++] = symbol;
  });
  return { counts, symbols };
}

const times = (count: number, value: number): number[] => Array<number>(count).fill(value);
const FIXED = codesOf([...times(144, 8), ...times(112, 9), ...times(24, 7), ...times(8, 8)]);
const FIXED_DISTANCES = codesOf(times(30, 5));
const DISTANCE_BITS = Array.from({ length: 30 }, (_, code) => Math.max(0, (code >> 1) - 1));
const DISTANCE_BASE = DISTANCE_BITS.map((bits, code) => (code < 2 ? code + 1 : 1 + ((2 + (code & 1)) << bits)));

/** Bits of a deflate stream, the lowest of each byte first. */
class Bits {
  readonly data: Uint8Array;
  at = 2;
  #bit = 0;

  constructor(data: Uint8Array) {
    this.data = data;
  }

  take(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++) {
      const byte = this.data[this.at];
      if (byte === undefined) throw new RangeError('unexpected end of data');
      value |= ((byte >> this.#bit) & 1) << i;
      this.#bit = (this.#bit + 1) & 7;
      if (this.#bit === 0) this.at += 1;
    }
    return value;
  }

  symbol({ counts, symbols }: Codes): number {
    let [code, first, index] = [0, 0, 0];
    for (let length = 1; length < 16; length++) {
      code |= this.take(1);
      const count = counts[length]!;
      if (code - count < first) return symbols[index + code - first]!;
      index += count;
      first = (first + count) << 1;
      code <<= 1;
    }
    throw new RangeError('invalid code');
  }

  toByte(): void {
    if (this.#bit > 0) this.at += 1;
    this.#bit = 0;
  }
}

const STORED_BYTES = 65_535;

/** A zlib stream that holds the data as it is (RFC 1951, 3.2.4): right, and not small. Takes what zlib's takes. */
export function deflateSync(
  data: Uint8Array,
  _options?: { readonly level: number; readonly strategy?: number },
): Uint8Array {
  const blocks = Math.max(1, Math.ceil(data.length / STORED_BYTES));
  const out = new Uint8Array(2 + blocks * 5 + data.length + 4);
  const view = new DataView(out.buffer);
  out.set([0x78, 0x01]);
  let at = 2;
  for (let block = 0; block < blocks; block++) {
    const part = data.subarray(block * STORED_BYTES, (block + 1) * STORED_BYTES);
    out[at] = block === blocks - 1 ? 1 : 0;
    view.setUint16(at + 1, part.length, true);
    view.setUint16(at + 3, ~part.length & 0xffff, true);
    out.set(part, at + 5);
    at += 5 + part.length;
  }
  view.setUint32(at, adler32(data));
  return out;
}

/** A zlib stream's data. @throws RangeError for one that is damaged, or holds more than `maxOutputLength` bytes */
export function inflateSync(data: Uint8Array, { maxOutputLength }: { readonly maxOutputLength: number }): Uint8Array {
  const isZlib = data.length >= 6 && (data[0]! & 15) === 8 && (data[0]! * 256 + data[1]!) % 31 === 0;
  if (!isZlib || data[1]! & 32) throw new RangeError('incorrect header');
  const bits = new Bits(data);
  const out = new Uint8Array(maxOutputLength);
  let size = 0;
  const put = (byte: number): void => {
    if (size === maxOutputLength) throw new RangeError('more data than expected');
    out[size++] = byte;
  };
  for (let isLast = false; !isLast; ) {
    isLast = bits.take(1) === 1;
    const kind = bits.take(2);
    if (kind === 3) throw new RangeError('invalid block');
    if (kind === 0) {
      bits.toByte();
      const [length, check] = [bits.take(16), bits.take(16)];
      if (length !== (~check & 0xffff)) throw new RangeError('invalid stored block');
      for (let i = 0; i < length; i++) put(bits.take(8));
      continue;
    }
    const [literals, distances] = kind === 1 ? [FIXED, FIXED_DISTANCES] : readCodes(bits);
    for (let symbol = bits.symbol(literals); symbol !== 256; symbol = bits.symbol(literals)) {
      if (symbol < 256) {
        put(symbol);
        continue;
      }
      const base = LENGTH_BASE[symbol - 257];
      if (base === undefined) throw new RangeError('invalid length');
      const length = base + bits.take(LENGTH_BITS[symbol - 257]!);
      const code = bits.symbol(distances);
      if (code >= DISTANCE_BASE.length) throw new RangeError('invalid distance');
      const distance = DISTANCE_BASE[code]! + bits.take(DISTANCE_BITS[code]!);
      if (distance > size) throw new RangeError('invalid distance');
      for (let i = 0; i < length; i++) put(out[size - distance]!);
    }
  }
  bits.toByte();
  const found = out.subarray(0, size);
  const { buffer, byteOffset, byteLength } = data;
  if (bits.at + 4 > byteLength || new DataView(buffer, byteOffset).getUint32(bits.at) !== adler32(found))
    throw new RangeError('incorrect data check');
  return found;
}

/** Codes that a block brings (RFC 1951, 3.2.7). */
function readCodes(bits: Bits): readonly [literals: Codes, distances: Codes] {
  const [literals, distances, given] = [bits.take(5) + 257, bits.take(5) + 1, bits.take(4) + 4];
  const own = times(19, 0);
  for (let i = 0; i < given; i++) own[CODE_LENGTH_ORDER[i]!] = bits.take(3);
  const codes = codesOf(own);
  const lengths: number[] = [];
  while (lengths.length < literals + distances) {
    const symbol = bits.symbol(codes);
    if (symbol < 16) lengths.push(symbol);
    else if (symbol === 16) {
      const before = lengths.at(-1);
      if (before === undefined) throw new RangeError('invalid repeat');
      lengths.push(...times(3 + bits.take(2), before));
    } else lengths.push(...times(symbol === 17 ? 3 + bits.take(3) : 11 + bits.take(7), 0));
  }
  if (lengths.length > literals + distances) throw new RangeError('invalid repeat');
  return [codesOf(lengths.slice(0, literals)), codesOf(lengths.slice(literals))];
}
