import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Candidate, Layout } from './labelled-item.js';
import { type LabelClass, TIGER_CLASSES } from './labels.js';
import { filesByStem, pairFolders } from './layout-folder.js';

/**
 * TIGER as published (tiger.grand-challenge.org/Data), found from any folder of its tree:
 *
 *     wsirois/roi-level-annotations/{tissue-bcss,tissue-cells}/{images,masks}/*.png
 *     wsirois/wsi-level-annotations/{images,annotations-tissue-bcss-masks,annotations-tissue-bcss-xmls,annotations-tissue-cells-…}
 *     wsibulk/{images,annotations-tumor-bulk/{masks,xmls}}
 *
 * The same slides stand at both levels, so of a whole tree only the regions are taken; a wsi-level folder is taken when it
 * is given itself. Tumour bulk is another question than stroma: wsibulk is taken only by itself, too.
 */
export const TIGER_MPP = 0.5;

/** wsibulk's masks and XML. */
const BULK_CLASSES: readonly LabelClass[] = [
  { value: 0, name: 'outside the tumor bulk', meaning: 'negative' },
  { value: 1, name: 'tumor', meaning: 'positive' },
];

export interface TigerLayout extends Layout {
  readonly classes: readonly LabelClass[];
}

const ROI_SUBSETS = ['tissue-bcss', 'tissue-cells'] as const;

export async function findTiger(folder: string, mpp: number = TIGER_MPP): Promise<TigerLayout | undefined> {
  const here = basename(folder);
  if ((ROI_SUBSETS as readonly string[]).includes(here)) return roiLevel([folder], mpp);
  for (const path of ['', 'roi-level-annotations', 'wsirois/roi-level-annotations']) {
    const subsets = await subfolders(join(folder, path));
    const found = ROI_SUBSETS.filter(name => subsets.has(name));
    if (found.length > 0)
      return roiLevel(
        found.map(name => join(folder, path, name)),
        mpp,
      );
  }
  for (const path of ['', 'wsi-level-annotations', 'wsirois/wsi-level-annotations']) {
    const layout = await wsiLevel(join(folder, path));
    if (layout) return layout;
  }
  for (const path of ['', 'wsibulk']) {
    const layout = await bulk(join(folder, path));
    if (layout) return layout;
  }
  return undefined;
}

async function roiLevel(folders: readonly string[], mpp: number): Promise<TigerLayout | undefined> {
  const parts = await Promise.all(
    folders.map(folder => pairFolders(join(folder, 'images'), join(folder, 'masks'), basename(folder), mpp)),
  );
  const candidates = parts.flatMap(part => part.candidates);
  if (candidates.length === 0) return undefined;
  return {
    name: 'tiger',
    classes: TIGER_CLASSES,
    candidates,
    orphans: parts.flatMap(part => part.orphans),
    ambiguous: parts.flatMap(part => part.ambiguous),
  };
}

/** Slides with mask TIFFs; XML where a slide has no mask. */
async function wsiLevel(folder: string): Promise<TigerLayout | undefined> {
  const inside = await subfolders(folder);
  const truthFolders = ROI_SUBSETS.flatMap(subset =>
    (['masks', 'xmls'] as const).map(type => ({ subset, type, name: `annotations-${subset}-${type}` })),
  ).filter(({ name }) => inside.has(name));
  if (truthFolders.length === 0 || !inside.has('images')) return undefined;
  const { files: slides } = await filesByStem(join(folder, 'images'));
  const taken = new Map<string, Candidate>();
  const orphans: string[] = [];
  for (const { subset, type, name } of truthFolders) {
    for (const [stem, path] of (await filesByStem(join(folder, name))).files) {
      const imagePath = slides.get(stem);
      if (!imagePath) orphans.push(path);
      else if (!taken.has(stem)) taken.set(stem, slideCandidate(stem, imagePath, subset, type, path));
    }
  }
  for (const [stem, imagePath] of slides) {
    if (!taken.has(stem)) taken.set(stem, { name: stem, subset: 'wsi-level', kind: 'slide', imagePath });
  }
  return { name: 'tiger', classes: TIGER_CLASSES, candidates: [...taken.values()], orphans, ambiguous: [] };
}

async function bulk(folder: string): Promise<TigerLayout | undefined> {
  const inside = await subfolders(folder);
  if (!inside.has('annotations-tumor-bulk') || !inside.has('images')) return undefined;
  const { files: slides } = await filesByStem(join(folder, 'images'));
  const [{ files: masks }, { files: xmls }] = await Promise.all([
    filesByStem(join(folder, 'annotations-tumor-bulk', 'masks')),
    filesByStem(join(folder, 'annotations-tumor-bulk', 'xmls')),
  ]);
  const candidates = [...slides].map(([stem, imagePath]): Candidate => {
    const mask = masks.get(stem);
    const path = mask ?? xmls.get(stem);
    if (!path) return { name: stem, subset: 'wsibulk', kind: 'slide', imagePath };
    return slideCandidate(stem, imagePath, 'wsibulk', mask ? 'masks' : 'xmls', path);
  });
  const orphans = [...masks, ...xmls].filter(([stem]) => !slides.has(stem)).map(([, path]) => path);
  return candidates.length > 0
    ? { name: 'tiger', classes: BULK_CLASSES, candidates, orphans, ambiguous: [] }
    : undefined;
}

function slideCandidate(
  name: string,
  imagePath: string,
  subset: string,
  type: 'masks' | 'xmls',
  path: string,
): Candidate {
  return {
    name,
    subset,
    kind: 'slide',
    imagePath,
    labels: { kind: type === 'masks' ? 'mask-tiff' : 'annotations', path },
  };
}

async function subfolders(folder: string): Promise<Set<string>> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return new Set(entries.filter(entry => entry.isDirectory()).map(entry => entry.name));
}
