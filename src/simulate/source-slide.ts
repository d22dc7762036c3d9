import { open } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { StromaflowError, toStromaflowError } from '../errors.js';
import { isDicom } from '../slide/dicom/instance.js';
import { meanSpacing } from '../slide/slide-facts.js';
import { recogniseTiff } from '../slide/tiff/format.js';
import { readPages, readTileArrays, type TiffPage } from '../slide/tiff/page.js';
import { probeTiff, type TiffProbe, truncated } from '../slide/tiff/probe.js';
import { openDicomSource } from './dicom-source-slide.js';
import { readTags, type TiffTag } from './tiff-tags.js';
import type { TileGrid } from './tile-order.js';

/** One level as a scanner would have it: its tiles' bytes as stored, and what a file must say about them. */
export interface SourceLevel extends TileGrid {
  readonly width: number;
  readonly height: number;
  readonly tileWidth: number;
  readonly tileHeight: number;
  /** Level-0 pixels per pixel, of reduced levels: sizes do not say it where they are padded. */
  readonly downsample?: number;
  /** Strips are written as strips. */
  readonly tiled: boolean;
  /** TIFF codes. */
  readonly compression: number;
  readonly photometric: number;
  readonly samplesPerPixel: number;
  readonly predictor: number;
  readonly jpegTables: Uint8Array | undefined;
  /** Bytes of each stored tile, row by row; 0 where there is none. */
  readonly byteCounts: Float64Array;
  /** Everything its TIFF directory says but where the tiles lie. */
  readonly tags: readonly TiffTag[];
}

export interface SourceSlide {
  /** File name without its extension, and the extension. */
  readonly name: string;
  readonly extension: string;
  /** Files beyond 4 GiB, and those made of one, are BigTIFF. */
  readonly big: boolean;
  /** µm/px of level 0; undefined when nobody says. */
  readonly mpp: number | undefined;
  readonly levels: readonly SourceLevel[];
  /** A tile's bytes as stored. */
  read(level: number, index: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/**
 * Opens a TIFF or DICOM slide for its compressed tiles; whether they can be decoded does not matter. Label and macro images are
 * left behind.
 *
 * @throws FILE_NOT_FOUND, SLIDE_UNREADABLE, SLIDE_TRUNCATED
 */
export async function openSourceSlide(path: string, mpp?: number): Promise<SourceSlide> {
  const file = await open(path).catch(error => {
    throw new StromaflowError('FILE_NOT_FOUND', `${path}: cannot be opened`, { cause: error });
  });
  try {
    const stats = await file.stat();
    if (stats.isDirectory() || isDicom(file.fd)) {
      const slide = await openDicomSource(path, mpp);
      await file.close();
      return slide;
    }
    const { size } = stats;
    const probe = probeTiff(file.fd, path, size);
    const format = recogniseTiff(readPages(probe));
    if (!format) throw new StromaflowError('SLIDE_UNREADABLE', `${path}: is a TIFF without an image`);
    const levels = format.levels.map(({ page, downsample }, index) => ({
      ...describeLevel(probe, page),
      ...(index > 0 ? { downsample } : {}),
    }));
    return {
      name: basename(path, extname(path)),
      extension: extname(path),
      big: probe.big,
      mpp: mpp ?? meanSpacing(format.mpp),
      levels,
      read: async (level, index) => {
        const { offsets, byteCounts } = levels[level]!;
        const bytes = Buffer.alloc(byteCounts[index]!);
        const { bytesRead } = await file.read(bytes, 0, bytes.length, offsets[index]!);
        if (bytesRead < bytes.length)
          throw new StromaflowError('SLIDE_TRUNCATED', `${path}: became shorter while it was read`);
        return bytes;
      },
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw toStromaflowError(error, 'SLIDE_UNREADABLE', path);
  }
}

function describeLevel(probe: TiffProbe, page: TiffPage): SourceLevel & { readonly offsets: Float64Array } {
  const { offsets, byteCounts } = readTileArrays(probe, page);
  const cols = Math.ceil(page.width / page.tileWidth);
  const rows = Math.ceil(page.height / page.tileHeight);
  for (let i = 0; i < cols * rows; i++) {
    const end = offsets[i]! + byteCounts[i]!;
    if (byteCounts[i] !== 0 && end > probe.size)
      throw truncated(probe.path, `tile ${i + 1} of ${cols * rows} of a level ends at byte ${end}`, probe.size);
  }
  const {
    width,
    height,
    tileWidth,
    tileHeight,
    tiled,
    compression,
    photometric,
    samplesPerPixel,
    predictor,
    jpegTables,
  } = page;
  return {
    width,
    height,
    tileWidth,
    tileHeight,
    tiled,
    cols,
    rows,
    compression,
    photometric,
    samplesPerPixel,
    predictor,
    jpegTables,
    offsets,
    byteCounts,
    tags: readTags(probe, page.directory),
    stored: (col, row) => byteCounts[row * cols + col] !== 0,
  };
}
