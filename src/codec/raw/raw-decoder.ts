import { inflateSync } from 'node:zlib';
import type { TileCoding } from '../tile-coding.js';
import { type Alpha, COMPRESSION, PHOTOMETRIC } from '../tile-coding.js';
import { decodeLzw } from './lzw.js';
import { decodePackBits } from './packbits.js';

/**
 * Decodes one level's tiles that are not JPEG: none, deflate (zlib), LZW, PackBits, Zstandard; then the predictor, then RGB. The
 * decoders write into buffers of the tile's size and notice when a tile is cut; geotiff.js's grow an array value by value
 * (5 to 30 times slower on LZW, unbounded, and cut tiles come out short without an error).
 */
export class RawDecoder {
  readonly #level: TileCoding;
  readonly #decompress: Decompress;
  #samples = new Uint8Array(0);
  #buffer = Buffer.alloc(0);

  /** @param decompress what is not of this file's own codings. */
  constructor(level: TileCoding, decompress: Decompress = decompressorOf(level.compression)) {
    this.#level = level;
    this.#decompress = decompress;
  }

  /** Where to put the tile's `length` bytes: a view valid until the next call. */
  input(length: number): Buffer {
    if (this.#buffer.length < length) this.#buffer = Buffer.alloc(length);
    return this.#buffer.subarray(0, length);
  }

  /**
   * Decodes what `input` was filled with.
   *
   * @param rows how many rows of the tile must be there (the last strip may be shorter).
   * @returns undefined, or what is wrong with the tile.
   */
  decode(tile: Buffer, rows: number, into: Uint8Array): string | undefined {
    const { tileWidth, tileHeight, samplesPerPixel, predictor } = this.#level;
    const stride = tileWidth * samplesPerPixel;
    if (this.#samples.length === 0) this.#samples = new Uint8Array(stride * tileHeight);
    let size: number;
    try {
      size = this.#decompress(tile, this.#samples);
    } catch (error) {
      return `cannot be decoded (${error instanceof Error ? error.message : error})`;
    }
    if (size < 0) return 'cannot be decoded';
    if (size < stride * rows) return `holds ${size} of ${stride * rows} bytes`;
    const pixels = Math.floor(size / stride) * tileWidth;
    if (predictor === 2) undoPredictor(this.#samples, pixels * samplesPerPixel, stride, samplesPerPixel);
    toRgb(this.#level, this.#samples, pixels, into);
    return undefined;
  }
}

/** Bytes written to `into`, or −1. */
export type Decompress = (tile: Uint8Array, into: Uint8Array) => number;

function decompressorOf(compression: number): Decompress {
  if (compression === COMPRESSION.lzw) return decodeLzw;
  if (compression === COMPRESSION.packBits) return decodePackBits;
  return compression === COMPRESSION.none ? copy : inflate;
}

function copy(tile: Uint8Array, into: Uint8Array): number {
  const bytes = tile.subarray(0, into.length);
  into.set(bytes);
  return bytes.length;
}

function inflate(tile: Uint8Array, into: Uint8Array): number {
  // One byte more than wanted, so that zlib can finish; it refuses to write more.
  return copy(inflateSync(tile, { maxOutputLength: into.length + 1 }), into);
}

/** Horizontal differencing (TIFF 6.0, section 14): each sample is stored as the difference to its left neighbour. */
function undoPredictor(samples: Uint8Array, length: number, stride: number, samplesPerPixel: number): void {
  for (let row = 0; row < length; row += stride)
    for (let i = row + samplesPerPixel; i < row + stride; i++)
      samples[i] = (samples[i] as number) + (samples[i - samplesPerPixel] as number);
}

function toRgb(level: TileCoding, samples: Uint8Array, pixels: number, into: Uint8Array): void {
  const step = level.samplesPerPixel;
  if (step === 3) {
    into.set(samples.subarray(0, pixels * 3));
    return;
  }
  const invert = level.photometric === PHOTOMETRIC.whiteIsZero ? 255 : 0;
  const [green, blue] = step >= 3 ? [1, 2] : [0, 0];
  for (let pixel = 0, from = 0, to = 0; pixel < pixels; pixel++, from += step, to += 3) {
    into[to] = (samples[from] as number) ^ invert;
    into[to + 1] = (samples[from + green] as number) ^ invert;
    into[to + 2] = (samples[from + blue] as number) ^ invert;
  }
  if (level.alpha) overWhite(level.alpha, samples, step, pixels, invert === 255, into);
}

/**
 * Lays colours over white (Porter and Duff's "over"). Of colours that are multiplied already, what transparency leaves is added; where white is
 * stored as zero, what was multiplied is the distance from white, and nothing is missing.
 */
function overWhite(
  { sample, premultiplied }: Alpha,
  samples: Uint8Array,
  step: number,
  pixels: number,
  whiteIsZero: boolean,
  into: Uint8Array,
): void {
  if (premultiplied && whiteIsZero) return;
  for (let pixel = 0, from = sample, to = 0; pixel < pixels; pixel++, from += step, to += 3) {
    const alpha = samples[from] as number;
    if (alpha === 255) continue;
    const white = 255 - alpha;
    for (let i = to; i < to + 3; i++) {
      const colour = into[i] as number;
      into[i] = premultiplied ? Math.min(255, colour + white) : Math.round((colour * alpha) / 255 + white);
    }
  }
}
