import { join } from 'node:path';
import type { ScanSettings, ScanWriter } from './scan-writer.js';
import type { SourceSlide } from './source.js';
import { encodeDirectory, encodeHeader, encodeOffset, even, headerLinkAt } from './tiff-directory.js';
import { TiffFile, tiffBytes } from './tiff-file.js';

const TILES_BETWEEN_CHECKPOINTS = 32;

/**
 * As libtiff writes with TIFFCheckpointDirectory (seen with libtiff 4.5): no directory at first (the header's link is 0);
 * a level's first checkpoint puts its directory at the end of the file and sets the link to it; later ones write it again
 * in place, tiles going on behind it; closing the level moves it to the end. The next level starts when one is closed.
 */
export async function openCheckpointedTiff(
  source: SourceSlide,
  folder: string,
  { steps, preallocate, checkpoint = TILES_BETWEEN_CHECKPOINTS }: ScanSettings,
): Promise<ScanWriter> {
  const path = join(folder, source.name + source.extension);
  const file = await TiffFile.create(path, source, steps);
  const { big } = file;
  if (preallocate) {
    const { tiles, directories } = tiffBytes(source, steps);
    await file.resize(even(file.end + tiles) + 2 * directories + 2 * source.levels.length);
  }
  await file.write(encodeHeader(big, 0), 0);
  let level = 0;
  let linkAt = headerLinkAt(big);
  let directoryAt: number | undefined;
  let fresh = 0;

  const write = async (position: number): Promise<number> => {
    const directory = encodeDirectory(big, position, source.levels[level]!, file.tables[level]!, 0);
    await file.write(directory.bytes, position);
    if (position !== directoryAt) {
      await file.write(encodeOffset(big, position), linkAt);
      file.end = position + directory.bytes.length;
    }
    directoryAt = position;
    fresh = 0;
    return directory.linkAt;
  };
  const closeLevel = async (): Promise<void> => {
    linkAt = await write(even(file.end));
    directoryAt = undefined;
    level++;
  };

  return {
    path,
    tile: async (place, bytes) => {
      while (level < place.level) await closeLevel();
      await file.append(place, bytes);
      fresh++;
      if (fresh >= checkpoint) await write(directoryAt ?? even(file.end));
    },
    finish: async () => {
      while (level < source.levels.length) await closeLevel();
      if (preallocate) await file.resize(file.end);
    },
    close: () => file.close(),
  };
}
