import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { tileDecoderFor } from '../codec/tile-decoder.js';
import { encodeImage, encodeIndexEntry, encodePartHeader, NDTIFF_TYPE } from './ndtiff-entry.js';
import type { ScanSettings, ScanWriter } from './scan-writer.js';
import type { SourceLevel, SourceSlide } from './source.js';

/** A part is a classic TIFF. */
const PART_LIMIT = 0xffff_0000;
/** What Micro-Manager's writer reserves for its index. */
const INDEX_RESERVED = 25 * 2 ** 20;
/** Room for an image's directory and metadata. */
const IMAGE_OVERHEAD = 1024;

/** What the summary metadata says of the slide; lengths in pixels of level 0. */
export interface NdTiffSummary {
  readonly PixelSize_um?: number;
  readonly Width: number;
  readonly Height: number;
  readonly TileWidth: number;
  readonly TileHeight: number;
  readonly Columns: number;
  readonly Rows: number;
  readonly GridPixelOverlapX: 0;
  readonly GridPixelOverlapY: 0;
}

/**
 * An NDTiff 3 data set of the finest level: `<slide>/<slide>_NDTiffStack.tif` (then `…_1.tif`, 4 GiB each) and NDTiff.index,
 * one entry a tile with axes `row` and `column`, written after the tile's pixels. NDTiff knows no compression, so that the
 * pixels are the decoded tile's; a damaged tile gets an entry of a pixel type that does not exist. With `preallocate` the
 * index and the part are reserved as zeros, as Micro-Manager does, and cut to size at the end.
 */
export async function openNdTiffFolder(
  source: SourceSlide,
  folder: string,
  { steps, preallocate }: ScanSettings,
): Promise<ScanWriter> {
  const level = source.levels[0]!;
  const decoder = await tileDecoderFor(level);
  const { tileWidth, tileHeight } = level;
  const rgb = Buffer.alloc(tileWidth * tileHeight * 3);
  const summary = encodePartHeader(summaryOf(source, level));
  const path = join(folder, source.name);
  await mkdir(path, { recursive: true });
  const index = await open(join(path, 'NDTiff.index'), 'w');
  if (preallocate) await index.truncate(INDEX_RESERVED);
  const left = { images: steps.length };
  let indexEnd = 0;
  let part: Part | undefined;
  let parts = 0;

  const partFor = async (bytes: number): Promise<Part> => {
    if (part && part.end + bytes <= PART_LIMIT) return part;
    await part?.finish();
    const name = `${source.name}_NDTiffStack${parts === 0 ? '' : `_${parts}`}.tif`;
    parts++;
    const reserved = preallocate ? Math.min(PART_LIMIT, summary.length + left.images * bytes) : 0;
    part = await Part.create(path, name, summary, reserved);
    return part;
  };

  return {
    path,
    tile: async ({ col, row }, bytes) => {
      const size = rgb.length + IMAGE_OVERHEAD;
      const into = await partFor(size);
      const input = decoder.input(bytes.length);
      input.set(bytes);
      const rows = level.tiled ? tileHeight : Math.min(tileHeight, level.height - row * tileHeight);
      const damaged = decoder.decode(input, rows, rgb) !== undefined;
      left.images--;
      const axes = { row, column: col };
      const isLast = left.images === 0 || into.end + 2 * size > PART_LIMIT;
      const image = encodeImage(into.end, tileWidth, tileHeight, rgb, { Axes: axes }, isLast);
      await into.append(image.bytes);
      const type = damaged ? NDTIFF_TYPE.unknown : NDTIFF_TYPE.rgb8;
      const entry = encodeIndexEntry(axes, into.name, [tileWidth, tileHeight], type, image);
      await index.write(entry, 0, entry.length, indexEnd);
      indexEnd += entry.length;
    },
    finish: async () => {
      await part?.finish();
      part = undefined;
      await index.truncate(indexEnd);
    },
    close: async () => {
      await part?.close();
      await index.close();
    },
  };
}

function summaryOf(source: SourceSlide, level: SourceLevel): NdTiffSummary {
  return {
    ...(source.mpp === undefined ? {} : { PixelSize_um: source.mpp }),
    Width: level.width,
    Height: level.height,
    TileWidth: level.tileWidth,
    TileHeight: level.tileHeight,
    Columns: level.cols,
    Rows: level.rows,
    GridPixelOverlapX: 0,
    GridPixelOverlapY: 0,
  };
}

/** One file of images under way. */
class Part {
  readonly name: string;
  end: number;
  readonly #file: FileHandle;

  private constructor(file: FileHandle, name: string, end: number) {
    this.#file = file;
    this.name = name;
    this.end = end;
  }

  static async create(folder: string, name: string, header: Buffer, reserved: number): Promise<Part> {
    const file = await open(join(folder, name), 'w');
    if (reserved > 0) await file.truncate(reserved);
    await file.write(header, 0, header.length, 0);
    return new Part(file, name, header.length);
  }

  async append(bytes: Buffer): Promise<void> {
    await this.#file.write(bytes, 0, bytes.length, this.end);
    this.end += bytes.length;
  }

  async finish(): Promise<void> {
    await this.#file.truncate(this.end);
    await this.#file.close();
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
