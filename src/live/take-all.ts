import type { TiffLevel } from '../slide/tiff/description.js';
import type { Listing } from './tiff-listing.js';
import { checkTile } from './tile-bytes.js';

/** Takes every tile of a level that is listed and looks as if it were there. Returns none: nobody waits for them. */
export function takeAll(level: TiffLevel, { stats, offsets, byteCounts }: Listing, fd: number): number[] {
  for (let tile = 0; tile < Math.min(offsets.length, level.offsets.length); tile++) {
    const [offset, length] = [offsets[tile]!, byteCounts[tile]!];
    if (offset === 0 || offset + length > stats.size) continue;
    if (checkTile(fd, offset, length, level.compression) === 'no') continue;
    level.offsets[tile] = offset;
    level.byteCounts[tile] = length;
  }
  return [];
}
