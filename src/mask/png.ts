import { crc32, deflateSync, inflateSync } from '#inflate';
import { StromaflowError } from '../errors.js';
import { clearOutside, rowBytes } from './bits.js';

/** A 1-bit mask of any size: rows of ⌈width / 8⌉ bytes, most significant bit left. */
export interface BitMask {
  readonly width: number;
  readonly height: number;
  readonly bits: Uint8Array;
}

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
const GREY = 0;
const PALETTE = 3;
/** Filter: each byte less the one above it. */
const UP = 2;
/** zlib's Z_RLE. */
const RUN_LENGTHS = 3;
/** Far above any patch; keeps a forged header from allocating gigabytes. */
const MAX_SIDE = 1 << 16;
const MAX_PIXELS = 1 << 28;

/**
 * A mask as a 1-bit greyscale PNG (0 black, 1 white): IHDR depth 1, one IDAT, filter Up (PNG 3rd ed. §9.2, §11.2, §12.7).
 * Rows differ little from those above them: what is left is runs of zeros, which run lengths alone pack smaller and sooner than matches.
 */
export function encodeMaskPng(mask: BitMask): Uint8Array<ArrayBuffer> {
  const { width, height, bits } = mask;
  const stride = rowBytes(width);
  if (width < 1 || height < 1 || bits.length !== stride * height) {
    throw new RangeError(`${bits.length} bytes are no mask of ${width} × ${height} bits`);
  }
  const rows = new Uint8Array((stride + 1) * height);
  for (let y = 0, above = -stride, from = 0, to = 0; y < height; y++) {
    rows[to++] = UP;
    for (let i = 0; i < stride; i++, above++, from++) rows[to++] = bits[from]! - (y > 0 ? bits[above]! : 0);
  }
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header[8] = 1;
  return assemblePng([
    ['IHDR', header],
    ['IDAT', deflateSync(rows, { level: 1, strategy: RUN_LENGTHS })],
    ['IEND', new Uint8Array(0)],
  ]);
}

/** Signature and chunks, each with its length and CRC. */
export function assemblePng(chunks: readonly (readonly [type: string, data: Uint8Array])[]): Uint8Array<ArrayBuffer> {
  const total = chunks.reduce((sum, [, data]) => sum + 12 + data.length, SIGNATURE.length);
  const out = new Uint8Array(total);
  const view = new DataView(out.buffer);
  out.set(SIGNATURE);
  let at = SIGNATURE.length;
  for (const [type, data] of chunks) {
    view.setUint32(at, data.length);
    for (let i = 0; i < 4; i++) out[at + 4 + i] = type.charCodeAt(i);
    out.set(data, at + 8);
    const end = at + 8 + data.length;
    view.setUint32(end, crc32(out.subarray(at + 4, end)));
    at = end + 4;
  }
  return out;
}

/**
 * Reads a 1-bit PNG, greyscale or of a palette (an entry counts as set when its luma is at least 128).
 * Throws MASK_INVALID for anything else: other depths, interlacing, wrong CRC, missing or surplus data.
 */
export function decodeMaskPng(png: Uint8Array): BitMask {
  const chunks = readChunks(png);
  const header = chunks.header;
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  const width = view.getUint32(0);
  const height = view.getUint32(4);
  const [depth, colour, compression, filter, interlace] = header.subarray(8);
  if (width < 1 || height < 1 || width > MAX_SIDE || height > MAX_SIDE || width * height > MAX_PIXELS) {
    throw invalid(`${width} × ${height} pixels`);
  }
  if (depth !== 1 || (colour !== GREY && colour !== PALETTE)) {
    throw invalid(`bit depth ${depth}, colour type ${colour}; a mask has 1 bit a pixel`);
  }
  if (compression !== 0 || filter !== 0) throw invalid('unknown compression or filter method');
  if (interlace !== 0) throw invalid('interlaced');
  const bits = unfilter(inflate(chunks.data, (rowBytes(width) + 1) * height), width, height);
  if (colour === PALETTE) applyPalette(bits, chunks.palette);
  clearOutside(bits, width, width, height);
  return { width, height, bits };
}

interface Chunks {
  readonly header: Uint8Array;
  readonly palette: Uint8Array | undefined;
  readonly data: Uint8Array;
}

function readChunks(png: Uint8Array): Chunks {
  if (png.length < SIGNATURE.length || SIGNATURE.some((byte, i) => png[i] !== byte)) throw invalid('not a PNG');
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  const data: Uint8Array[] = [];
  let header: Uint8Array | undefined;
  let palette: Uint8Array | undefined;
  for (let at = SIGNATURE.length; at + 12 <= png.length; ) {
    const length = view.getUint32(at);
    const end = at + 8 + length;
    if (end + 4 > png.length) break;
    if (view.getUint32(end) !== crc32(png.subarray(at + 4, end))) throw invalid('wrong CRC');
    const type = String.fromCharCode(...png.subarray(at + 4, at + 8));
    const body = png.subarray(at + 8, end);
    if (header === undefined && (type !== 'IHDR' || length !== 13)) throw invalid('no IHDR');
    if (type === 'IHDR' && header !== undefined) throw invalid('two IHDR');
    if (type === 'IHDR') header = body;
    else if (type === 'PLTE') palette = body;
    else if (type === 'IDAT') data.push(body);
    else if (type === 'IEND' && header) return { header, palette, data: concat(data) };
    // Upper case marks a critical chunk: one that is not known makes the picture unreadable (PNG 3rd ed. §5.4).
    else if (type.charCodeAt(0) < 0x60) throw invalid(`unknown chunk ${type}`);
    at = end + 4;
  }
  throw invalid('cut off');
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function inflate(data: Uint8Array, expected: number): Uint8Array {
  let rows: Uint8Array;
  try {
    rows = inflateSync(data, { maxOutputLength: expected + 1 });
  } catch (cause) {
    throw invalid('its pixel data cannot be inflated', cause);
  }
  if (rows.length !== expected) throw invalid(`${rows.length} bytes of pixel data instead of ${expected}`);
  return rows;
}

/** Undoes the five row filters (PNG 3rd ed. §9.2); below 8 bits a pixel the unit is one byte. */
function unfilter(rows: Uint8Array, width: number, height: number): Uint8Array {
  const stride = rowBytes(width);
  const out = new Uint8Array(stride * height);
  for (let y = 0; y < height; y++) {
    const type = rows[y * (stride + 1)]!;
    const from = y * (stride + 1) + 1;
    const to = y * stride;
    if (type > 4) throw invalid(`row filter ${type}`);
    for (let i = 0; i < stride; i++) {
      const left = i > 0 ? out[to + i - 1]! : 0;
      const up = y > 0 ? out[to + i - stride]! : 0;
      const corner = i > 0 && y > 0 ? out[to + i - stride - 1]! : 0;
      out[to + i] = rows[from + i]! + predict(type, left, up, corner);
    }
  }
  return out;
}

function predict(type: number, left: number, up: number, corner: number): number {
  if (type === 0) return 0;
  if (type === 1) return left;
  if (type === 2) return up;
  if (type === 3) return (left + up) >> 1;
  const [dl, du, dc] = [Math.abs(up - corner), Math.abs(left - corner), Math.abs(left + up - 2 * corner)];
  return dl <= du && dl <= dc ? left : du <= dc ? up : corner;
}

function applyPalette(bits: Uint8Array, palette: Uint8Array | undefined): void {
  if (!palette || palette.length % 3 !== 0 || palette.length < 3 || palette.length > 6) throw invalid('no palette');
  const bright = (entry: number): boolean => {
    const [r = 0, g = 0, b = 0] = palette.subarray(entry * 3, entry * 3 + 3);
    // In whole numbers: with fractions, grey 128 comes out just below.
    return 299 * r + 587 * g + 114 * b >= 128_000;
  };
  // A byte of the stored indices becomes (index ∧ one) ∨ (¬index ∧ zero), with one and zero either all or no bits.
  const zero = bright(0) ? 0xff : 0;
  const one = bright(1) ? 0xff : 0;
  for (let i = 0; i < bits.length; i++) bits[i] = (bits[i]! & one) | (~bits[i]! & zero);
}

const invalid = (what: string, cause?: unknown): StromaflowError =>
  new StromaflowError('MASK_INVALID', `not a 1-bit mask PNG: ${what}`, { cause });
