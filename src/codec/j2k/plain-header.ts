/** A band of quantised coefficients at one resolution. */
export interface Quantiser {
  readonly exponent: number;
  readonly mantissa: number;
}

/** What the main header of a plain codestream says (ISO/IEC 15444-1, annex A). */
export interface PlainHeader {
  readonly width: number;
  readonly height: number;
  /** Pixels in a sample of the second and third component, across and down: 1 or 2. */
  readonly chroma: readonly [across: number, down: number];
  readonly layers: number;
  /** 0 LRCP, 1 RLCP, 2 RPCL, 3 PCRL, 4 CPRL. */
  readonly progression: number;
  /** A component transform is to be undone. */
  readonly transformed: boolean;
  readonly levels: number;
  readonly blockWidth: number;
  readonly blockHeight: number;
  /** The transform is the 5-3 one, without loss; else the 9-7. */
  readonly whole: boolean;
  readonly guardBits: number;
  /** By band: LL, then HL, LH, HH of each resolution. */
  readonly quantisers: readonly Quantiser[];
  /** The packets lie from here … */
  readonly start: number;
  /** … up to below here. */
  readonly end: number;
}

const SOC = 0xff4f;
const SIZ = 0xff51;
const COD = 0xff52;
const QCD = 0xff5c;
const COM = 0xff64;
/** Lengths of tile-parts, in the main header. */
const TLM = 0xff55;
/** Lengths of packets, in a tile-part's. */
const PLT = 0xff58;
const SOT = 0xff90;
const SOD = 0xff93;
const EOC = 0xffd9;

/** Larger pictures than this are not tiles. */
const MAX_PIXELS = 4096 * 4096;
/** More blocks than this are an attempt to fill memory. */
const MAX_BLOCKS = 16_384;

type Reading = { -readonly [Key in keyof PlainHeader]?: PlainHeader[Key] };

/**
 * Reads the headers of a codestream as slides have them: three components of 8 bits, the second and third perhaps at half
 * the width or height, one tile in one part, blocks without options, one precinct a resolution. Undefined for any other, and for what is not sound.
 */
export function readPlainHeader(stream: Buffer): PlainHeader | undefined {
  const header: Reading = {};
  if (stream.length < 4 || stream.readUInt16BE(0) !== SOC) return undefined;
  let at = 2;
  for (; at + 12 < stream.length; ) {
    const marker = stream.readUInt16BE(at);
    const length = stream.readUInt16BE(at + 2);
    const segment = stream.subarray(at + 4, at + 2 + length);
    if (length < 2 || segment.length !== length - 2) return undefined;
    if (marker === SOT) return readTilePart(stream, at, segment, header);
    if (!readSegment(marker, segment, header)) return undefined;
    at += 2 + length;
  }
  return undefined;
}

function readSegment(marker: number, segment: Buffer, header: Reading): boolean {
  if (marker === SIZ) return readSize(segment, header);
  if (marker === COD) return readStyle(segment, header);
  if (marker === QCD) return readQuantisers(segment, header);
  if (marker !== TLM || segment.length < 2) return marker === COM;
  // Its entries' lengths must fit it; what they say is not needed.
  const kind = segment[1]!;
  return (segment.length - 2) % (((kind >> 4) & 3) + (kind & 0x40 ? 4 : 2)) === 0;
}

function readTilePart(stream: Buffer, at: number, segment: Buffer, header: Reading): PlainHeader | undefined {
  const { width, height, quantisers, blockWidth, blockHeight } = header;
  // Where there are quantisers, there is a coding style; where a width, a height.
  if (width === undefined || !quantisers) return undefined;
  // Components of different sizes cannot be transformed into each other.
  if (header.transformed && header.chroma!.some(step => step > 1)) return undefined;
  if (Math.ceil(width / blockWidth!) * Math.ceil(height! / blockHeight!) > MAX_BLOCKS) return undefined;
  // The first tile, its first part of one, up to the end of the stream.
  if (segment.length !== 8 || segment.readUInt16BE(0) !== 0 || segment.readUInt16BE(6) !== 1) return undefined;
  const bytes = segment.readUInt32BE(2);
  const end = bytes === 0 ? stream.length - 2 : at + bytes;
  if (end + 2 > stream.length || stream.readUInt16BE(end) !== EOC) return undefined;
  for (let next = at + 12; next + 2 <= end; ) {
    const marker = stream.readUInt16BE(next);
    if (marker === SOD) return { ...(header as PlainHeader), start: next + 2, end };
    if ((marker !== COM && marker !== PLT) || next + 4 > end) return undefined;
    next += 2 + stream.readUInt16BE(next + 2);
    // The last length in PLT must end in it.
    if (next > end || (marker === PLT && stream[next - 1]! > 0x7f)) return undefined;
  }
  return undefined;
}

function readSize(segment: Buffer, header: Reading): boolean {
  if (header.width !== undefined || segment.length !== 36 + 9 || segment.readUInt16BE(34) !== 3) return false;
  // Bit 14: blocks are coded in another way (part 15).
  if (segment.readUInt16BE(0) & 0x4000) return false;
  const [width, height, left, top, tileWidth, tileHeight, tileLeft, tileTop] = Array.from({ length: 8 }, (_, i) =>
    segment.readUInt32BE(2 + i * 4),
  ) as [number, number, number, number, number, number, number, number];
  if (left !== 0 || top !== 0 || tileLeft !== 0 || tileTop !== 0 || tileWidth < width || tileHeight < height)
    return false;
  if (width < 1 || height < 1 || width * height > MAX_PIXELS) return false;
  const [, luma, down, , across, half, , acrossToo, halfToo] = segment.subarray(36);
  if ([36, 39, 42].some(i => segment[i] !== 7) || luma !== 1 || down !== 1) return false;
  const isChroma = (step: number | undefined, too: number | undefined) => step === too && (step === 1 || step === 2);
  if (!isChroma(across, acrossToo) || !isChroma(half, halfToo)) return false;
  Object.assign(header, { width, height, chroma: [across, half] });
  return true;
}

function readStyle(segment: Buffer, header: Reading): boolean {
  if (header.levels !== undefined || segment.length !== 10) return false;
  const [style, progression, , , transform, levels, blockWidth, blockHeight, blockStyle, wavelet] = segment;
  const plain = style === 0 && blockStyle === 0 && progression! <= 4 && transform! <= 1 && wavelet! <= 1;
  // Blocks of up to 2^12 samples, none of whose sides is longer than 2^10.
  if (!plain || levels! > 32 || blockWidth! > 8 || blockHeight! > 8 || blockWidth! + blockHeight! > 8) return false;
  Object.assign(header, {
    progression,
    layers: segment.readUInt16BE(2),
    transformed: transform === 1,
    levels,
    blockWidth: 4 << blockWidth!,
    blockHeight: 4 << blockHeight!,
    whole: wavelet === 1,
  });
  return header.layers! > 0;
}

/** Comes after the coding style, as everybody writes it. */
function readQuantisers(segment: Buffer, header: Reading): boolean {
  if (header.quantisers || header.levels === undefined || segment.length < 2) return false;
  const style = segment[0]! & 31;
  if (header.whole ? style !== 0 : style !== 1 && style !== 2) return false;
  // One value for all is one; of a value for each, none is halved.
  if (style === 1 ? segment.length !== 3 : style === 2 && segment.length % 2 === 0) return false;
  const bands = 3 * header.levels + 1;
  const quantisers = Array.from({ length: bands }, (_, band): Quantiser | undefined => {
    if (style === 0) return band + 1 < segment.length ? { exponent: segment[1 + band]! >> 3, mantissa: 0 } : undefined;
    const at = style === 1 ? 1 : 1 + band * 2;
    if (at + 2 > segment.length) return undefined;
    const word = segment.readUInt16BE(at);
    // One value for all: a bit less at each finer resolution.
    const less = style === 1 && band > 0 ? Math.floor((band - 1) / 3) : 0;
    return { exponent: Math.max(0, (word >> 11) - less), mantissa: word & 0x7ff };
  });
  if (quantisers.includes(undefined)) return false;
  header.guardBits = segment[0]! >> 5;
  header.quantisers = quantisers as Quantiser[];
  return true;
}
