import { join } from 'node:path';
import type { ScanSettings, ScanWriter } from './scan-writer.js';
import type { SourceSlide } from './source.js';
import {
  type EncodedDirectory,
  encodeByteCount,
  encodeDirectory,
  encodeHeader,
  encodeOffset,
} from './tiff-directory.js';
import { TiffFile, tiffBytes } from './tiff-file.js';

/**
 * The directories of all levels first, every tile at offset 0 with 0 bytes; then tiles are appended, and each one's entry
 * is written in place once its bytes are there: the byte count first, so that an offset is never without one.
 */
export async function openGrowingTiff(
  source: SourceSlide,
  folder: string,
  { steps, preallocate }: ScanSettings,
): Promise<ScanWriter> {
  const path = join(folder, source.name + source.extension);
  const file = await TiffFile.create(path, source, steps);
  const { big } = file;
  const laidOut: EncodedDirectory[] = [];
  const first = file.end;
  for (const [index, level] of source.levels.entries()) {
    const isLast = index === source.levels.length - 1;
    const table = file.tables[index]!;
    const { length } = encodeDirectory(big, file.end, level, table, 0).bytes;
    laidOut.push(encodeDirectory(big, file.end, level, table, isLast ? 0 : file.end + length));
    file.end += length;
  }
  if (preallocate) await file.resize(file.end + tiffBytes(source, steps).tiles);
  await file.write(Buffer.concat([encodeHeader(big, first), ...laidOut.map(({ bytes }) => bytes)]), 0);
  return {
    path,
    tile: async (place, bytes) => {
      const index = await file.append(place, bytes);
      const { offsetsAt, byteCountsAt } = laidOut[place.level]!;
      await file.write(encodeByteCount(bytes.length), byteCountsAt + index * 4);
      const at = file.tables[place.level]!.offsets[index]!;
      await file.write(encodeOffset(big, at), offsetsAt + index * (big ? 8 : 4));
    },
    finish: async () => {},
    close: () => file.close(),
  };
}
