/** Markers of a JPEG 2000 main header (ISO/IEC 15444-1, A.2). */
const MARKER = { soc: 0xff4f, siz: 0xff51, cod: 0xff52, sot: 0xff90 } as const;

/** The main header of a codestream with a comment or two; a frame's beginning that is looked at. */
export const CODESTREAM_HEAD = 16 * 1024;

/**
 * Whether a codestream's first three components were transformed (SGcod, ISO/IEC 15444-1, A.6.1): its decoder then undoes that and
 * gives RGB, whatever anybody says outside of it. Undefined for what is no codestream.
 *
 * @param head as many bytes as its main header has.
 */
export function isTransformed(head: Buffer): boolean | undefined {
  if (head.length < 4 || head.readUInt16BE(0) !== MARKER.soc) return undefined;
  for (let at = 2; at + 10 <= head.length; ) {
    const marker = head.readUInt16BE(at);
    if (marker === MARKER.sot || marker < 0xff00) return undefined;
    // Scod, progression, layers (2), multiple component transformation.
    if (marker === MARKER.cod) return head[at + 8] === 1;
    at += 2 + head.readUInt16BE(at + 2);
  }
  return undefined;
}
