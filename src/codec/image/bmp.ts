import { StromaflowError } from '../../errors.js';

/** What the head of a Windows bitmap says (BITMAPFILEHEADER, BITMAPINFOHEADER). */
export interface BmpHeader {
  readonly width: number;
  readonly height: number;
  readonly bits: number;
  readonly topDown: boolean;
  readonly pixelsAt: number;
  /** Bytes of one row, padded to four. */
  readonly stride: number;
  /** Bytes of a whole file. */
  readonly end: number;
}

const MAX_SIDE = 65_536;

/** Undefined for what is no uncompressed bitmap. */
export function readBmpHeader(bytes: Buffer): BmpHeader | undefined {
  if (bytes.length < 54 || bytes.toString('latin1', 0, 2) !== 'BM') return undefined;
  const pixelsAt = bytes.readUInt32LE(10);
  const [width, signed, bits] = [bytes.readInt32LE(18), bytes.readInt32LE(22), bytes.readUInt16LE(28)];
  const height = Math.abs(signed);
  const compression = bytes.readUInt32LE(30);
  if (!(width > 0 && width <= MAX_SIDE && height > 0 && height <= MAX_SIDE) || compression !== 0) return undefined;
  if (pixelsAt < 54) return undefined;
  const stride = Math.ceil((width * bits) / 32) * 4;
  return { width, height, bits, topDown: signed < 0, pixelsAt, stride, end: pixelsAt + stride * height };
}

/**
 * Decodes a bitmap of 24 or 32 bits a pixel, as microscopes write it: blue, green, red, rows from the bottom up.
 *
 * @param most pixels.
 * @throws TILE_CORRUPT
 */
export function decodeBmp(
  path: string,
  bytes: Buffer,
  most: number,
): { width: number; height: number; pixels: Uint8Array } {
  const fail = (problem: string) => new StromaflowError('TILE_CORRUPT', `${path}: ${problem}`);
  const header = readBmpHeader(bytes);
  if (!header) throw fail('is not an uncompressed bitmap');
  const { width, height, bits, topDown, pixelsAt, stride, end } = header;
  if (bits !== 24 && bits !== 32) throw fail(`has ${bits} bits a pixel instead of 24`);
  if (width * height > most) throw fail(`claims ${width} × ${height} pixels`);
  if (bytes.length < end) throw fail('has no end');
  const step = bits / 8;
  const pixels = new Uint8Array(width * height * 3);
  for (let y = 0, to = 0; y < height; y++) {
    let from = pixelsAt + (topDown ? y : height - 1 - y) * stride;
    for (let x = 0; x < width; x++, from += step, to += 3) {
      pixels[to] = bytes[from + 2]!;
      pixels[to + 1] = bytes[from + 1]!;
      pixels[to + 2] = bytes[from]!;
    }
  }
  return { width, height, pixels };
}
