import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { StromaflowError } from '../errors.js';
import { readImageHeader, safeId } from '../slide/image/image-source.js';
import { findTiles } from '../slide/tile-folder/find-tiles.js';
import type { LabelledImage } from './labelled-item.js';
import { filesByName, isImageFile, isSlideFile, isTiffFile, namedScenes, stemOf } from './layout-folder.js';

/** A picture without a truth. */
export type Picture = Pick<LabelledImage, 'id' | 'kind' | 'imagePath' | 'mpp'>;

/** What stands beside a slide and is no picture of tissue. */
const TRUTHS = /_(mask|labels)\.(tiff?|png)$/i;

/**
 * Slides and images of a folder, or of images/ in it, or the one at a path; masks that lie beside slides are none.
 * @param mpp spacing of images, and of slides that state none, µm/px
 * @param onFault told of each image that is left out
 * @throws FILE_NOT_FOUND, LABELS_INVALID where there is none
 */
export async function findUnlabelled(
  path: string,
  mpp: number | undefined,
  onFault: (error: unknown) => void,
): Promise<Picture[]> {
  const facts = await stat(path).catch(() => undefined);
  if (!facts) throw new StromaflowError('FILE_NOT_FOUND', `${path}: no such file or folder`);
  const found = facts.isDirectory() && findTiles(path) === undefined ? await picturesIn(path) : [path];
  if (found.length === 0) {
    const message = `${path}: no slides or images were found`;
    throw new StromaflowError('LABELS_INVALID', message, { fix: 'give --unlabelled a slide, or a folder of some' });
  }
  const pictures: Picture[] = [];
  for (const [place, imagePath] of found.entries()) {
    try {
      pictures.push(await pictureOf(imagePath, place, mpp));
    } catch (error) {
      onFault(error);
    }
  }
  return pictures;
}

async function picturesIn(folder: string): Promise<string[]> {
  for (const place of [folder, join(folder, 'images')]) {
    const files = [...(await filesByName(place)).values()];
    const pictures = files.filter(path => (isImageFile(path) || isSlideFile(path)) && !TRUTHS.test(path));
    if (pictures.length > 0) return pictures.flatMap(scenesOf);
  }
  return [];
}

function scenesOf(path: string): string[] {
  const scenes = namedScenes(path).map(scene => scene.path);
  return scenes.length > 0 ? scenes : [path];
}

async function pictureOf(imagePath: string, place: number, mpp: number | undefined): Promise<Picture> {
  const id = safeId(`${stemOf(basename(imagePath))}-${place}`);
  if (!isImageFile(imagePath) || isTiffFile(imagePath))
    return { id, kind: 'slide', imagePath, ...(mpp !== undefined && { mpp }) };
  const spacing = mpp ?? (await readImageHeader(imagePath)).mpp;
  if (spacing === undefined) throw new StromaflowError('SLIDE_NO_MPP', `${imagePath}: its spacing is not known`);
  return { id, kind: 'image', imagePath, mpp: spacing };
}
