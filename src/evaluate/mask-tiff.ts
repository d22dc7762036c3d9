import { closeSync, fstatSync, openSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { inflateSync } from 'node:zlib';
import { StromaflowError, toStromaflowError } from '../errors.js';
import { decodeLzw } from '../slide/lzw.js';
import { decodePackBits } from '../slide/packbits.js';
import { checkTileCount, readPages, readTileArrays, type TiffPage } from '../slide/tiff-page.js';
import { probeTiff } from '../slide/tiff-probe.js';
import { COMPRESSION } from '../slide/tiff-support.js';
import type { LabelSource, LabelWindow } from './label-source.js';
import type { LabelMap } from './labels.js';
import { sampleIndices, valuesOfColours } from './mask-image.js';

/**
 * Whole-slide masks: tiled or striped TIFF or BigTIFF, 8 bits a sample, one sample a pixel (grey or palette: the stored
 * number is the label) or RGB with a colour table; uncompressed, LZW, deflate or PackBits. Tiles the file does not store
 * are value 0. The pyramid's coarser levels are used only where a label pixel would be a quarter of a patch pixel or
 * less: tools blend labels when they shrink them.
 */
interface MaskLevel {
  readonly page: TiffPage;
  readonly cols: number;
  readonly offsets: Float64Array;
  readonly byteCounts: Float64Array;
}

/** Decoded tiles kept, in bytes; a tile of one value costs nothing. */
const CACHE_BYTES = 128 << 20;
/** Labels are numbers: what changes a pixel's value cannot hold them. */
const LOSSLESS: readonly number[] = [
  COMPRESSION.none,
  COMPRESSION.lzw,
  COMPRESSION.deflate,
  COMPRESSION.adobeDeflate,
  COMPRESSION.packBits,
];
const MAX_TILE_PIXELS = 1 << 26;
const SAME_SHAPE = 0.01;

/**
 * Opens a mask that spans the slide's level 0.
 * @throws LABELS_INVALID when it cannot be read or has another shape than the slide.
 */
export async function openMaskTiff(
  path: string,
  map: LabelMap,
  slideWidth: number,
  slideHeight: number,
): Promise<LabelSource> {
  const invalid = (what: string, cause?: unknown) =>
    new StromaflowError('LABELS_INVALID', `${path}: ${what}`, { cause });
  let levels: MaskLevel[];
  let file: FileHandle;
  try {
    levels = readLevels(path).filter(({ page }, i) => i === 0 || !unreadableMask(page, map));
    file = await open(path);
  } catch (error) {
    const { message } = toStromaflowError(error);
    throw new StromaflowError('LABELS_INVALID', message.startsWith(path) ? message : `${path}: ${message}`, {
      cause: error,
    });
  }
  const [first] = levels;
  const problem = first ? unreadableMask(first.page, map) : 'it holds no mask';
  if (problem || !first) throw await closing(file, invalid(problem ?? 'it holds no mask'));
  const stretch = first.page.width / slideWidth / (first.page.height / slideHeight) - 1;
  if (Math.abs(stretch) > SAME_SHAPE) {
    const sizes = `${first.page.width} × ${first.page.height} pixels, its slide ${slideWidth} × ${slideHeight}`;
    throw await closing(file, invalid(`it has ${sizes}: another shape`));
  }
  const reader = new TileReader(path, file, map);
  return {
    read: async (window, into) => {
      const level = chooseLevel(levels, window, slideWidth);
      const { page } = level;
      const columns = sampleIndices(window.x, window.step, window.width, page.width / slideWidth, page.width);
      const rows = sampleIndices(window.y, window.step, window.height, page.height / slideHeight, page.height);
      await reader.sample(level, columns, rows, window.side, into);
    },
    close: () => file.close(),
  };
}

function readLevels(path: string): MaskLevel[] {
  const fd = openSync(path, 'r');
  try {
    const probe = probeTiff(fd, path, fstatSync(fd).size);
    const [first, ...others] = readPages(probe);
    if (!first) return [];
    const shape = first.width / first.height;
    const pages = [first, ...first.subDirectories, ...others].filter(
      page => Math.abs(page.width / page.height / shape - 1) < 0.05 && page.samplesPerPixel === first.samplesPerPixel,
    );
    checkTileCount(path, pages);
    return (
      pages
        .map(page => ({ page, cols: Math.ceil(page.width / page.tileWidth), ...readTileArrays(probe, page) }))
        .sort((a, b) => b.page.width - a.page.width)
        // A further page of a level's size is another picture, not a level.
        .filter(({ page }, i, levels) => page.width !== levels[i - 1]?.page.width)
    );
  } finally {
    closeSync(fd);
  }
}

function unreadableMask(page: TiffPage, map: LabelMap): string | undefined {
  const { samplesPerPixel: samples, compression } = page;
  if (page.bitsPerSample.some(bits => bits !== 8)) return `its samples have ${page.bitsPerSample[0]} bits, not 8`;
  if (!LOSSLESS.includes(compression)) return `compression ${compression} cannot hold labels`;
  if (samples !== 1 && (samples < 3 || map.colours.size === 0)) return 'it is coloured, and no colour table is given';
  if (samples !== 1 && page.planarConfiguration !== 1) return 'separate colour planes are not supported';
  if (page.tileWidth * page.tileHeight > MAX_TILE_PIXELS) return 'its tiles are too large to stream';
  return undefined;
}

/** The coarsest level whose pixel is at most a quarter of the window's, else the finest. */
function chooseLevel(levels: readonly MaskLevel[], window: LabelWindow, slideWidth: number): MaskLevel {
  const fits = (level: MaskLevel) => (window.step * level.page.width) / slideWidth >= 4;
  return levels.findLast(fits) ?? levels[0]!;
}

/** Reads tiles through a cache that forgets the least recently used. */
class TileReader {
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

  async sample(level: MaskLevel, columns: Int32Array, rows: Int32Array, side: number, into: Uint8Array): Promise<void> {
    const { tileWidth, tileHeight } = level.page;
    for (let y = 0; y < rows.length; ) {
      const tileRow = Math.floor(rows[y]! / tileHeight);
      const yEnd = endOf(rows, y, (tileRow + 1) * tileHeight);
      for (let x = 0; x < columns.length; ) {
        const tileCol = Math.floor(columns[x]! / tileWidth);
        const xEnd = endOf(columns, x, (tileCol + 1) * tileWidth);
        const tile = await this.#tile(level, tileRow * level.cols + tileCol);
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
  }

  #tile(level: MaskLevel, index: number): Promise<Uint8Array | number> {
    if (level.byteCounts[index] === 0) return Promise.resolve(0);
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

async function closing(file: FileHandle, error: StromaflowError): Promise<StromaflowError> {
  await file.close();
  return error;
}
