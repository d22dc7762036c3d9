import { ZSTDDecoder } from 'zstddec';
import type { Decompress } from './raw-decoder.js';

/** Most bytes of one block (RFC 8878, 3.1.1.2.3). */
const MAX_BLOCK = 128 * 1024;
const MAGIC = 0xfd2fb528;

/**
 * Loads Zstandard, in WebAssembly. The function that is given decompresses one tile into a buffer of known size and gives the
 * number of bytes written, or −1 for what is no frame, or one that would become much larger.
 */
export async function loadZstd(): Promise<Decompress> {
  const decoder = new ZSTDDecoder();
  await decoder.init();
  return (bytes, into) => {
    const most = mostBytesOf(bytes);
    if (most === undefined || most > into.length + 2 * MAX_BLOCK) return -1;
    // With room for all that its blocks may hold, damage ends in nothing written.
    const decoded = decoder.decode(bytes, Math.max(1, most)).subarray(0, into.length);
    into.set(decoded);
    return decoded.length;
  };
}

/**
 * How large the content of a frame can be at most, from its blocks' headers: libtiff states no size, and a few bytes may
 * claim gigabytes. Undefined for bytes that are not one whole frame.
 */
export function mostBytesOf(bytes: Uint8Array): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < 6 || view.getUint32(0, true) !== MAGIC) return undefined;
  const descriptor = bytes[4]!;
  const isSingle = (descriptor & 0x20) !== 0;
  const dictionary = [0, 1, 2, 4][descriptor & 3]!;
  const size = [isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
  // Tiles are compressed without a dictionary; the bit beside it is reserved.
  if (dictionary !== 0 || (descriptor & 0x08) !== 0) return undefined;
  let at = 5 + (isSingle ? 0 : 1) + size;
  let most = 0;
  for (;;) {
    if (at + 3 > bytes.length) return undefined;
    const header = view.getUint16(at, true) | (bytes[at + 2]! << 16);
    const [isLast, type, length] = [header & 1, (header >> 1) & 3, header >> 3];
    if (type === 3 || length > MAX_BLOCK) return undefined;
    most += type === 2 ? MAX_BLOCK : length;
    at += 3 + (type === 1 ? 1 : length);
    if (isLast) return at <= bytes.length ? most : undefined;
  }
}
