import { readdir } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { StromaflowError } from '../errors.js';
import { splitScene } from '../slide/scene-path.js';
import { scenesAt } from '../slide/tiff/open-tiff.js';
import type { LabelLocation } from './label-source.js';
import type { Candidate } from './labelled-item.js';

const IMAGE_TYPES = new Set(['.png', '.jpg', '.jpeg', '.webp', '.tif', '.tiff', '.bmp', '.gif']);
const SLIDE_TYPES = new Set(['.svs', '.ndpi', '.mrxs', '.scn', '.bif', '.vsi', '.czi', '.dcm', '.dicom', '.dzi']);
const TIFF_TYPES = new Set(['.tif', '.tiff']);
const ANNOTATION_TYPES = /\.(xml|geojson|json)(\.gz)?$/i;

/** Files of a folder by name; hidden ones are left out. Absent folders are empty. */
export async function filesByName(folder: string): Promise<Map<string, string>> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    const names = entries.filter(entry => !entry.isDirectory() && !entry.name.startsWith('.')).map(entry => entry.name);
    return new Map(names.sort().map(name => [name, join(folder, name)]));
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) {
      return new Map();
    }
    throw new StromaflowError('FILE_NOT_FOUND', `${folder}: it cannot be listed`, { cause: error });
  }
}

/** Files of a folder by stem. */
export interface StemFiles {
  readonly files: Map<string, string>;
  /** Further files of a stem, which are not used: the first by name is. */
  readonly ambiguous: readonly string[];
}

export async function filesByStem(folder: string): Promise<StemFiles> {
  const files = new Map<string, string>();
  const ambiguous: string[] = [];
  for (const [name, path] of await filesByName(folder)) {
    const stem = stemOf(name);
    if (files.has(stem)) ambiguous.push(path);
    else files.set(stem, path);
  }
  return { files, ambiguous };
}

/** A name without its ending; '.geojson.gz' is one. */
export function stemOf(name: string): string {
  const inner = /\.gz$/i.test(name) ? basename(name, extname(name)) : name;
  return basename(inner, extname(inner));
}

export const isImageFile = (path: string): boolean => IMAGE_TYPES.has(extname(path).toLowerCase());
export const isSlideFile = (path: string): boolean => SLIDE_TYPES.has(extname(path).toLowerCase()) || isTiffFile(path);
export const isTiffFile = (path: string): boolean => TIFF_TYPES.has(extname(path).toLowerCase());

/** How a truth's file is written, by its name; undefined when it is none. */
export function labelLocation(path: string): LabelLocation | undefined {
  const type = extname(path).toLowerCase();
  if (ANNOTATION_TYPES.test(path)) return { kind: 'annotations', path };
  if (TIFF_TYPES.has(type)) return { kind: 'mask-tiff', path };
  return IMAGE_TYPES.has(type) ? { kind: 'mask-image', path } : undefined;
}

export interface PairsFound {
  readonly candidates: Candidate[];
  readonly orphans: string[];
  readonly ambiguous: readonly string[];
}

/** A slide of a file, and the stem that its truth has. */
export interface NamedSlide {
  readonly path: string;
  readonly stem: string;
}

/** The scenes of a file that holds several, each with a truth of its own; none of a file that is one slide, or cannot be read. */
export function namedScenes(path: string): NamedSlide[] {
  if (!isTiffFile(path)) return [];
  try {
    const scenes = scenesAt(path);
    if (scenes.length < 2) return [];
    return scenes.map(scene => ({ path: scene, stem: `${stemOf(basename(path))}-scene${splitScene(scene).scene}` }));
  } catch {
    return [];
  }
}

/** Pairs the files of images/ and masks/ by equal stems. */
export async function pairFolders(
  images: string,
  masks: string,
  subset: string,
  mpp: number | undefined,
): Promise<PairsFound> {
  const [{ files: pictures, ambiguous }, { files: truths, ambiguous: others }] = await Promise.all([
    filesByStem(images),
    filesByStem(masks),
  ]);
  const candidates: Candidate[] = [];
  for (const [name, imagePath] of pictures) {
    if (!isImageFile(imagePath) && !isSlideFile(imagePath)) continue;
    const scenes = namedScenes(imagePath);
    for (const { path, stem } of scenes) {
      const truth = truths.get(stem);
      const labels = truth === undefined ? undefined : labelLocation(truth);
      truths.delete(stem);
      candidates.push({
        name: stem,
        subset,
        imagePath: path,
        kind: 'slide',
        ...(labels && { labels }),
        ...(mpp && { mpp }),
      });
    }
    if (scenes.length > 0) continue;
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
  const orphans = [...truths.values()].filter(path => labelLocation(path) !== undefined);
  return { candidates, orphans, ambiguous: [...ambiguous, ...others] };
}
