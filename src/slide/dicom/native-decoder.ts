import { inflateRawSync } from 'node:zlib';
import type { TileDecoder } from '../tile-decoder.js';
import type { DicomLevel } from './description.js';

/** Frames that are not compressed, or deflated one by one: colour by pixel or by plane, or grey. */
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
    const { tileWidth, samplesPerPixel, planar, codec } = this.#level;
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
    if (samplesPerPixel === 3 && !planar) {
      into.set(samples.subarray(0, needed));
      return undefined;
    }
    const [green, blue] = samplesPerPixel === 3 ? [pixels, pixels * 2] : [0, 0];
    for (let pixel = 0; pixel < pixels; pixel++) {
      into[pixel * 3] = samples[pixel]!;
      into[pixel * 3 + 1] = samples[pixel + green]!;
      into[pixel * 3 + 2] = samples[pixel + blue]!;
    }
    return undefined;
  }
}
