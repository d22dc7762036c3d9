import { closeSync, fstatSync, openSync } from 'node:fs';
import type { TileDecoder, TileProblem } from '../../codec/decoder.js';
import { tileError } from '../../codec/tile-decoder.js';
import { StromaflowError } from '../../errors.js';
import type { TileSource, TileState } from '../slide.js';
import { isUnwritten, rawTileState } from '../unwritten.js';
import { type ByteSource, fileBytes } from './byte-reader.js';
import type { DicomFrames, DicomLevel, DicomPart, PartList } from './description.js';
import { frameDecoder } from './frame-decoder.js';
import { type FrameSize, smallerSize } from './frame-size.js';
import { joinFragments } from './frames.js';
import { inflateDataSet } from './inflate.js';

/** Files kept open: a concatenation may have more parts than a process may have open files. */
const MAX_OPEN = 32;

interface OpenPart {
  readonly fd: number;
  readonly bytes: ByteSource;
}

/** Reads the frames of a DICOM slide, synchronously: one pread and one decode a tile. Files are opened when needed. */
export class DicomSource implements TileSource {
  readonly levels: readonly DicomLevel[];
  readonly #files: PartList;
  readonly #decoders: readonly TileDecoder[];
  /** Those used last, the latest at the end. */
  readonly #open = new Map<number, OpenPart>();
  #item = Buffer.alloc(0);

  static async open(description: DicomFrames): Promise<DicomSource> {
    return new DicomSource(description, await Promise.all(description.levels.map(frameDecoder)));
  }

  private constructor(description: DicomFrames, decoders: readonly TileDecoder[]) {
    this.levels = description.levels;
    this.#files = description.files;
    this.#decoders = decoders;
  }

  readTile(level: number, col: number, row: number, into: Uint8Array): TileState | Promise<TileState> {
    const geometry = this.levels[level];
    if (!geometry || !(col >= 0 && col < geometry.cols && row >= 0 && row < geometry.rows))
      throw new RangeError(`tile (${col}, ${row}) of level ${level}`);
    const { tileWidth, tileHeight } = geometry;
    const index = row * geometry.cols + col;
    // A level of which nothing is known yet has no table.
    const part = geometry.parts[index] ?? -1;
    if (part < 0) return 'missing';
    const corrupt = (problem: TileProblem) => tileError(this.#files.at(part)?.path ?? '', level, col, row, problem);
    const start = geometry.starts[index]!;
    const length = geometry.ends[index]! - start;
    // No codec makes a frame much larger than its pixels; a length beyond that is damage, not worth its memory.
    if (length > tileWidth * tileHeight * 6 + 65_536) throw corrupt(`claims ${length} bytes`);
    const stored = this.#read(part, start, length);
    if (stored.length < length) throw corrupt(`ends after ${stored.length} of ${length} bytes`);
    const frame = geometry.encapsulated ? joinFragments(stored) : stored;
    if (!frame) throw corrupt('is damaged');
    // In a data set that is deflated zeros were written by somebody.
    const isRaw = geometry.codec === 'none' && this.#files.at(part)?.deflatedFrom === undefined;
    if (isRaw && isUnwritten(frame)) return 'missing';
    const own = {
      width: Math.min(tileWidth, geometry.width - col * tileWidth),
      height: Math.min(tileHeight, geometry.height - row * tileHeight),
    };
    const size = own.width < tileWidth || own.height < tileHeight ? smallerSize(geometry, frame, own) : undefined;
    if (size) return this.#decodeSmaller(level, size, own, Buffer.from(frame), into, corrupt);
    const decoder = this.#decoders[level]!;
    const tile = decoder.input(withoutPadding(frame));
    frame.copy(tile);
    const problem = decoder.decode(tile, tileHeight, into);
    if (problem) throw corrupt(problem);
    // Of one that is stored by colour planes a row lies in three places.
    if (!isRaw || geometry.planar) return 'decoded';
    const stride = tileWidth * geometry.samplesPerPixel;
    return rawTileState(tile, stride, tileHeight, tileWidth);
  }

  /** A frame at the edge that was cut off, though DICOM wants it whole: some writers do so to the levels they compute. */
  async #decodeSmaller(
    level: number,
    { width, height }: FrameSize,
    own: FrameSize,
    frame: Buffer,
    into: Uint8Array,
    corrupt: (problem: TileProblem) => StromaflowError,
  ): Promise<TileState> {
    const geometry = this.levels[level]!;
    const decoder = await frameDecoder({ ...geometry, tileWidth: width, tileHeight: height });
    const pixels = new Uint8Array(width * height * 3);
    const tile = decoder.input(withoutPadding(frame));
    frame.copy(tile);
    const problem = decoder.decode(tile, height, pixels);
    if (problem) throw corrupt(problem);
    for (let y = 0; y < own.height; y++)
      into.set(pixels.subarray(y * width * 3, (y * width + own.width) * 3), y * geometry.tileWidth * 3);
    return 'decoded';
  }

  close(): void {
    for (const { fd } of this.#open.values()) closeSync(fd);
    this.#open.clear();
  }

  /** A view of the bytes, valid until the next call. */
  #read(part: number, start: number, length: number): Buffer {
    const opened = this.#open.get(part) ?? openPart(this.#files.at(part)!);
    this.#open.delete(part);
    this.#open.set(part, opened);
    if (this.#open.size > MAX_OPEN) this.#closeOldest();
    if (this.#item.length < length) this.#item = Buffer.alloc(length);
    const into = this.#item.subarray(0, length);
    return into.subarray(0, opened.bytes.read(into, start));
  }

  #closeOldest(): void {
    const [oldest] = this.#open;
    if (!oldest) return;
    this.#open.delete(oldest[0]);
    closeSync(oldest[1].fd);
  }
}

/** @throws SLIDE_UNREADABLE when the file cannot be opened any more. */
function openPart({ path, deflatedFrom }: DicomPart): OpenPart {
  let fd: number | undefined;
  try {
    fd = openSync(path, 'r');
    const file = fileBytes(path, fd, fstatSync(fd).size);
    return { fd, bytes: deflatedFrom === undefined ? file : inflateDataSet(file, deflatedFrom) };
  } catch (error) {
    if (fd !== undefined) closeSync(fd);
    if (error instanceof StromaflowError) throw error;
    throw new StromaflowError('SLIDE_UNREADABLE', `${path}: cannot be opened again`, { cause: error });
  }
}

/** Fragments have an even length; a pad byte may follow the end of a JPEG or JPEG 2000 stream (FF D9). */
function withoutPadding(frame: Buffer): number {
  const { length } = frame;
  const padded = length >= 3 && frame[length - 1] === 0 && frame[length - 2] === 0xd9 && frame[length - 3] === 0xff;
  return padded ? length - 1 : length;
}
