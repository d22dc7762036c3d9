import { inflateSync } from 'node:zlib';
import { StromaflowError } from '../errors.js';

/**
 * PNG masks, sample for sample. Image libraries turn a palette into its colours and stretch 1-bit grey to 0 and 255;
 * a label is the stored number, so palette indices and grey samples are read as they are (PNG specification, 3rd ed.).
 */
export interface PngHeader {
  readonly width: number;
  readonly height: number;
  /** Bits a sample: 1, 2, 4, 8 or 16. */
  readonly depth: number;
  /** 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha. */
  readonly colourType: number;
  readonly interlaced: boolean;
}

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
/** Largest mask image decoded whole; larger ones belong into a tiled TIFF. */
const MAX_PIXELS = 1 << 28;

export const isPng = (file: Uint8Array): boolean => file.length > 33 && SIGNATURE.equals(file.subarray(0, 8));

/** @throws LABELS_INVALID when the first chunk is no header, or the picture is larger than 2^28 pixels. */
export function readPngHeader(file: Buffer): PngHeader {
  if (!isPng(file) || file.toString('latin1', 12, 16) !== 'IHDR') throw invalid('it is no PNG');
  const width = file.readUInt32BE(16);
  const height = file.readUInt32BE(20);
  if (width === 0 || height === 0 || width * height > MAX_PIXELS) throw invalid(`${width} × ${height} pixels`);
  return { width, height, depth: file[24]!, colourType: file[25]!, interlaced: file[28] !== 0 };
}

/** Whether decodePngValues can read it: one sample of at most 8 bits a pixel, not interlaced. */
export const isValuePng = (header: PngHeader): boolean =>
  (header.colourType === 0 || header.colourType === 3) && DEPTHS.includes(header.depth) && !header.interlaced;

/**
 * Why an image library would give other numbers than are stored, where it would: it drops the lower half of 16 bits,
 * stretches fewer than 8, and turns a palette into colours.
 */
export function lostValues({ depth, colourType, interlaced }: PngHeader): string | undefined {
  if (depth > 8) return `its samples have ${depth} bits, not 8`;
  const changes = colourType === 3 || (colourType === 0 && depth < 8);
  return changes && interlaced ? 'it is interlaced: save it without' : undefined;
}

/** Pixels per metre along each axis, where the file states them (pHYs, unit 1). Chunks that lie are as if absent. */
export function pngDensity(file: Buffer): { x: number; y: number } | undefined {
  for (const { type, data } of chunks(file)) {
    if (type === 'IDAT') return undefined;
    if (type === 'pHYs' && data.length >= 9 && data[8] === 1)
      return { x: data.readUInt32BE(0), y: data.readUInt32BE(4) };
  }
  return undefined;
}

const DEPTHS: readonly number[] = [1, 2, 4, 8];

/**
 * Stored samples of a palette or grey PNG, one byte a pixel, width × height.
 * @throws LABELS_INVALID for a damaged or truncated file.
 */
export function decodePngValues(file: Buffer, header: PngHeader): Uint8Array {
  const { width, height, depth } = header;
  const rowBytes = Math.ceil((width * depth) / 8);
  const expected = (rowBytes + 1) * height;
  let raw: Buffer;
  try {
    raw = inflateSync(imageData(file), { maxOutputLength: expected + 1 });
  } catch (cause) {
    throw cause instanceof StromaflowError ? cause : invalid('its compressed data is damaged', cause);
  }
  if (raw.length < expected) throw invalid('it ends before its last row');
  const values = new Uint8Array(width * height);
  let above: Uint8Array = new Uint8Array(rowBytes);
  for (let y = 0; y < height; y++) {
    const at = y * (rowBytes + 1);
    const row = raw.subarray(at + 1, at + 1 + rowBytes);
    unfilter(raw[at]!, row, above);
    unpack(row, depth, values.subarray(y * width, (y + 1) * width));
    above = row;
  }
  return values;
}

function imageData(file: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (const { type, data } of chunks(file)) {
    if (type === 'IEND') return Buffer.concat(parts);
    if (type === 'IDAT') parts.push(data);
  }
  throw invalid('it is truncated');
}

/** Chunks that the file holds wholly, and the last one's head. */
function* chunks(file: Buffer): Generator<{ type: string; data: Buffer }> {
  let at = 8;
  while (at + 12 <= file.length) {
    const length = file.readUInt32BE(at);
    const type = file.toString('latin1', at + 4, at + 8);
    if (at + 12 + length > file.length && type !== 'IEND') return;
    yield { type, data: file.subarray(at + 8, at + 8 + length) };
    at += 12 + length;
  }
}

/** Undoes a row's filter in place; a pixel is one byte or less, so the byte to the left is one back. */
function unfilter(filter: number, row: Uint8Array, above: Uint8Array): void {
  const bytes = row.length;
  if (filter === 0) return;
  if (filter > 4) throw invalid(`row filter ${filter} does not exist`);
  for (let x = 0; x < bytes; x++) {
    const left = x > 0 ? row[x - 1]! : 0;
    const up = above[x]!;
    const corner = x > 0 ? above[x - 1]! : 0;
    row[x]! += filter === 1 ? left : filter === 2 ? up : filter === 3 ? (left + up) >> 1 : paeth(left, up, corner);
  }
}

function paeth(left: number, up: number, corner: number): number {
  const estimate = left + up - corner;
  const toLeft = Math.abs(estimate - left);
  const toUp = Math.abs(estimate - up);
  const toCorner = Math.abs(estimate - corner);
  return toLeft <= toUp && toLeft <= toCorner ? left : toUp <= toCorner ? up : corner;
}

function unpack(row: Uint8Array, depth: number, into: Uint8Array): void {
  if (depth === 8) {
    into.set(row.subarray(0, into.length));
    return;
  }
  const perByte = 8 / depth;
  const mask = (1 << depth) - 1;
  for (let x = 0; x < into.length; x++) {
    into[x] = (row[Math.floor(x / perByte)]! >> (8 - depth * ((x % perByte) + 1))) & mask;
  }
}

function invalid(what: string, cause?: unknown): StromaflowError {
  return new StromaflowError('LABELS_INVALID', `the mask cannot be read: ${what}`, { cause });
}
