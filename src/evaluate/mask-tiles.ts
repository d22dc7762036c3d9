import type { FileHandle } from 'node:fs/promises';
import { inflateSync } from 'node:zlib';
import { decodeLzw } from '../codec/raw/lzw.js';
import { decodePackBits } from '../codec/raw/packbits.js';
import { COMPRESSION } from '../codec/tile-coding.js';
import { StromaflowError } from '../errors.js';
import type { PixelRectangle } from '../slide/rectangles.js';
import type { TiffPage } from '../slide/tiff/page.js';
import type { LabelMap } from './labels.js';
import { valuesOfColours } from './mask-image.js';
import type { MaskLevel } from './mask-levels.js';

/** Tiles that a mask does not store hold value 0 where that is a class of its own; else they may be lost as well. */
const absentIsZero = ({ classes }: LabelMap): boolean => classes.some(({ value }) => value === 0);

/** Decoded tiles kept, in bytes; a tile of one value costs nothing. */
const CACHE_BYTES = 128 << 20;

/** Reads a mask TIFF's tiles through a cache that forgets the least recently used. */
export class MaskTiles {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #map: LabelMap;
  /** Values of a tile, or the one value it consists of. */
  readonly #cache = new Map<string, Promise<Uint8Array | number>>();
  #bytes = 0;

  constructor(path: string, file: FileHandle, map: LabelMap) {
    this.#path = path;
    this.#file = file;
    this.#map = map;
  }

  /** Samples a window; where the file stores no tile, and no class is value 0, nothing is known. */
  async sample(
    level: MaskLevel,
    columns: Int32Array,
    rows: Int32Array,
    side: number,
    into: Uint8Array,
  ): Promise<PixelRectangle[]> {
    const { tileWidth, tileHeight } = level.page;
    const isZero = absentIsZero(this.#map);
    const unknown: PixelRectangle[] = [];
    for (let y = 0; y < rows.length; ) {
      const tileRow = Math.floor(rows[y]! / tileHeight);
      const yEnd = endOf(rows, y, (tileRow + 1) * tileHeight);
      for (let x = 0; x < columns.length; ) {
        const tileCol = Math.floor(columns[x]! / tileWidth);
        const xEnd = endOf(columns, x, (tileCol + 1) * tileWidth);
        const index = tileRow * level.cols + tileCol;
        const isAbsent = level.byteCounts[index] === 0;
        if (isAbsent && !isZero) unknown.push({ x, y, width: xEnd - x, height: yEnd - y });
        const tile = isAbsent ? (isZero ? 0 : this.#map.classes[0]!.value) : await this.#tile(level, index);
        for (let j = y; j < yEnd; j++) {
          const from = (rows[j]! - tileRow * tileHeight) * tileWidth - tileCol * tileWidth;
          for (let i = x; i < xEnd; i++) {
            into[j * side + i] = typeof tile === 'number' ? tile : tile[from + columns[i]!]!;
          }
        }
        x = xEnd;
      }
      y = yEnd;
    }
    return unknown;
  }

  #tile(level: MaskLevel, index: number): Promise<Uint8Array | number> {
    const key = `${level.page.width} ${index}`;
    const tile = this.#cache.get(key) ?? this.#decode(level, index);
    this.#cache.delete(key);
    this.#cache.set(key, tile);
    return tile;
  }

  async #decode(level: MaskLevel, index: number): Promise<Uint8Array | number> {
    const { page } = level;
    const length = level.byteCounts[index]!;
    const pixels = page.tileWidth * page.tileHeight;
    const rows = page.tiled ? page.tileHeight : Math.min(page.tileHeight, page.height - index * page.tileHeight);
    const expected = page.tileWidth * rows * page.samplesPerPixel;
    let samples: Uint8Array;
    try {
      if (length > expected * 2 + 65_536) throw new Error(`it claims ${length} bytes`);
      const data = Buffer.alloc(length);
      const { bytesRead } = await this.#file.read(data, 0, length, level.offsets[index]!);
      if (bytesRead < length) throw new Error('it is cut off');
      samples = decompress(page, data, pixels * page.samplesPerPixel);
      if (samples.length < expected) throw new Error('it ends too early');
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new StromaflowError('LABELS_INVALID', `${this.#path}: tile ${index} cannot be read: ${why}`, { cause });
    }
    const values = page.samplesPerPixel === 1 ? samples : valuesOfColours(samples, page.samplesPerPixel, this.#map);
    const first = values[0]!;
    if (values.every(value => value === first)) return first;
    this.#bytes += values.length;
    await this.#evict();
    return values;
  }

  async #evict(): Promise<void> {
    for (const [key, tile] of this.#cache) {
      if (this.#bytes <= CACHE_BYTES || this.#cache.size < 2) return;
      this.#cache.delete(key);
      const values = await tile.catch(() => 0);
      if (typeof values !== 'number') this.#bytes -= values.length;
    }
  }
}

function decompress(page: TiffPage, data: Buffer, size: number): Uint8Array {
  const { compression, tileWidth, predictor, samplesPerPixel } = page;
  if (compression === COMPRESSION.none) return data.subarray(0, size);
  let samples: Uint8Array;
  if (compression === COMPRESSION.deflate || compression === COMPRESSION.adobeDeflate) {
    samples = inflateSync(data, { maxOutputLength: size });
  } else if (compression === COMPRESSION.lzw) {
    const into = new Uint8Array(size);
    samples = into.subarray(0, Math.max(0, decodeLzw(data, into)));
  } else {
    const into = new Uint8Array(size);
    samples = into.subarray(0, decodePackBits(data, into));
  }
  if (predictor === 2) {
    const stride = tileWidth * samplesPerPixel;
    for (let i = 0; i < samples.length; i++) {
      if (i % stride >= samplesPerPixel) samples[i]! += samples[i - samplesPerPixel]!;
    }
  }
  return samples;
}

/** First index at or after `from` whose value reaches `limit`. Indices rise. */
function endOf(indices: Int32Array, from: number, limit: number): number {
  let end = from + 1;
  while (end < indices.length && indices[end]! < limit) end++;
  return end;
}
