import { inflateSync } from 'node:zlib';
import { getDecoder } from 'geotiff';
import type { TiffLevel } from './tiff-description.js';
import { COMPRESSION, PHOTOMETRIC } from './tiff-support.js';

/**
 * Decodes tiles that are not JPEG: deflate by zlib (native, bounded and strict about truncation), LZW and PackBits by
 * geotiff.js, then the predictor, then RGB.
 */
export async function decodeRaw(
  level: TiffLevel,
  tile: Buffer,
  rows: number,
  into: Uint8Array,
): Promise<string | undefined> {
  const { tileWidth, tileHeight, samplesPerPixel } = level;
  const stride = tileWidth * samplesPerPixel;
  let samples: Uint8Array;
  try {
    samples = await decompress(level, tile, stride * tileHeight);
  } catch (error) {
    return `cannot be decoded (${error instanceof Error ? error.message : error})`;
  }
  if (samples.length < stride * rows) return `holds ${samples.length} of ${stride * rows} bytes`;
  const pixels = Math.min(tileHeight, Math.floor(samples.length / stride)) * tileWidth;
  if (level.predictor === 2) undoPredictor(samples, stride, samplesPerPixel);
  toRgb(level, samples, pixels, into);
  return undefined;
}

async function decompress(level: TiffLevel, tile: Buffer, size: number): Promise<Uint8Array> {
  const { compression } = level;
  if (compression === COMPRESSION.none) return new Uint8Array(tile.subarray(0, size));
  if (compression === COMPRESSION.deflate || compression === COMPRESSION.adobeDeflate)
    return inflateSync(tile, { maxOutputLength: size });
  const decoder = await getDecoder(compression, {
    tileWidth: level.tileWidth,
    tileHeight: level.tileHeight,
    predictor: 1,
    bitsPerSample: 8,
    planarConfiguration: 1,
  });
  return new Uint8Array(await decoder.decode(new Uint8Array(tile).buffer));
}

/** Horizontal differencing (TIFF 6.0, section 14): each sample is stored as the difference to its left neighbour. */
function undoPredictor(samples: Uint8Array, stride: number, samplesPerPixel: number): void {
  for (let row = 0; row + stride <= samples.length; row += stride)
    for (let i = row + samplesPerPixel; i < row + stride; i++)
      samples[i] = (samples[i] as number) + (samples[i - samplesPerPixel] as number);
}

function toRgb(level: TiffLevel, samples: Uint8Array, pixels: number, into: Uint8Array): void {
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
}
