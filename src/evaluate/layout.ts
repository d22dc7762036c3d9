import { readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { StromaflowError } from '../errors.js';
import type { Layout } from './labelled-item.js';
import { type LabelClass, TIGER_CLASSES } from './labels.js';
import { readLabelsFile } from './labels-file.js';
import { pairFolders } from './layout-folder.js';
import { findTiger } from './layout-tiger.js';

export interface FoundLayout extends Layout {
  /** What the set itself says of its classes. */
  readonly classes?: readonly LabelClass[];
}

/**
 * Tells a set by its folders: TIGER as published (any part of its tree), or images/ beside masks/. A labels.json in the
 * folder states classes and spacing.
 * @throws FILE_NOT_FOUND, LABELS_INVALID when there is nothing labelled in the folder.
 */
export async function findLayout(folder: string, mpp?: number): Promise<FoundLayout> {
  if (!(await isFolder(folder))) throw new StromaflowError('FILE_NOT_FOUND', `${folder}: no such folder`);
  const stated = await readLabelsFile(join(folder, 'labels.json'), path => readFile(path, 'utf8'));
  const spacing = mpp ?? stated?.mpp;
  const tiger = await findTiger(folder, spacing);
  if (tiger) return { ...tiger, classes: stated?.classes ?? TIGER_CLASSES };
  const pairs = await pairFolders(join(folder, 'images'), join(folder, 'masks'), basename(folder), spacing);
  if (pairs.candidates.length > 0) {
    return { name: 'folder', ...pairs, ...(stated?.classes && { classes: stated.classes }) };
  }
  throw new StromaflowError('LABELS_INVALID', `${folder}: no labelled images were found`, {
    fix: 'give a folder that holds images/ and masks/ with equal names, or TIGER’s folders; see docs/evaluation.md',
  });
}

const isFolder = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
