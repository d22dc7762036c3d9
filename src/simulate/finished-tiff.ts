import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { ScanSettings, ScanWriter } from './scan-writer.js';
import type { SourceSlide } from './source.js';
import { emptyTable, encodeDirectory, encodeHeader, even, headerBytes, type TileTable } from './tiff-directory.js';
import { TiffFile, tiffBytes } from './tiff-file.js';

/**
 * A slide that means nothing until it is whole: header, tiles, directories at the end, as Aperio files have it.
 * 'rename': under a temporary name (`.<name>.part`), given its own when complete.
 * 'copy': under its own name from the first byte on, as a finished file comes over a share: its header already points to
 * directories that have not arrived; with `preallocate` the final size is there at once and reads as zeros.
 */
export async function openFinishedTiff(
  source: SourceSlide,
  folder: string,
  { steps, preallocate }: ScanSettings,
  how: 'rename' | 'copy',
): Promise<ScanWriter> {
  const path = join(folder, source.name + source.extension);
  const temporary = how === 'rename' ? join(folder, `.${source.name}${source.extension}.part`) : path;
  const file = await TiffFile.create(temporary, source, steps);
  const firstDirectory = even(headerBytes(file.big) + tiffBytes(source, steps).tiles);
  const last = directories(file.big, source, firstDirectory, source.levels.map(emptyTable));
  if (preallocate) await file.resize(firstDirectory + last.length);
  await file.write(encodeHeader(file.big, how === 'copy' ? firstDirectory : 0), 0);
  return {
    path,
    tile: async (place, bytes) => {
      await file.append(place, bytes);
    },
    finish: async () => {
      await file.write(directories(file.big, source, firstDirectory, file.tables), firstDirectory);
      if (how === 'copy') return;
      await file.write(encodeHeader(file.big, firstDirectory), 0);
      await rename(temporary, path);
    },
    close: () => file.close(),
  };
}

/** All levels' directories in a chain. */
function directories(big: boolean, source: SourceSlide, position: number, tables: readonly TileTable[]): Buffer {
  const parts: Buffer[] = [];
  let at = position;
  for (const [index, level] of source.levels.entries()) {
    const isLast = index === source.levels.length - 1;
    const { length } = encodeDirectory(big, at, level, tables[index]!, 0).bytes;
    parts.push(encodeDirectory(big, at, level, tables[index]!, isLast ? 0 : at + length).bytes);
    at += length;
  }
  return Buffer.concat(parts);
}
