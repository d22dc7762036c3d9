import { inflateRawSync } from 'node:zlib';
import type { TileDecoder } from '../../codec/decoder.js';
import type { DicomLevel } from './description.js';

/** Frames that are not compressed, or deflated one by one: RGB or YCbCr by pixel or by plane, or grey, either way round. */
export class NativeDecoder implements TileDecoder {
  readonly #level: DicomLevel;
  #buffer = Buffer.alloc(0);

  constructor(level: DicomLevel) {
    this.#level = level;
  }

  input(length: number): Buffer {
    if (this.#buffer.length < length) this.#buffer = Buffer.alloc(length);
    return this.#buffer.subarray(0, length);
  }

  decode(tile: Buffer, rows: number, into: Uint8Array): string | undefined {
    const { tileWidth, samplesPerPixel, planar, codec, photometric } = this.#level;
    const pixels = tileWidth * rows;
    const needed = pixels * samplesPerPixel;
    let samples: Uint8Array = tile;
    if (codec === 'deflate') {
      try {
        // One byte more than wanted, so that zlib can finish; it refuses to write more. A frame may be padded.
        samples = inflateRawSync(tile, { maxOutputLength: needed + 2 });
      } catch (error) {
        return `cannot be decoded (${error instanceof Error ? error.message : error})`;
      }
    }
    if (samples.length < needed) return `holds ${samples.length} of ${needed} bytes`;
    if (samplesPerPixel === 3 && !planar) into.set(samples.subarray(0, needed));
    else {
      const [green, blue] = samplesPerPixel === 3 ? [pixels, pixels * 2] : [0, 0];
      for (let pixel = 0; pixel < pixels; pixel++) {
        into[pixel * 3] = samples[pixel]!;
        into[pixel * 3 + 1] = samples[pixel + green]!;
        into[pixel * 3 + 2] = samples[pixel + blue]!;
      }
    }
    if (photometric === 'YBR_FULL') toRgb(into.subarray(0, pixels * 3));
    if (photometric === 'MONOCHROME1') for (let i = 0; i < pixels * 3; i++) into[i] = 255 - into[i]!;
    return undefined;
  }
}

/** Full-range YCbCr to RGB, in place (PS3.3, C.7.6.3.1.2: the equations of ITU-T T.871). */
function toRgb(pixels: Uint8Array): void {
  const clamp = (value: number) => Math.max(0, Math.min(255, Math.round(value)));
  for (let at = 0; at < pixels.length; at += 3) {
    const [y, cb, cr] = [pixels[at]!, pixels[at + 1]! - 128, pixels[at + 2]! - 128];
    pixels[at] = clamp(y + 1.402 * cr);
    pixels[at + 1] = clamp(y - 0.344136 * cb - 0.714136 * cr);
    pixels[at + 2] = clamp(y + 1.772 * cb);
  }
}
