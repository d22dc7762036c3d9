import { readdir } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { StromaflowError } from '../errors.js';
import type { LabelLocation } from './label-source.js';
import type { Candidate } from './labelled-item.js';

const IMAGE_TYPES = new Set(['.png', '.jpg', '.jpeg', '.webp', '.tif', '.tiff', '.bmp', '.gif']);
const SLIDE_TYPES = new Set(['.svs', '.ndpi', '.mrxs', '.scn', '.bif', '.vsi', '.czi', '.dcm', '.dicom']);
const TIFF_TYPES = new Set(['.tif', '.tiff']);

/** Entries of a folder by stem; hidden files and subfolders are left out. Absent folders are empty. */
export async function filesByStem(folder: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  let entries: import('node:fs').Dirent[];
  try {
    entries = await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))
      return found;
    throw new StromaflowError('FILE_NOT_FOUND', `${folder}: it cannot be listed`, { cause: error });
  }
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.isDirectory() || entry.name.startsWith('.')) continue;
    const stem = entry.name.slice(0, entry.name.length - extname(entry.name).length);
    if (!found.has(stem)) found.set(stem, join(folder, entry.name));
  }
  return found;
}

export const isImageFile = (path: string): boolean => IMAGE_TYPES.has(extname(path).toLowerCase());
export const isSlideFile = (path: string): boolean => SLIDE_TYPES.has(extname(path).toLowerCase()) || isTiffFile(path);
export const isTiffFile = (path: string): boolean => TIFF_TYPES.has(extname(path).toLowerCase());

/** How a truth's file is written, by its name; undefined when it is none. */
export function labelLocation(path: string): LabelLocation | undefined {
  const type = extname(path).toLowerCase();
  if (type === '.xml') return { kind: 'asap', path };
  if (type === '.geojson') return { kind: 'geojson', path };
  if (type === '.json') return { kind: 'darwin', path };
  if (TIFF_TYPES.has(type)) return { kind: 'mask-tiff', path };
  return IMAGE_TYPES.has(type) ? { kind: 'mask-image', path } : undefined;
}

export interface PairsFound {
  readonly candidates: Candidate[];
  readonly orphans: string[];
}

/** Pairs the files of images/ and masks/ by equal stems. */
export async function pairFolders(
  images: string,
  masks: string,
  subset: string,
  mpp: number | undefined,
): Promise<PairsFound> {
  const [pictures, truths] = await Promise.all([filesByStem(images), filesByStem(masks)]);
  const candidates: Candidate[] = [];
  for (const [name, imagePath] of pictures) {
    if (!isImageFile(imagePath) && !isSlideFile(imagePath)) continue;
    const truth = truths.get(name);
    const labels = truth === undefined ? undefined : labelLocation(truth);
    truths.delete(name);
    candidates.push({
      name,
      subset,
      imagePath,
      // A TIFF beside a mask picture is a picture too; beside a tiled mask or annotations it is a slide.
      kind: isImageFile(imagePath) && (!isTiffFile(imagePath) || labels?.kind === 'mask-image') ? 'image' : 'slide',
      ...(labels && { labels }),
      ...(mpp !== undefined && { mpp }),
    });
  }
  return { candidates, orphans: [...truths.values()].filter(path => labelLocation(path) !== undefined) };
}
