const CLEAR = 256;
const END = 257;
const FIRST = 258;
const MOST_CODES = 4096;

/**
 * TIFF's LZW (TIFF 6.0, section 13; codes most significant bit first, widths 9 to 12 bits, "early change"), into a buffer
 * of known size. Stops at the end code, at the end of the bytes or when the buffer is full. Streams of writers before TIFF 5 have their
 * bits the other way round and widen their codes one later; they are told by the clear code that all begin with.
 *
 * @returns bytes written; fewer than expected when the data is cut, −1 when a code cannot be.
 */
export function decodeLzw(bytes: Uint8Array, into: Uint8Array): number {
  // Each code's string is the one of an earlier code and one byte more; both lie in the output already.
  const start = new Int32Array(MOST_CODES);
  const length = new Int32Array(MOST_CODES);
  let codes = FIRST;
  let width = 9;
  let previous = -1;
  let written = 0;
  let bits = 0;
  let held = 0;
  let at = 0;
  const isOld = bytes[0] === 0 && ((bytes[1] as number) & 1) === 1;
  const late = isOld ? 0 : 1;
  while (written < into.length) {
    while (held < width && at < bytes.length) {
      const byte = bytes[at++] as number;
      bits = isOld ? bits | (byte << held) : ((bits << 8) | byte) & 0xffffff;
      held += 8;
    }
    if (held < width) break;
    held -= width;
    const code = (isOld ? bits : bits >>> held) & ((1 << width) - 1);
    if (isOld) bits >>>= width;
    if (code === END) break;
    if (code === CLEAR) {
      codes = FIRST;
      width = 9;
      previous = -1;
      continue;
    }
    const begin = written;
    if (code < CLEAR) into[written++] = code;
    else {
      // The code being defined by this very step is the previous string and its own first byte.
      const fresh = code === codes && previous >= 0;
      if (!fresh && code >= codes) return -1;
      const from = fresh ? previous : (start[code] as number);
      const count = Math.min(fresh ? begin - previous + 1 : (length[code] as number), into.length - written);
      for (let i = 0; i < count; i++) into[written++] = into[from + i] as number;
    }
    if (previous >= 0 && codes < MOST_CODES) {
      start[codes] = previous;
      length[codes] = begin - previous + 1;
      codes++;
    }
    previous = begin;
    if (codes + late >= 1 << width && width < 12) width++;
  }
  return written;
}
