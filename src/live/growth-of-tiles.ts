import { createHash } from 'node:crypto';
import { type Stats, statSync } from 'node:fs';
import { imageBytes, partOf, readIndexFile } from '../slide/ndtiff/data-set.js';
import type { NdTiffDescription } from '../slide/ndtiff/description.js';
import { readIndex } from '../slide/ndtiff/read-index.js';
import { readFileBelow } from '../slide/regular-file.js';
import { mostBytes, type TileFolderDescription, tileName } from '../slide/tile-folder/tile-set.js';
import { growthIdentity } from './growth.js';
import type { Growth } from './live-slide.js';

/** Tiles whose bytes are part of a content's name. */
const SAMPLES = 8;

/**
 * The growth of a folder of tiles, finished or not: its description as a file, what that says, and the bytes of a few tiles.
 *
 * @param born the description's file when the slide was opened.
 */
export function tileFolderGrowth(
  { path, manifest, folder, levels }: TileFolderDescription,
  born: Stats = statSync(manifest),
): Growth {
  const { ino, birthtimeMs } = born;
  const named = path === manifest ? '' : path.slice(manifest.length);
  const said = JSON.stringify(levels.map(({ mpp: _, ...level }) => level));
  const digest = createHash('sha256').update([ino, Math.trunc(birthtimeMs), named, said].join(' '));
  return {
    identity: digest.digest('hex').slice(0, 16),
    content: level => {
      const geometry = levels[level]!;
      const content = createHash('sha256');
      const tiles = geometry.cols * geometry.rows;
      const samples = Math.min(SAMPLES, tiles);
      for (let sample = 0; sample < samples; sample++) {
        const tile = Math.floor((sample * tiles) / samples);
        const name = tileName(geometry, tile % geometry.cols, Math.floor(tile / geometry.cols));
        const bytes = name === '' ? undefined : readFileBelow(folder, name, mostBytes(geometry))?.bytes;
        content.update(`${bytes?.length ?? 'none'} `).update(bytes ?? '');
      }
      return content.digest('hex').slice(0, 32);
    },
  };
}

/** The growth of an NDTiff data set, finished or not: its index as a file, its entries, and the pixels of a few. */
export function ndTiffGrowth(source: NdTiffDescription, born: Stats = statSync(source.path)): Growth {
  return {
    identity: growthIdentity(born, source.levels[0]!),
    content: () => {
      const { path, prefix } = source;
      const entries = readIndex(path, readIndexFile(path)?.bytes ?? Buffer.alloc(0), 0);
      const content = createHash('sha256').update(JSON.stringify(entries));
      const step = Math.max(1, Math.floor(entries.length / SAMPLES));
      for (let index = 0; index < entries.length; index += step) {
        const { file, offset, type } = entries[index]!;
        const part = partOf(prefix, file);
        if (part !== undefined) content.update(imageBytes(source, part, offset, type));
      }
      return content.digest('hex').slice(0, 32);
    },
  };
}
