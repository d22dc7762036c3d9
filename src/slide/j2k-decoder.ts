import createOpenJpeg, { type J2KDecoder } from '@cornerstonejs/codec-openjpeg/decodewasmjs';
import { ForeignTile } from './foreign-tile.js';
import { PlainJ2k } from './j2k/plain-j2k.js';
import type { TiffLevel } from './tiff-description.js';
import { COMPRESSION } from './tiff-support.js';
import type { TileDecoder, TileProblem } from './tile-decoder.js';

/** What a codestream's header says (ISO/IEC 15444-1, A.5.1). */
interface J2kHeader {
  readonly width: number;
  readonly height: number;
  readonly components: number;
  /** All components are unsigned, of 8 bits and full resolution. */
  readonly plain: boolean;
}

/** OpenJPEG in this thread, and what it printed about what it decoded last. */
interface Codec {
  readonly decoder: J2KDecoder;
  readonly problems: string[];
}

let codec: Promise<Codec> | undefined;
let ours: PlainJ2k | undefined;

/**
 * Decodes one level's JPEG 2000 tiles (Aperio 33003 and 33005): what slides are made of by PlainJ2k, other kinds and what is
 * damaged by OpenJPEG in WebAssembly. OpenJPEG decodes what it can of a damaged stream and only prints what was wrong, so
 * what it prints decides.
 */
export class J2kDecoder implements TileDecoder {
  readonly #level: TiffLevel;
  readonly #codec: Codec;
  #buffer = Buffer.alloc(0);

  /** Loads the codec, once a thread. */
  static async load(level: TiffLevel): Promise<J2kDecoder> {
    codec ??= loadCodec();
    return new J2kDecoder(level, await codec);
  }

  private constructor(level: TiffLevel, loaded: Codec) {
    this.#level = level;
    this.#codec = loaded;
  }

  input(length: number): Buffer {
    if (this.#buffer.length < length) this.#buffer = Buffer.alloc(length);
    return this.#buffer.subarray(0, length);
  }

  decode(tile: Buffer, rows: number, into: Uint8Array): TileProblem | undefined {
    const { tileWidth, tileHeight, compression } = this.#level;
    const header = readHeader(tile);
    if (!header) return 'is not a JPEG 2000 stream';
    const { width, height, components, plain } = header;
    if (width !== tileWidth || height > tileHeight || height < rows)
      return `is ${width} × ${height} pixels instead of ${tileWidth} × ${tileHeight}`;
    if (components !== 3 || !plain) return new ForeignTile('has subsampled or unusual components');
    ours ??= new PlainJ2k();
    if (ours.decode(tile, compression === COMPRESSION.j2kYCbCr, into)) return undefined;
    const { decoder, problems } = this.#codec;
    problems.length = 0;
    let pixels: Uint8Array;
    try {
      decoder.getEncodedBuffer(tile.length).set(tile);
      decoder.decode();
      pixels = decoder.getDecodedBuffer();
    } catch (error) {
      return `cannot be decoded (${error instanceof Error ? error.message : 'OpenJPEG failed'})`;
    }
    if (problems.length > 0) return `cannot be decoded (${problems[0]})`;
    if (pixels.length < width * height * 3) return `holds ${pixels.length} of ${width * height * 3} bytes`;
    if (compression === COMPRESSION.j2kYCbCr) toRgb(pixels, width * height, into);
    else into.set(pixels.subarray(0, width * height * 3));
    return undefined;
  }
}

async function loadCodec(): Promise<Codec> {
  const problems: string[] = [];
  const note = (line: string) => {
    if (/^\[(ERROR|WARNING)\]/.test(line)) problems.push(line.replace(/^\[\w+\]\s*/, '').trim());
  };
  const { J2KDecoder: Decoder } = await createOpenJpeg({ print: note, printErr: note });
  return { decoder: new Decoder(), problems };
}

/** Size and components from a codestream, whose first two markers are SOC and SIZ. */
function readHeader(tile: Buffer): J2kHeader | undefined {
  if (tile.length < 42 || tile.readUInt32BE(0) !== 0xff4fff51) return undefined;
  const [right, bottom, left, top] = [8, 12, 16, 20].map(at => tile.readUInt32BE(at)) as [
    number,
    number,
    number,
    number,
  ];
  const components = tile.readUInt16BE(40);
  if (components === 0 || tile.length < 42 + components * 3) return undefined;
  let plain = true;
  for (let i = 0; i < components; i++)
    plain &&= tile[42 + i * 3] === 7 && tile[43 + i * 3] === 1 && tile[44 + i * 3] === 1;
  return { width: right - left, height: bottom - top, components, plain };
}

/** Full-range YCbCr of JFIF (ITU-T T.871), which Aperio's 33003 stores without a component transform. */
function toRgb(pixels: Uint8Array, count: number, into: Uint8Array): void {
  const clamp = (value: number) => (value < 0 ? 0 : value > 255 ? 255 : value + 0.5);
  for (let at = 0; at < count * 3; at += 3) {
    const y = pixels[at] as number;
    const cb = (pixels[at + 1] as number) - 128;
    const cr = (pixels[at + 2] as number) - 128;
    into[at] = clamp(y + 1.402 * cr);
    into[at + 1] = clamp(y - 0.344136 * cb - 0.714136 * cr);
    into[at + 2] = clamp(y + 1.772 * cb);
  }
}
