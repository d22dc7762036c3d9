import { deflateSync } from 'node:zlib';
import jpegTurbo from '@julusian/jpeg-turbo';

/** Builds small TIFFs of every kind the reader knows, byte by byte, so that tests can also damage them. */

export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly samples: number;
  readonly data: Uint8Array;
}

export interface PageOptions {
  readonly picture: Picture;
  /** Tile size; leave out for strips of `rowsPerStrip`. */
  readonly tile?: readonly [width: number, height: number];
  readonly rowsPerStrip?: number;
  readonly compression?: 'none' | 'lzw' | 'deflate' | 'packbits' | 'jpeg';
  readonly predictor?: 1 | 2;
  readonly photometric?: number;
  readonly description?: string;
  readonly subfileType?: number;
  /** Pixels per centimetre. */
  readonly resolution?: number;
  readonly icc?: boolean;
  /** Tiles that are not stored (byte count 0). */
  readonly missing?: (col: number, row: number) => boolean;
  /** Changes a tile's bytes before they are stored. */
  readonly damage?: (bytes: Buffer, col: number, row: number) => Buffer;
  readonly quality?: number;
  readonly subsampling?: number;
  /** Reduced copies in SubIFDs. */
  readonly children?: readonly PageOptions[];
  /** More entries: tag, type, values. */
  readonly extra?: readonly Entry[];
}

export interface FileOptions {
  readonly big?: boolean;
  readonly bigEndian?: boolean;
}

type Entry = readonly [tag: number, type: number, values: readonly number[] | Buffer];

const SHORT = 3;
const LONG = 4;
const RATIONAL = 5;
const ASCII = 2;
const COMPRESSION = { none: 1, lzw: 5, jpeg: 7, deflate: 8, packbits: 32773 } as const;

export function writeTiff(pages: readonly PageOptions[], options: FileOptions = {}): Buffer {
  const writer = new Writer(options);
  const directories = pages.map(page => writer.page(page));
  writer.chain(directories);
  return writer.finish();
}

class Writer {
  readonly #big: boolean;
  readonly #bigEndian: boolean;
  readonly #parts: Buffer[] = [];
  #position: number;
  #first = 0;

  constructor({ big = false, bigEndian = false }: FileOptions) {
    this.#big = big;
    this.#bigEndian = bigEndian;
    this.#position = big ? 16 : 8;
  }

  page(options: PageOptions): Entry[] {
    const { picture, tile, rowsPerStrip = picture.height, compression = 'none', predictor = 1 } = options;
    const [tileWidth, tileHeight] = tile ?? [picture.width, rowsPerStrip];
    const cols = Math.ceil(picture.width / tileWidth);
    const rows = Math.ceil(picture.height / tileHeight);
    const offsets: number[] = [];
    const counts: number[] = [];
    for (let row = 0; row < rows; row++)
      for (let col = 0; col < cols; col++) {
        if (options.missing?.(col, row)) {
          offsets.push(0);
          counts.push(0);
          continue;
        }
        const height = tile ? tileHeight : Math.min(tileHeight, picture.height - row * tileHeight);
        const bytes = encode(cut(picture, col * tileWidth, row * tileHeight, tileWidth, height), options);
        const stored = options.damage?.(bytes, col, row) ?? bytes;
        offsets.push(this.#append(stored));
        counts.push(stored.length);
      }
    const jpegColour = compression === 'jpeg' && picture.samples === 3;
    const entries: Entry[] = [
      [256, LONG, [picture.width]],
      [257, LONG, [picture.height]],
      [258, SHORT, Array.from({ length: picture.samples }, () => 8)],
      [259, SHORT, [COMPRESSION[compression]]],
      [262, SHORT, [options.photometric ?? (jpegColour ? 6 : picture.samples >= 3 ? 2 : 1)]],
      [277, SHORT, [picture.samples]],
      [284, SHORT, [1]],
    ];
    if (predictor !== 1) entries.push([317, SHORT, [predictor]]);
    if (options.subfileType !== undefined) entries.push([254, LONG, [options.subfileType]]);
    if (options.description !== undefined) entries.push([270, ASCII, Buffer.from(`${options.description}\0`)]);
    if (options.resolution !== undefined)
      for (const tag of [282, 283]) entries.push([tag, RATIONAL, [Math.round(options.resolution * 1000), 1000]]);
    if (options.resolution !== undefined) entries.push([296, SHORT, [3]]);
    if (options.icc) entries.push([34675, 7, Buffer.alloc(16)]);
    if (tile) entries.push([322, LONG, [tileWidth]], [323, LONG, [tileHeight]]);
    else entries.push([278, LONG, [rowsPerStrip]]);
    entries.push([tile ? 324 : 273, LONG, offsets], [tile ? 325 : 279, LONG, counts]);
    if (options.children) {
      const at = options.children.map(child => this.#directory(this.page(child)).position);
      entries.push([330, LONG, at]);
    }
    entries.push(...(options.extra ?? []));
    return entries;
  }

  chain(directories: readonly Entry[][]): void {
    let link: number | undefined;
    for (const entries of directories) {
      const { position, linkAt } = this.#directory(entries);
      if (link === undefined) this.#first = position;
      else this.#patch(link, position);
      link = linkAt;
    }
  }

  finish(): Buffer {
    const head = Buffer.alloc(this.#big ? 16 : 8);
    head.write(this.#bigEndian ? 'MM' : 'II');
    this.#put(head, 2, this.#big ? 43 : 42, 2);
    if (this.#big) this.#put(head, 4, 8, 2);
    this.#put(head, this.#big ? 8 : 4, this.#first, this.#big ? 8 : 4);
    return Buffer.concat([head, ...this.#parts]);
  }

  #directory(given: readonly Entry[]): { position: number; linkAt: number } {
    // Readers differ in which of two equal tags they take.
    const entries = [...new Map(given.map(entry => [entry[0], entry])).values()].sort((a, b) => a[0] - b[0]);
    const [countBytes, entryBytes, word] = this.#big ? [8, 20, 8] : [2, 12, 4];
    const values = entries.map(entry => this.#values(entry));
    const places = values.map(bytes => (bytes.length > word ? this.#append(bytes) : 0));
    const table = Buffer.alloc(countBytes + entries.length * entryBytes + word);
    this.#put(table, 0, entries.length, countBytes);
    for (const [index, [tag, type]] of entries.entries()) {
      const at = countBytes + index * entryBytes;
      const bytes = values[index]!;
      this.#put(table, at, tag, 2);
      this.#put(table, at + 2, type, 2);
      this.#put(table, at + 4, bytes.length / sizeOf(type), word);
      if (bytes.length > word) this.#put(table, at + 4 + word, places[index]!, word);
      else bytes.copy(table, at + 4 + word);
    }
    const position = this.#append(table);
    return { position, linkAt: position + countBytes + entries.length * entryBytes };
  }

  #values([, type, values]: Entry): Buffer {
    if (Buffer.isBuffer(values)) return values;
    const size = type === RATIONAL ? 4 : sizeOf(type);
    const bytes = Buffer.alloc(values.length * size);
    for (const [index, value] of values.entries()) this.#put(bytes, index * size, value, size);
    return bytes;
  }

  #append(bytes: Buffer): number {
    const at = this.#position;
    this.#parts.push(bytes);
    this.#position += bytes.length;
    return at;
  }

  #patch(position: number, value: number): void {
    let at = this.#big ? 16 : 8;
    for (const part of this.#parts) {
      if (position < at + part.length) {
        this.#put(part, position - at, value, this.#big ? 8 : 4);
        return;
      }
      at += part.length;
    }
  }

  #put(bytes: Buffer, at: number, value: number, size: number): void {
    if (size === 8) {
      if (this.#bigEndian) bytes.writeBigUInt64BE(BigInt(value), at);
      else bytes.writeBigUInt64LE(BigInt(value), at);
    } else if (this.#bigEndian) bytes.writeUIntBE(value, at, size);
    else bytes.writeUIntLE(value, at, size);
  }
}

function sizeOf(type: number): number {
  return { 1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 16: 8 }[type] ?? 1;
}

/** A rectangle of a picture; what lies outside repeats the edge, as encoders do. */
export function cut(picture: Picture, x: number, y: number, width: number, height: number): Picture {
  const { samples } = picture;
  const data = new Uint8Array(width * height * samples);
  for (let row = 0; row < height; row++)
    for (let col = 0; col < width; col++) {
      const from =
        (Math.min(picture.height - 1, y + row) * picture.width + Math.min(picture.width - 1, x + col)) * samples;
      data.set(picture.data.subarray(from, from + samples), (row * width + col) * samples);
    }
  return { width, height, samples, data };
}

function encode(tile: Picture, options: PageOptions): Buffer {
  const { compression = 'none', predictor = 1 } = options;
  if (compression === 'jpeg') return encodeJpeg(tile, options.quality, options.subsampling);
  const data = Buffer.from(tile.data);
  const stride = tile.width * tile.samples;
  if (predictor === 2)
    for (let row = 0; row < data.length; row += stride)
      for (let i = row + stride - 1; i >= row + tile.samples; i--) data[i] = data[i]! - data[i - tile.samples]!;
  if (compression === 'deflate') return deflateSync(data);
  if (compression === 'packbits') return packBits(data);
  return compression === 'lzw' ? lzw(data) : data;
}

export function encodeJpeg(tile: Picture, quality = 90, subsampling: number = jpegTurbo.SAMP_444): Buffer {
  const format = tile.samples === 1 ? jpegTurbo.FORMAT_GRAY : jpegTurbo.FORMAT_RGB;
  return Buffer.from(
    jpegTurbo.compressSync(Buffer.from(tile.data), {
      format,
      width: tile.width,
      height: tile.height,
      quality,
      subsampling: tile.samples === 1 ? jpegTurbo.SAMP_GRAY : subsampling,
    }),
  );
}

export function packBits(data: Uint8Array): Buffer {
  const out: number[] = [];
  for (let at = 0; at < data.length; ) {
    let run = 1;
    while (run < 128 && data[at + run] === data[at]) run++;
    if (run > 2) {
      out.push(257 - run, data[at]!);
      at += run;
      continue;
    }
    const end = Math.min(data.length, at + 5);
    out.push(end - at - 1, ...data.subarray(at, end));
    at = end;
  }
  return Buffer.from(out);
}

/** @param old as before TIFF 5: bits the other way round, codes widened one later. */
export function lzw(data: Uint8Array, old = false): Buffer {
  const out: number[] = [];
  let bits = 0;
  let held = 0;
  let width = 9;
  let codes = new Map<string, number>();
  let next = 258;
  const put = (code: number) => {
    bits = old ? bits + code * 2 ** held : bits * 2 ** width + code;
    held += width;
    while (held >= 8) {
      held -= 8;
      out.push(old ? bits % 256 : Math.floor(bits / 2 ** held) & 255);
      bits = old ? Math.floor(bits / 256) : bits % 2 ** held;
    }
  };
  const codeOf = (text: string) => (text.length === 1 ? text.charCodeAt(0) : codes.get(text)!);
  put(256);
  let text = '';
  for (const value of data) {
    const longer = text + String.fromCharCode(value);
    if (longer.length === 1 || codes.has(longer)) {
      text = longer;
      continue;
    }
    put(codeOf(text));
    codes.set(longer, next++);
    if (next === 4094) {
      put(256);
      codes = new Map();
      next = 258;
      width = 9;
    } else if (next === 2 ** width + (old ? 1 : 0) && width < 12) width++;
    text = String.fromCharCode(value);
  }
  if (text) put(codeOf(text));
  put(257);
  if (held > 0) out.push((old ? bits : bits * 2 ** (8 - held)) & 255);
  return Buffer.from(out);
}

/** A smooth picture whose every pixel tells its place. */
export function gradient(width: number, height: number, samples = 3): Picture {
  const data = new Uint8Array(width * height * samples);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let s = 0; s < samples; s++)
        data[(y * width + x) * samples + s] = (s === 0 ? x * 3 : s === 1 ? y * 3 : x + y) & 255;
  return { width, height, samples, data };
}

/**
 * What a picture of width × height pixels shows, `by` times coarser: waves of many lengths, which differ from `seed` to `seed`.
 * Computed at the centres of the coarser pixels.
 */
export function scenery(
  width: number,
  height: number,
  { by = 1, seed = 1, samples = 3 }: { by?: number; seed?: number; samples?: number } = {},
): Picture {
  const [across, down] = [Math.floor(width / by), Math.floor(height / by)];
  const data = new Uint8Array(across * down * samples);
  for (let y = 0; y < down; y++)
    for (let x = 0; x < across; x++)
      for (let s = 0; s < samples; s++) {
        const [u, v] = [(x + 0.5) * by, (y + 0.5) * by];
        const wave =
          Math.sin(u / 37 + seed * 5 + s) + Math.cos(v / (29 + seed) + seed * 3) + Math.sin((u + v) / 61 - seed);
        data[(y * across + x) * samples + s] = Math.round(150 + 30 * wave);
      }
  return { width: across, height: down, samples, data };
}

/** A picture of one colour. */
export function plain(width: number, height: number, colour: readonly number[]): Picture {
  const data = new Uint8Array(width * height * colour.length);
  for (let i = 0; i < data.length; i++) data[i] = colour[i % colour.length]!;
  return { width, height, samples: colour.length, data };
}
