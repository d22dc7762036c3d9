import { basename, dirname, join } from 'node:path';

/** The index of an NDTiff data set. */
export const NDTIFF_INDEX = 'NDTiff.index';

const FULL = 'Full resolution';
const REDUCED = /^Downsampled_x\d+$/;
/** Its library leaves the name out where none is given. */
const PART = /^(|.+_)NDTiffStack(?:_\d{1,4})?\.tif$/;

/** Where the index stands in a folder that is a data set: beside the tiles, or, of a pyramid and of NDTiff 2, one folder below. */
export const indexesIn = (folder: string): string[] => [join(folder, NDTIFF_INDEX), join(folder, FULL, NDTIFF_INDEX)];

/**
 * The folder that is a data set, by its index.
 *
 * Of a pyramid only `Full resolution` is read: the writer stores a tile of `Downsampled_x2` when the first of the four tiles
 * below it comes, and overwrites its pixels for each of the others, of which its index says nothing.
 */
export function dataSetFolder(index: string): string {
  const folder = dirname(index);
  return basename(folder) === FULL ? dirname(folder) : folder;
}

/** True for files of a data set that are no slide of their own: its images, and the index of a reduced resolution. */
export const isPartOfNdTiff = (path: string): boolean =>
  PART.test(basename(path)) || (basename(path) === NDTIFF_INDEX && REDUCED.test(basename(dirname(path))));

/** Name of the parts up to `NDTiffStack`; undefined for other files. */
export const prefixOf = (name: string): string | undefined => PART.exec(name)?.[1];
