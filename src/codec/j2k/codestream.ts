/** What the main header of a JPEG 2000 codestream says (ISO/IEC 15444-1, A.4 to A.6). */
export interface Codestream {
  readonly width: number;
  readonly height: number;
  readonly components: readonly J2kComponent[];
  /** The first three components were transformed: a decoder undoes that and gives RGB, whatever anybody says outside of the stream. */
  readonly transformed: boolean;
}

export interface J2kComponent {
  /** Unsigned, of 8 bits. */
  readonly isByte: boolean;
  /** Pixels in a sample. */
  readonly across: number;
  readonly down: number;
}

const SOC = 0xff4f;
const SIZ = 0xff51;
const COD = 0xff52;
const SOT = 0xff90;
/** Where SIZ's component entries start in a stream, whose second marker it is. */
const COMPONENTS = 42;

/** Reads a codestream's main header; undefined for what is none. */
export function readCodestream(stream: Buffer): Codestream | undefined {
  if (stream.length < COMPONENTS || stream.readUInt16BE(0) !== SOC || stream.readUInt16BE(2) !== SIZ) return undefined;
  const [right, bottom, left, top] = [8, 12, 16, 20].map(at => stream.readUInt32BE(at)) as [
    number,
    number,
    number,
    number,
  ];
  const count = stream.readUInt16BE(40);
  if (count === 0 || stream.length < COMPONENTS + count * 3) return undefined;
  const components = Array.from({ length: count }, (_, i): J2kComponent => {
    const at = COMPONENTS + i * 3;
    return { isByte: stream[at] === 7, across: stream[at + 1] as number, down: stream[at + 2] as number };
  });
  return { width: right - left, height: bottom - top, components, transformed: isTransformed(stream) };
}

/** The multiple component transformation of COD (SGcod). */
function isTransformed(stream: Buffer): boolean {
  for (let at = 2; at + 10 <= stream.length; at += 2 + Math.max(2, stream.readUInt16BE(at + 2))) {
    const marker = stream.readUInt16BE(at);
    if (marker === COD) return stream[at + 8] === 1;
    if (marker === SOT || marker < 0xff00) return false;
  }
  return false;
}

const SIGNATURE = Buffer.from([0, 0, 0, 12, 0x6a, 0x50, 0x20, 0x20]);

/** The codestream in a JP2 file (annex I), which some writers store as a tile; other bytes as they are. */
export function codestreamIn(bytes: Buffer): Buffer {
  if (!bytes.subarray(0, SIGNATURE.length).equals(SIGNATURE)) return bytes;
  for (let at = 0; at + 8 <= bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    if (bytes.toString('latin1', at + 4, at + 8) === 'jp2c') {
      const start = at + (length === 1 ? 16 : 8);
      return bytes.subarray(start, length < 2 ? bytes.length : Math.max(start, at + length));
    }
    if (length < 8) break;
    at += length;
  }
  return bytes;
}
