import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { StromaflowError } from '../errors.js';
import { fileAt, slideIdAt } from '../slide/open.js';
import { splitScene } from '../slide/scene-path.js';
import { findTiles } from '../slide/tile-folder/find-tiles.js';
import { decodeText } from '../text.js';
import type { Candidate, Layout } from './labelled-item.js';
import type { LabelClass } from './labels.js';
import { labelsAt } from './labels-at.js';
import { readLabelsFile } from './labels-file.js';
import {
  filesByName,
  isImageFile,
  isSlideFile,
  isTiffFile,
  labelLocation,
  namedScenes,
  type PairsFound,
  pairFolders,
} from './layout-folder.js';
import { findTiger } from './layout-tiger.js';

export interface FoundLayout extends Layout {
  /** What the set itself says of its classes. */
  readonly classes?: readonly LabelClass[];
}

/** Folders of truths beside images/, in the order they are looked for. */
const TRUTH_FOLDERS = ['masks', 'labels', 'annotations'] as const;
/** Subfolders that state a split. */
export const SPLIT_FOLDERS = ['train', 'training', 'val', 'valid', 'validation', 'test', 'testing'] as const;

/**
 * Tells a set by its folders: TIGER as published (any part of its tree); images/ beside masks/, labels/ or annotations/;
 * train/, val/ and test/ that hold such pairs; or slides with their truth beside them (a.svs with a.xml, a.geojson,
 * a.json or a_mask.tif). A labels.json in the folder states classes and spacing.
 * @throws FILE_NOT_FOUND, LABELS_INVALID when there is nothing labelled in the folder.
 */
export async function findLayout(folder: string, mpp?: number): Promise<FoundLayout> {
  if (!(await isFolder(folder))) throw new StromaflowError('FILE_NOT_FOUND', `${folder}: no such folder`);
  const stated = await readLabelsFile(join(folder, 'labels.json'), async path => decodeText(await readFile(path)));
  const classes = stated?.classes && { classes: stated.classes };
  const spacing = mpp ?? stated?.mpp;
  const tiger = await findTiger(folder, spacing);
  if (tiger) return { ...tiger, ...classes };
  const parts = await Promise.all([
    findPairs(folder, spacing),
    ...SPLIT_FOLDERS.map(name => findPairs(join(folder, name), spacing)),
  ]);
  const pairs = joinPairs(parts);
  if (pairs.candidates.length > 0) return { name: 'folder', ...pairs, ...classes };
  const slides = await findSlides(folder, spacing);
  if (slides.candidates.length > 0) return { name: 'slides', ...slides, ...classes };
  throw new StromaflowError('LABELS_INVALID', `${folder}: no labelled images were found`, {
    fix: 'give a folder that holds images/ and masks/ with equal names, or TIGER’s folders; see docs/evaluation.md',
  });
}

/**
 * One slide or image with its truth.
 * @throws FILE_NOT_FOUND, LABELS_INVALID when the truth is in no known format.
 */
export async function pairOf(imagePath: string, labelsPath: string, mpp?: number): Promise<Layout> {
  // A folder of tiles is a slide, by itself or by what describes it.
  const isTiles = findTiles(imagePath) !== undefined;
  for (const path of isTiles ? [labelsPath] : [imagePath, labelsPath]) {
    if (!(await stat(fileAt(path)).catch(() => undefined))?.isFile()) {
      throw new StromaflowError('FILE_NOT_FOUND', `${path}: no such file`);
    }
  }
  const labels = await labelsAt(labelsPath);
  const isScene = splitScene(imagePath).scene !== undefined;
  const name = isTiles || isScene ? slideIdAt(imagePath) : basename(imagePath, extname(imagePath));
  const kind = isImageFile(imagePath) && !isTiffFile(imagePath) ? 'image' : 'slide';
  const candidate = { name, subset: 'slide', kind, imagePath, labels, ...(mpp !== undefined && { mpp }) } as const;
  return { name: 'slides', candidates: [candidate], orphans: [], ambiguous: [] };
}

async function findPairs(folder: string, mpp: number | undefined): Promise<PairsFound> {
  for (const truths of TRUTH_FOLDERS) {
    if (!(await isFolder(join(folder, truths)))) continue;
    return pairFolders(join(folder, 'images'), join(folder, truths), basename(folder), mpp);
  }
  return NO_PAIRS;
}

/** Slides of a folder with their truths beside them. Slides without one are faults once any has one. */
async function findSlides(folder: string, mpp: number | undefined): Promise<PairsFound> {
  const files = [...(await filesByName(folder)).values()];
  const isTruth = (path: string) =>
    TRUTH_NAMES.some(suffix => suffix.startsWith('_') && path.toLowerCase().endsWith(suffix));
  const candidates = files
    .filter(path => isSlideFile(path) && !isTruth(path))
    .flatMap(path => {
      const scenes = namedScenes(path);
      return scenes.length > 0 ? scenes : [{ path, stem: basename(path, extname(path)) }];
    })
    .map(({ path: imagePath, stem: name }): Candidate => {
      const truth = truthNamed(files, name, TRUTH_NAMES);
      const labels = truth === undefined ? undefined : labelLocation(truth);
      return {
        name,
        subset: basename(folder),
        kind: 'slide',
        imagePath,
        ...(labels && { labels }),
        ...(mpp && { mpp }),
      };
    });
  return { candidates: candidates.some(({ labels }) => labels) ? candidates : [], orphans: [], ambiguous: [] };
}

const TRUTH_NAMES = [
  ...['_mask.tif', '_mask.tiff', '_mask.png', '_labels.tif'],
  ...['.xml', '.geojson', '.json', '.xml.gz', '.geojson.gz', '.json.gz'],
] as const;

const MASK_NAMES = ['.tif', '.tiff', '.png'] as const;

const truthNamed = (files: readonly string[], stem: string, suffixes: readonly string[]): string | undefined =>
  files.find(path => suffixes.some(suffix => basename(path).toLowerCase() === `${stem}${suffix}`.toLowerCase()));

/**
 * The truth of a slide by its name: beside it, in another folder (there a mask may have the very name of the slide), or a
 * file, when it has the slide's name. Undefined where there is none.
 */
export async function truthOf(slidePath: string, place: string = dirname(slidePath)): Promise<string | undefined> {
  const isThere = await isFolder(place);
  const files = isThere ? [...(await filesByName(place)).values()] : [place];
  const beside = isThere && resolve(place) === resolve(dirname(slidePath));
  const { file, scene } = splitScene(slidePath);
  // Scenes of one file have truths of their own.
  const stem = `${basename(file, extname(file))}${scene === undefined ? '' : `-scene${scene}`}`;
  return truthNamed(files, stem, beside ? TRUTH_NAMES : [...TRUTH_NAMES, ...MASK_NAMES]);
}

const NO_PAIRS: PairsFound = { candidates: [], orphans: [], ambiguous: [] };

function joinPairs(parts: readonly PairsFound[]): PairsFound {
  return {
    candidates: parts.flatMap(part => part.candidates),
    orphans: parts.flatMap(part => part.orphans),
    ambiguous: parts.flatMap(part => part.ambiguous),
  };
}

const isFolder = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
