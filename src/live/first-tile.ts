import { foreignImage } from '../codec/image/decode-image.js';
import { SAMPLES_FIX } from '../codec/image/sample-format.js';
import { StromaflowError } from '../errors.js';
import { readFileBelow } from '../slide/regular-file.js';
import { foreignTile } from '../slide/tile-folder/tile-folder-source.js';
import { mostBytes, type TileSet, type TileSetLevel, tileName } from '../slide/tile-folder/tile-set.js';

/**
 * Looks at the head of the tile of a growing folder that came first: the others will be of its kind.
 *
 * @param tile `row × cols + col`.
 * @throws SLIDE_UNSUPPORTED for one that is sound and of a kind that is not read.
 */
export async function checkFirstTile(
  set: TileSet,
  levels: readonly TileSetLevel[],
  level: number,
  tile: number,
): Promise<void> {
  const geometry = levels[level]!;
  const [col, row] = [tile % geometry.cols, Math.floor(tile / geometry.cols)];
  const name = tileName(geometry, col, row);
  const bytes = bytesOf(set.folder, name, mostBytes(geometry));
  const foreign = bytes && (await foreignImage(name, bytes));
  if (!foreign) return;
  const { message } = foreignTile(set, level, [col, row], name, foreign);
  throw new StromaflowError('SLIDE_UNSUPPORTED', message, { fix: SAMPLES_FIX });
}

/** A file that cannot be read says so where its tile is. */
function bytesOf(folder: string, name: string, most: number): Buffer | undefined {
  try {
    return readFileBelow(folder, name, most)?.bytes;
  } catch {
    return undefined;
  }
}
