import { open } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { StromaflowError, toStromaflowError } from '../errors.js';
import { isDicom } from '../slide/dicom/instance.js';
import { meanSpacing } from '../slide/slide-facts.js';
import { recogniseTiff } from '../slide/tiff/format.js';
import { readPages, readTileArrays, type TiffPage } from '../slide/tiff/page.js';
import { probeTiff, type TiffProbe, truncated } from '../slide/tiff/probe.js';
import { openDicomSource } from './dicom-source-slide.js';
import type { SourceLevel, SourceSlide } from './source.js';
import { readTags } from './tiff-tags.js';

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
