/**
 * PackBits (TIFF 6.0, section 9) into a buffer of known size.
 *
 * @returns bytes written; fewer than expected when the data is cut.
 */
export function decodePackBits(bytes: Uint8Array, into: Uint8Array): number {
  let written = 0;
  for (let at = 0; at < bytes.length && written < into.length; ) {
    const head = bytes[at++] as number;
    if (head < 128) {
      const run = bytes.subarray(at, Math.min(at + head + 1, at + into.length - written));
      into.set(run, written);
      written += run.length;
      at += head + 1;
    } else if (head > 128 && at < bytes.length) {
      const end = Math.min(into.length, written + 257 - head);
      into.fill(bytes[at++] as number, written, end);
      written = end;
    }
  }
  return written;
}
