import createOpenJpeg, { type J2KDecoder } from '@cornerstonejs/codec-openjpeg/decodewasmjs';
import type { TileDecoder, TileProblem } from '../decoder.js';
import { ForeignTile } from '../foreign-tile.js';
import type { TileCoding } from '../tile-coding.js';
import { COMPRESSION, PHOTOMETRIC } from '../tile-coding.js';
import { codestreamIn, type J2kComponent, readCodestream } from './codestream.js';
import { PlainJ2k } from './plain-j2k.js';

/** OpenJPEG in this thread, and what it printed about what it decoded last. */
interface Codec {
  readonly decoder: J2KDecoder;
  readonly problems: string[];
}

let codec: Promise<Codec> | undefined;
let ours: PlainJ2k | undefined;

/**
 * Decodes one level's JPEG 2000 tiles (Aperio 33003 and 33005, and 34712): what slides are made of by PlainJ2k, other kinds and what is
 * damaged by OpenJPEG in WebAssembly. OpenJPEG decodes what it can of a damaged stream and only prints what was wrong, so
 * what it prints decides.
 */
export class J2kDecoder implements TileDecoder {
  readonly #level: TileCoding;
  readonly #codec: Codec;
  #buffer = Buffer.alloc(0);

  /** Loads the codec, once a thread. */
  static async load(level: TileCoding): Promise<J2kDecoder> {
    codec ??= loadCodec();
    return new J2kDecoder(level, await codec);
  }

  private constructor(level: TileCoding, loaded: Codec) {
    this.#level = level;
    this.#codec = loaded;
  }

  input(length: number): Buffer {
    if (this.#buffer.length < length) this.#buffer = Buffer.alloc(length);
    return this.#buffer.subarray(0, length);
  }

  decode(tile: Buffer, rows: number, into: Uint8Array): TileProblem | undefined {
    const { tileWidth, tileHeight } = this.#level;
    const stream = codestreamIn(tile);
    const header = readCodestream(stream);
    if (!header) return 'is not a JPEG 2000 stream';
    const { width, height, components } = header;
    if (width !== tileWidth || height > tileHeight || height < rows)
      return `is ${width} × ${height} pixels instead of ${tileWidth} × ${tileHeight}`;
    const chroma = chromaOf(components);
    if (!chroma) return new ForeignTile('has subsampled or unusual components');
    const subsampled = chroma !== 'full';
    const yCbCr = !header.transformed && (subsampled || isYCbCr(this.#level));
    ours ??= new PlainJ2k();
    if (ours.decode(stream, yCbCr, into)) return undefined;
    if (chroma === 'half height') return new ForeignTile('has subsampled or unusual components');
    const { decoder, problems } = this.#codec;
    problems.length = 0;
    let pixels: Uint8Array;
    try {
      decoder.getEncodedBuffer(stream.length).set(stream);
      decoder.decode();
      pixels = decoder.getDecodedBuffer();
    } catch (error) {
      return `cannot be decoded (${error instanceof Error ? error.message : 'OpenJPEG failed'})`;
    }
    if (problems.length > 0) return `cannot be decoded (${problems[0]})`;
    if (pixels.length < width * height * 3) return `holds ${pixels.length} of ${width * height * 3} bytes`;
    // OpenJPEG makes RGB of chroma at half the width by itself.
    if (yCbCr && !subsampled) toRgb(pixels, width * height, into);
    else into.set(pixels.subarray(0, width * height * 3));
    return undefined;
  }
}

/**
 * What is decoded without a transform of the stream's own is YCbCr in Aperio's 33003, RGB in 33005, and what the photometric tag says in
 * 34712.
 */
const isYCbCr = ({ compression, photometric }: TileCoding): boolean =>
  compression === COMPRESSION.j2kYCbCr || (compression === COMPRESSION.j2k && photometric === PHOTOMETRIC.yCbCr);

/** Resolution of the second and third component. Those at half of it can only be chroma. Undefined for other kinds. */
function chromaOf(components: readonly J2kComponent[]): 'full' | 'half width' | 'half height' | undefined {
  const [luma, cb, cr] = components;
  if (components.length !== 3 || !luma || !cb || !cr || !components.every(({ isByte }) => isByte)) return undefined;
  if (luma.across !== 1 || luma.down !== 1 || cb.across !== cr.across || cb.down !== cr.down) return undefined;
  if (cb.across > 2 || cb.down > 2 || cb.across < 1 || cb.down < 1) return undefined;
  if (cb.across === 2) return 'half width';
  return cb.down === 2 ? 'half height' : 'full';
}

async function loadCodec(): Promise<Codec> {
  const problems: string[] = [];
  const note = (line: string) => {
    if (/^\[(ERROR|WARNING)\]/.test(line)) problems.push(line.replace(/^\[\w+\]\s*/, '').trim());
  };
  const { J2KDecoder: Decoder } = await createOpenJpeg({ print: note, printErr: note });
  return { decoder: new Decoder(), problems };
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
